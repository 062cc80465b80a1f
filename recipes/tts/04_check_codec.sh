#!/usr/bin/env bash
# Purpose: export the codec and score its copies of the test set (PESQ-WB, STOI, mel, ViSQOL, SI-SDR)
# Reads:   $exp_dir/codec/checkpoints, $data_dir/cuts_test.jsonl.gz, --max_test
# Writes:  $exp_dir/codec_model, $exp_dir/codec_check/items.jsonl, $exp_dir/codec_check/scores.json, $exp_dir/codec_check/scores.md
# Cost:    about 1 s an utterance

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

run python -m recipes.export_codec --exp_dir "${exp_dir:?}/codec" --out "$exp_dir/codec_model"
run python -m recipes.check_codec --codec "$exp_dir/codec_model" \
  --cuts "${data_dir:?}/cuts_test.jsonl.gz" --out "$exp_dir/codec_check" \
  --max_items "${max_test:?}"
