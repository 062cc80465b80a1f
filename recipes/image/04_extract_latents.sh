#!/usr/bin/env bash
# Purpose: encode all pictures and the mirror images of those to train on into latent shards
# Reads:   $data_dir/tokenizer_model, $data_dir/pictures.json
# Writes:  $data_dir/latents/train/stats.safetensors, $data_dir/latents/valid/stats.safetensors
# Cost:    fashion: 3 CPU minutes; ImageNet: 0.1 GPU-hours derived, 21 GB
# Nodes:   all

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

pictures_per_shard=1000
# Small shards let several processes share a toy set.
if [[ ${debug:?} == true ]]; then pictures_per_shard=20; fi
command=(python -m recipes.image.04_extract_latents --tokenizer "${data_dir:?}/tokenizer_model"
  --train_source "${train_source:?}" --valid_source "${valid_source:?}" --out "$data_dir/latents"
  --pictures_per_shard "$pictures_per_shard")
if [[ ${skip_bad:?} == true ]]; then command+=(--skip_bad); fi
run_shared latents extract "${command[@]}"
