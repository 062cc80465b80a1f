#!/usr/bin/env bash
# Purpose: score text, captions and answers on pages kept aside, and the samples against their pictures at each scale
# Reads:   $exp_dir/page_model, $exp_dir/samples/drawn.json, $data_dir/pages.json, --metrics, --max_pages, --clip
# Writes:  $exp_dir/scores/pages.json, $exp_dir/scores/sweep.json
# Cost:    egs/mllm: minutes

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

run python -m recipes.mllm.07_score --model "${exp_dir:?}/page_model" --samples "$exp_dir/samples" \
  --pages "${pages_dir:?}" --max_pages "${max_pages:?}" --metrics "${metrics?}" --clip "${clip?}" --device "${device:?}" \
  --out "$exp_dir/scores"
