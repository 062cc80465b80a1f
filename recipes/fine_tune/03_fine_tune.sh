#!/usr/bin/env bash
# Purpose: train adapters, or with --full every weight, from the weights of the model
# Reads:   $exp_dir/finetune.yaml, $exp_dir/latents/train/meta.json, $exp_dir/latents/train/stats.safetensors, $exp_dir/latents/dev/meta.json, $exp_dir/latents/dev/stats.safetensors, --full, --lora_rank, --steps, --tts_args
# Writes:  $exp_dir/tts/config.yaml, $exp_dir/tts/checkpoints
# Cost:    about 3 s a step on one core

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

settings=("latents_dir=\"${exp_dir:?}/latents/train\"" "valid_latents_dir=\"$exp_dir/latents/dev\""
  "train.max_steps=${steps:?}" "optimizer.total_steps=$((steps > 10 ? steps : 11))")
if [[ ${full:?} != true ]]; then settings+=("lora.rank=${lora_rank:?}"); fi
train latentspeech tts "$exp_dir/finetune.yaml" "$exp_dir/tts" "${tts_args?}" "${settings[@]}"
