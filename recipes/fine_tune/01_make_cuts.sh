#!/usr/bin/env bash
# Purpose: find when each phoneme is heard (layout aligned), hold a few sentences out, write cuts
# Reads:   $data_dir/corpus/manifest.jsonl, $model, --num_test, --seed, --strict
# Writes:  $data_dir/cuts_train.jsonl.gz, $data_dir/cuts_dev.jsonl.gz, $data_dir/cuts_test.jsonl.gz
# Cost:    about 2 s a minute of speech

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

strictly=()
if [[ ${strict:?} == true ]]; then strictly=(--strict); fi
run python -m recipes.fine_tune.01_make_cuts --corpus "${data_dir:?}/corpus" \
  --model "${model:?}" --out "$data_dir" --num_test "${num_test:?}" --seed "${seed:?}" "${strictly[@]}"
