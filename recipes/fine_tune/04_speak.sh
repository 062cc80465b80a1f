#!/usr/bin/env bash
# Purpose: speak the held-out sentences with the model as it was and as it is now
# Reads:   $exp_dir/tts/checkpoints, $model, $data_dir/cuts_test.jsonl.gz, --weights, --seed
# Writes:  $exp_dir/tts_model, $exp_dir/before/items.jsonl, $exp_dir/after/items.jsonl
# Cost:    3 s a sentence

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

pack=(python -m recipes.tts.09_pack_model --exp_dir "${exp_dir:?}/tts" --out "$exp_dir/tts_model"
  --weights "${weights:?}")
# A model without a codec of its own uses the one that ships; it is packed without a copy.
if [[ ! -d ${model:?}/codec ]]; then pack+=(--no_codec); fi
run "${pack[@]}"
speak() {
  run python -m recipes.tts.07_synthesize_test --model "$1" --cuts "${data_dir:?}/cuts_test.jsonl.gz" \
    --out "$exp_dir/$2" --max_items 0 --seed "${seed:?}"
}
speak "$model" before
speak "$exp_dir/tts_model" after
