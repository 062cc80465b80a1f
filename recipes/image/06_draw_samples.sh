#!/usr/bin/env bash
# Purpose: pack the generator and draw the same number of samples of each class at each guidance scale
# Reads:   $exp_dir/generator/checkpoints, --cfg_scales, --per_class, --seed
# Writes:  $exp_dir/generator_model, $exp_dir/samples/drawn.json
# Cost:    fashion: about 20 samples a second and core; goes on where it stopped
# Nodes:   all

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

command=(python -m recipes.image.06_draw_samples --run "${exp_dir:?}/generator"
  --model "$exp_dir/generator_model" --out "$exp_dir/samples"
  --cfg_scales "${cfg_scales:?}" --per_class "${per_class:?}" --batch_size "${sample_batch:?}" --seed "${seed:?}")
run_shared samples draw "${command[@]}"
