#!/usr/bin/env bash
# Purpose: train the image tokenizer on the pictures of the pages: a sigma-VAE, or with --model vq a codebook
# Reads:   $data_dir/pages.json, --tokenizer_config, --tokenizer_args
# Writes:  $data_dir/tokenizer/config.yaml, $data_dir/tokenizer/checkpoints, $data_dir/tokenizer_curves.png
# Cost:    egs/mllm: 40 CPU minutes, debug seconds
# Nodes:   all

set -euo pipefail
# The stage of the image recipe, with the pictures of the pages.
exec bash "${recipes_root:?start it through run.sh in egs/}/recipes/image/02_train_tokenizer.sh"
