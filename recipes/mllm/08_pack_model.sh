#!/usr/bin/env bash
# Purpose: pack the model directory with the best guidance scale and its scores, write RESULTS.md and a gallery
# Reads:   $exp_dir/pages/checkpoints, $exp_dir/scores/pages.json, $exp_dir/scores/sweep.json, $data_dir/tokenizer_check/scores.json
# Writes:  $exp_dir/model, $exp_dir/RESULTS.md, $exp_dir/gallery.png
# Cost:    seconds

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

run python -m recipes.mllm.08_pack_model --exp_dir "${exp_dir:?}" --data_dir "${data_dir:?}" \
  --data "${data_card:?}" --command "${stage_command:?}"
