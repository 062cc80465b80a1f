#!/usr/bin/env bash
# Purpose: encode the training and validation cuts into latent shards
# Reads:   $exp_dir/codec_model, $data_dir/cuts_train.jsonl.gz, $data_dir/cuts_dev.jsonl.gz
# Writes:  $exp_dir/latents/train/stats.safetensors, $exp_dir/latents/dev/stats.safetensors
# Cost:    mini: 1 min per hour of speech and core; 4 GB per 1,000 hours at 15 Hz

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

extract() {
  local action=$1
  shift
  run_last python -m recipes.extract_latents "$action" --codec "${exp_dir:?}/codec_model" \
    --data_dir "${data_dir:?}" --out "$exp_dir/latents" "$@"
}

processes=${nproc:?}
if ((${ngpu:?} > 0)); then processes=$ngpu; fi
# A shard is lost at most when one is killed; the next run makes what is missing.
(extract prepare)
children=()
for ((rank = 0; rank < processes; rank++)); do
  device=cpu
  if ((ngpu > 0)); then device=cuda:$rank; fi
  OMP_NUM_THREADS=1 extract extract --rank "$rank" --world_size "$processes" --device "$device" &
  children+=($!)
done
for child in "${children[@]}"; do wait "$child"; done
(extract finish)
