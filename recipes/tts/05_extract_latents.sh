#!/usr/bin/env bash
# Purpose: encode the training and validation cuts into latent shards
# Reads:   $exp_dir/codec_model, $data_dir/cuts_train.jsonl.gz, $data_dir/cuts_dev.jsonl.gz
# Writes:  $exp_dir/latents/train/stats.safetensors, $exp_dir/latents/dev/stats.safetensors
# Cost:    mini: 1 min per hour of speech and core; 4 GB per 1,000 hours at 15 Hz

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

# A toy corpus has few utterances; several shards of them are what a kill and several processes need.
shard_size=200
if [[ ${debug:?} == true ]]; then shard_size=8; fi
read -r -a further <<<"${latents_args:-}"

extract() {
  local action=$1
  shift
  run_last python -m recipes.extract_latents "$action" --codec "${exp_dir:?}/codec_model" \
    --data_dir "${data_dir:?}" --out "$exp_dir/latents" --shard_size "$shard_size" \
    "${further[@]}" "$@"
}

# The ranks of node 0 come first; every node has as many.
processes=${nproc:?}
if ((${ngpu:?} > 0)); then processes=$ngpu; fi
# A shard is lost at most when one is killed; the next run makes what is missing.
if ((${node_rank:?} == 0)); then (extract prepare); fi
meet latents_prepared
children=()
for ((local_rank = 0; local_rank < processes; local_rank++)); do
  device=cpu
  if ((ngpu > 0)); then device=cuda:$local_rank; fi
  OMP_NUM_THREADS=1 extract extract --rank $((node_rank * processes + local_rank)) \
    --world_size $((processes * ${nnodes:?})) --device "$device" &
  children+=($!)
done
for child in "${children[@]}"; do wait "$child"; done
meet latents_made
if ((node_rank == 0)); then (extract finish); fi
