#!/usr/bin/env bash
# Purpose: score the copies against the recordings
# Reads:   the copies of stage 2 and what --metrics names
# Writes:  $exp_dir/scores
# Cost:    about 2 s an utterance and codec; goes on where it stopped

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

run python -m recipes.codec_benchmark.benchmark score --codecs "${codecs:?}" --ours "${ours?}" \
  --list "${exp_dir:?}/list/items.jsonl" --copies "$exp_dir/copies" --metrics "${metrics:?}" \
  --out "$exp_dir/scores"
