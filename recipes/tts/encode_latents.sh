# shellcheck shell=bash
# One function for the stages that encode a corpus; source recipes/lib/child.sh before it.

# encode_latents CODEC DATA_DIR OUT OPTIONS...: encodes the training and validation cuts, with one process
# for each GPU or CPU thread of every node. A killed process loses at most one shard; the next run makes it.
encode_latents() {
  local -a command=(python -m recipes.tts.05_extract_latents)
  local -a options=(--codec "$1" --data_dir "$2" --out "$3" "${@:4}")
  if ((${node_rank:?} == 0)); then run "${command[@]}" prepare "${options[@]}"; fi
  meet latents_prepared
  run_ranks "${command[@]}" extract "${options[@]}"
  meet latents_made
  if ((node_rank == 0)); then run "${command[@]}" finish "${options[@]}"; fi
}
