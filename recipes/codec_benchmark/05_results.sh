#!/usr/bin/env bash
# Purpose: write RESULTS.md (Table 5 with the published rows, sizes and speeds, mel variants) and a page
# Reads:   what stages 3 and 4 wrote
# Writes:  $exp_dir/RESULTS.md, $exp_dir/page.html
# Cost:    10 s

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

run python -m recipes.codec_benchmark.05_results --codecs "${codecs:?}" --ours "${ours?}" \
  --exp_dir "${exp_dir:?}" --metrics "${metrics:?}" --command "${stage_command:?}"
