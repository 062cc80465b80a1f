#!/usr/bin/env bash
# Purpose: learn a byte-level BPE from the text of all pages to train on
# Reads:   $data_dir/pages.json, --vocab_size
# Writes:  $data_dir/text_tokenizer.json
# Cost:    seconds

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

run python -m recipes.mllm.02_train_text_tokenizer --pages "${pages_dir:?}" --size "${vocab_size:?}" \
  --out "${data_dir:?}/text_tokenizer.json"
