#!/usr/bin/env bash
# Purpose: make the text tokenizer
# Reads:   $data_dir/cuts_train.jsonl.gz, --tokenizer_config
# Writes:  $exp_dir/tokenizer
# Cost:    mini: 5 s; libriheavy large: 5 min

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

run python -m recipes.tts.02_train_tokenizer --config "${tokenizer_config:?}" \
  --cuts "${data_dir:?}/cuts_train.jsonl.gz" --out "${exp_dir:?}/tokenizer"
