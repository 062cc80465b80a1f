#!/usr/bin/env bash
# Purpose: export the codec and score its copies of the test set, also of human and synthetic voices apart if the corpus has both
# Reads:   $exp_dir/codec/checkpoints, $data_dir/cuts_test.jsonl.gz, --max_test, --libritts_dir, --codec_metrics, --device, lists of voices beside it
# Writes:  $exp_dir/codec_model, $exp_dir/codec_check/items.jsonl, $exp_dir/codec_check/scores.json, $exp_dir/codec_check/scores.md
# Cost:    about 3 s an utterance of each list, and as much for a second decoder

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

decoders=()
if [[ -n ${codec_mirrored_config?} ]]; then
  decoders=(--decoder_exp_dir "mirrored=${exp_dir:?}/codec/mirrored")
fi
run python -m recipes.codec.export --exp_dir "${exp_dir:?}/codec" --out "$exp_dir/codec_model" \
  "${decoders[@]}"
lists=(--cuts "${data_dir:?}/cuts_test.jsonl.gz")
if [[ -n ${libritts_dir:-} ]]; then
  lists=(--libritts_dir "$libritts_dir")
elif [[ -n ${libritts_dir+x} ]]; then
  echo "   no --libritts_dir: scored on held-out cuts, not on the paper's LibriTTS test-other" >&2
fi
for kind in human synthetic; do
  file=$data_dir/${codec_cuts:?}_test_$kind.jsonl.gz
  if [[ -f $file ]]; then lists+=(--cuts "$kind=$file"); fi
done
if [[ -n ${codec_metrics:-} ]]; then lists+=(--metrics "$codec_metrics"); fi
lists+=(--device "${device:-auto}")
run python -m recipes.codec.check --codec "$exp_dir/codec_model" "${lists[@]}" \
  --out "$exp_dir/codec_check" --max_items "${max_test:?}"
if [[ -n $codec_mirrored_config ]]; then
  run python -m recipes.codec.check --codec "$exp_dir/codec_model" --decoder mirrored \
    "${lists[@]}" --out "$exp_dir/codec_check_mirrored" --max_items "$max_test"
fi
