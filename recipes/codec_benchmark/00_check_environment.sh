#!/usr/bin/env bash
# Purpose: say which codecs have their packages and weights here, and how to get the others
# Reads:   the codecs named by --codecs and --ours
# Writes:  nothing
# Cost:    10 s

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

run python -m recipes.codec_benchmark.benchmark check --codecs "${codecs:?}" --ours "${ours?}"
