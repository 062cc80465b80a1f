#!/usr/bin/env bash
# Purpose: export the codec and score its copies of the test set (PESQ-WB, STOI, mel, ViSQOL, SI-SDR)
# Reads:   $exp_dir/codec/checkpoints, $data_dir/cuts_test.jsonl.gz, --max_test
# Writes:  $exp_dir/codec_model, $exp_dir/codec_check/items.jsonl, $exp_dir/codec_check/scores.json, $exp_dir/codec_check/scores.md
# Cost:    about 1 s an utterance

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

decoders=()
if [[ -n ${codec_mirrored_config?} ]]; then
  decoders=(--decoder_exp_dir "mirrored=${exp_dir:?}/codec/mirrored")
fi
run python -m recipes.export_codec --exp_dir "${exp_dir:?}/codec" --out "$exp_dir/codec_model" \
  "${decoders[@]}"
run python -m recipes.check_codec --codec "$exp_dir/codec_model" \
  --cuts "${data_dir:?}/cuts_test.jsonl.gz" --out "$exp_dir/codec_check" \
  --max_items "${max_test:?}"
