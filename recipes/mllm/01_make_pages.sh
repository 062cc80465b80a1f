#!/usr/bin/env bash
# Purpose: make pages to train on and to validate on (text, pairs, interleaved pages, questions), or count those of --pages_dir; with --speech also spoken ones
# Reads:   --pages_dir, --debug, --speech, --codec, what run.sh downloads
# Writes:  $data_dir/pages.json
# Cost:    seconds, and downloads of 75 MB (egs/mllm)

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

if [[ ${pages_dir:?} == "${data_dir:?}/pages" ]]; then
  if [[ ${debug:?} == true ]]; then
    run python -m recipes.mllm.toy_pages --out "$pages_dir"
  else
    run bash "${make_pages:?}" "$pages_dir"
  fi
fi
if [[ ${speech:?} == true ]]; then
  if [[ ! -d $pages_dir/valid/spoken ]]; then
    run python -m recipes.mllm.speech.speak_captions --pages "$pages_dir"
  fi
  run python -m recipes.mllm.speech.encode_speech --pages "$pages_dir" --codec "${codec?}" \
    --out "${data_dir:?}/speech_latents"
fi
run python -m recipes.mllm.page_set --pages "$pages_dir" --out "$data_dir/pages.json"
