#!/usr/bin/env bash
# Purpose: train the sigma-VAE codec
# Reads:   $data_dir/cuts_train.jsonl.gz, $data_dir/cuts_dev.jsonl.gz, --codec_config, --codec_args
# Writes:  $exp_dir/codec/config.yaml, $exp_dir/codec/checkpoints, $exp_dir/codec_curves.png
# Cost:    mini: hours on 2 cores (train.max_seconds), debug 1 min; the paper's size: GPU-days

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

train codec "${codec_config:?}" "${exp_dir:?}/codec" "${codec_args?}" \
  "data.train_cuts=\"${data_dir:?}/cuts_train.jsonl.gz\"" \
  "data.valid_cuts=\"$data_dir/cuts_dev.jsonl.gz\""
run python -m recipes.plot_training --exp_dir "$exp_dir/codec" --title "codec" \
  --out "$exp_dir/codec_curves.png"
