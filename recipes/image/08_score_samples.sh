#!/usr/bin/env bash
# Purpose: score the samples at each guidance scale against the validation pictures, and find the best scale
# Reads:   $exp_dir/samples/drawn.json, $data_dir/pictures.json, $data_dir/classifier, --metrics, --max_reference, --score_size
# Writes:  $exp_dir/scores/sweep.json, $exp_dir/scores/sweep.png
# Cost:    each scale: its samples and the validation pictures, about 20 a second, core and large network

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

run python -m recipes.image.08_score_samples --samples "${exp_dir:?}/samples" \
  --reference "${valid_source:?}" --max_reference "${max_reference:?}" --size "${score_size:?}" \
  --metrics "${metrics?}" --classifier "${data_dir:?}/classifier/model" --device "${device:?}" \
  --out "$exp_dir/scores"
