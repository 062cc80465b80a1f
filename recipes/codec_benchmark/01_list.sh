#!/usr/bin/env bash
# Purpose: write the list of recordings to copy, with its hash
# Reads:   --audio_dir, --cuts, --max_items, --debug
# Writes:  $exp_dir/list/items.jsonl
# Cost:    seconds; LibriTTS test-other a minute

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

list=${exp_dir:?}/list/items.jsonl
testset=(python -m latentspeech.cli.main testset --quiet --out "$list" --num "${max_items:?}")
if [[ -n ${audio_dir?} ]]; then
  run "${testset[@]}" libritts-test-other --corpus "$audio_dir"
elif [[ -f ${cuts?} ]]; then
  run "${testset[@]}" cuts --corpus "$cuts"
elif [[ -z $cuts && ${debug:?} == true ]]; then
  run python -m recipes.codec_benchmark.speak_sentences --sentences "${debug_sentences:?}" \
    --out "$list" --num "$max_items"
else
  echo "error: no cuts at $cuts; make them with: bash egs/mini/run.sh --stop_stage 1, or give --cuts" \
    "or --audio_dir" >&2
  exit 2
fi
