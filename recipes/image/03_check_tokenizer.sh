#!/usr/bin/env bash
# Purpose: pack the tokenizer, score its copies of validation pictures (PSNR, SSIM, distances such as rFID) and show some
# Reads:   $data_dir/tokenizer/checkpoints, --valid_source, --max_copies, --copy_metrics
# Writes:  $data_dir/tokenizer_model, $data_dir/tokenizer_check/scores.json, $data_dir/tokenizer_check/copies.png
# Cost:    about 15 pictures a second, core and distance

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

run python -m recipes.image.03_check_tokenizer --run "${data_dir:?}/tokenizer" --tokenizer "$data_dir/tokenizer_model" \
  --source "${valid_source:?}" --max_images "${max_copies:?}" --device "${device:?}" \
  --metrics "${copy_metrics?}" --out "$data_dir/tokenizer_check"
