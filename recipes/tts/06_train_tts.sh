#!/usr/bin/env bash
# Purpose: train the LatentLM on the latents
# Reads:   $exp_dir/codec_model, $exp_dir/tokenizer, $exp_dir/latents/train/meta.json, $exp_dir/latents/train/stats.safetensors, $exp_dir/latents/dev/meta.json, $exp_dir/latents/dev/stats.safetensors, --tts_config, --tts_args
# Writes:  $exp_dir/tts/config.yaml, $exp_dir/tts/checkpoints, $exp_dir/tts_curves.png
# Cost:    mini: hours on 2 cores (train.max_seconds), debug 1 min; the paper's size: GPU-days
# Nodes:   all

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

train latentspeech tts "${tts_config:?}" "${exp_dir:?}/tts" "${tts_args?}" \
  "codec_dir=\"$exp_dir/codec_model\"" "tokenizer_dir=\"$exp_dir/tokenizer\"" \
  "latents_dir=\"$exp_dir/latents/train\"" "valid_latents_dir=\"$exp_dir/latents/dev\""
run python -m recipes.lib.plot_training --exp_dir "$exp_dir/tts" --title "TTS" \
  --out "$exp_dir/tts_curves.png"
