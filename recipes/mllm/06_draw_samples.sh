#!/usr/bin/env bash
# Purpose: pack the model and draw the captions of pairs kept aside at each guidance scale; with --speech write pages from text to picture to speech too
# Reads:   $exp_dir/pages/checkpoints, $data_dir/pages.json, --cfg_scales, --max_samples, --seed, --speech, --codec
# Writes:  $exp_dir/page_model, $exp_dir/samples/drawn.json
# Cost:    egs/mllm: about 10 samples a second and core; goes on where it stopped

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

run python -m recipes.mllm.06_draw_samples --run "${exp_dir:?}/pages" --model "$exp_dir/page_model" \
  --pages "${pages_dir:?}" --out "$exp_dir/samples" --cfg_scales "${cfg_scales:?}" --most "${max_samples:?}" \
  --seed "${seed:?}" --device "${device:?}"
if [[ ${speech:?} == true ]]; then
  run python -m recipes.mllm.speech.write_pages --model "$exp_dir/page_model" --codec "${codec?}" \
    --pages "$pages_dir" --out "$exp_dir/spoken" --seed "$seed" --device "$device"
fi
