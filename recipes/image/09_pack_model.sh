#!/usr/bin/env bash
# Purpose: pack the model directory with the best guidance scale and its scores, write RESULTS.md, and show a gallery and the training pictures nearest to 16 samples
# Reads:   $exp_dir/generator/checkpoints, $exp_dir/scores/sweep.json, $data_dir/tokenizer_check/scores.json, $data_dir/classifier, --seed
# Writes:  $exp_dir/model, $exp_dir/RESULTS.md, $exp_dir/gallery.png, $exp_dir/neighbours.png
# Cost:    fashion: 3 CPU minutes; all training pictures go through the classifier, or EfficientNet without one

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

run python -m recipes.image.09_pack_model --exp_dir "${exp_dir:?}" --data_dir "${data_dir:?}" \
  --data "${data_card:?}" --command "${stage_command:?}" --source "${train_source:?}" --seed "${seed:?}" \
  --device "${device:?}"
