#!/usr/bin/env bash
# Purpose: measure the Frechet distances of the samples at each guidance scale from the validation pictures, and find the best scale
# Reads:   $exp_dir/samples/drawn.json, $data_dir/pictures.json, --distances, --max_reference, --score_size
# Writes:  $exp_dir/scores/sweep.json, $exp_dir/scores/sweep.png
# Cost:    about 15 pictures a second, core and distance; the validation pictures once

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

run python -m recipes.image.07_score_samples --samples "${exp_dir:?}/samples" \
  --reference "${valid_source:?}" --max_reference "${max_reference:?}" --size "${score_size:?}" \
  --distances "${distances?}" --device "${device:?}" --out "$exp_dir/scores"
