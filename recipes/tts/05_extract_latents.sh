#!/usr/bin/env bash
# Purpose: encode the training and validation cuts into latent shards
# Reads:   $exp_dir/codec_model, $data_dir/cuts_train.jsonl.gz, $data_dir/cuts_dev.jsonl.gz
# Writes:  $exp_dir/latents/train/stats.safetensors, $exp_dir/latents/dev/stats.safetensors
# Cost:    mini: 1 min per hour of speech and core; 4 GB per 1,000 hours at 15 Hz
# Nodes:   all

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"
# shellcheck source=recipes/tts/encode_latents.sh
source "$recipes_root/recipes/tts/encode_latents.sh"

# A toy corpus has few utterances; small shards let several processes share them.
shard_size=200
if [[ ${debug:?} == true ]]; then shard_size=8; fi
read -r -a further <<<"${latents_args:-}"
encode_latents "${exp_dir:?}/codec_model" "${data_dir:?}" "$exp_dir/latents" --shard_size "$shard_size" "${further[@]}"
