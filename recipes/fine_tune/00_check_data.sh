#!/usr/bin/env bash
# Purpose: look at every recording and transcript, name what cannot be used, make a corpus of the rest
# Reads:   $data, --strict
# Writes:  $data_dir/corpus/manifest.jsonl, $data_dir/corpus/report.json
# Cost:    about 10 s a minute of speech; 3 MB a minute

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

strictly=()
if [[ ${strict:?} == true ]]; then strictly=(--strict); fi
run python -m recipes.fine_tune.00_check_data --data "${data:?}" \
  --out "${data_dir:?}/corpus" "${strictly[@]}"
