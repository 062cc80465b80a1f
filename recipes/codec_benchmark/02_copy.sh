#!/usr/bin/env bash
# Purpose: send the recordings through each codec that has weights, and back
# Reads:   the list of stage 1 and the codecs named by --codecs and --ours
# Writes:  $exp_dir/copies
# Cost:    the rtf of stage 3 times the hours; goes on where it stopped

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

run python -m recipes.codec_benchmark.benchmark copy --codecs "${codecs:?}" --ours "${ours?}" \
  --list "${exp_dir:?}/list/items.jsonl" --out "$exp_dir/copies"
