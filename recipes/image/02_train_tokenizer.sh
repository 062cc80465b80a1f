#!/usr/bin/env bash
# Purpose: train the tokenizer: a sigma-VAE, or with --model vq a codebook
# Reads:   $data_dir/pictures.json, --tokenizer_config, --tokenizer_args
# Writes:  $data_dir/tokenizer/config.yaml, $data_dir/tokenizer/checkpoints, $data_dir/tokenizer_curves.png
# Cost:    fashion: 20 CPU minutes, debug seconds; ImageNet at the paper's size: GPU-days
# Nodes:   all

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

train latentvision tokenizer "${tokenizer_config:?}" "${data_dir:?}/tokenizer" \
  "${debug_tokenizer_args?} ${tokenizer_args?}" "data.train_source=${train_source:?}" \
  "data.valid_source=${valid_source:?}" "data.skip_bad=${skip_bad:?}"
run python -m recipes.lib.plot_training --exp_dir "$data_dir/tokenizer" --title "tokenizer" \
  --out "$data_dir/tokenizer_curves.png"
