# shellcheck shell=bash
# One function for the stages that encode a corpus; source recipes/lib/child.sh before it.

# encode_latents CODEC DATA_DIR OUT OPTIONS...: encodes the training and validation cuts, with one process
# for each GPU or CPU thread of every node. A killed process loses at most one shard; the next run makes it.
encode_latents() {
  local processes=${nproc:?} device=cpu rank child
  local -a children=() command=(python -m recipes.tts.05_extract_latents)
  local -a options=(--codec "$1" --data_dir "$2" --out "$3" "${@:4}")
  if ((${ngpu:?} > 0)); then processes=$ngpu; fi
  if ((${node_rank:?} == 0)); then run "${command[@]}" prepare "${options[@]}"; fi
  meet latents_prepared
  # The ranks of node 0 come first; every node has the same number of ranks.
  for ((rank = 0; rank < processes; rank++)); do
    if ((ngpu > 0)); then device=cuda:$rank; fi
    OMP_NUM_THREADS=1 run_last "${command[@]}" extract "${options[@]}" --rank $((node_rank * processes + rank)) \
      --world_size $((processes * ${nnodes:?})) --device "$device" &
    children+=($!)
  done
  for child in "${children[@]}"; do wait "$child"; done
  meet latents_made
  if ((node_rank == 0)); then run "${command[@]}" finish "${options[@]}"; fi
}
