#!/usr/bin/env bash
# Purpose: train what draws, of the kind --model
# Reads:   $data_dir/tokenizer_model, $data_dir/latents/train/meta.json, $data_dir/latents/train/stats.safetensors, $data_dir/latents/valid/meta.json, --model, --generator_config, --generator_args
# Writes:  $exp_dir/generator/config.yaml, $exp_dir/generator/checkpoints, $exp_dir/generator_curves.png
# Cost:    fashion: 30 CPU minutes, debug seconds; ImageNet at the paper's sizes: GPU-days
# Nodes:   all

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

train latentvision "${model:?}" "${generator_config:?}" "${exp_dir:?}/generator" \
  "${debug_generator_args?} ${generator_args?}" "tokenizer_dir=\"${data_dir:?}/tokenizer_model\"" \
  "latents_dir=\"$data_dir/latents/train\"" "valid_latents_dir=\"$data_dir/latents/valid\""
run python -m recipes.lib.plot_training --exp_dir "$exp_dir/generator" --title "$model" \
  --out "$exp_dir/generator_curves.png"
