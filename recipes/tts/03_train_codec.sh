#!/usr/bin/env bash
# Purpose: train the sigma-VAE codec: one run, or one from the weights of another, and a second decoder
# Reads:   $data_dir/${codec_cuts}_train.jsonl.gz, $data_dir/${codec_cuts}_dev.jsonl.gz, --codec_base_config, --codec_config, --codec_args, --codec_mirrored_config
# Writes:  $exp_dir/codec/config.yaml, $exp_dir/codec/checkpoints, $exp_dir/codec_curves.png
# Cost:    mini: hours on 2 cores (train.max_seconds), debug 1 min; the paper's size: GPU-days
# Nodes:   all

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

cuts=("data.train_cuts=\"${data_dir:?}/${codec_cuts:?}_train.jsonl.gz\""
  "data.valid_cuts=\"$data_dir/${codec_cuts}_dev.jsonl.gz\"")
first=()
if [[ -n ${codec_base_config?} ]]; then
  train latentspeech codec "$codec_base_config" "${exp_dir:?}/codec/base" "" "${cuts[@]}"
  run python -m recipes.codec.export --exp_dir "$exp_dir/codec/base" --out "$exp_dir/codec/base_model"
  first=("start_from.codec=\"$exp_dir/codec/base_model\"")
fi
train latentspeech codec "${codec_config:?}" "${exp_dir:?}/codec" "${codec_args?}" "${cuts[@]}" "${first[@]}"
if [[ -n ${codec_mirrored_config?} ]]; then
  run python -m recipes.codec.export --exp_dir "$exp_dir/codec" --out "$exp_dir/codec/model"
  train latentspeech codec "$codec_mirrored_config" "$exp_dir/codec/mirrored" "" "${cuts[@]}" \
    "start_from.codec=\"$exp_dir/codec/model\""
fi
run python -m recipes.lib.plot_training --exp_dir "$exp_dir/codec" --title "codec" \
  --out "$exp_dir/codec_curves.png"
