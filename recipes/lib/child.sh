# shellcheck shell=bash
# What a stage starts its commands with. A child must not outlive a stage that was killed, since the
# next run would meet it; `train` adds the settings and processes that the recipe's options ask for.

# A script without these options trains in one process, on the CPU.
: "${ngpu:=0}" "${nnodes:=1}" "${node_rank:=0}" "${nproc_train:=1}"

tie_to_parent=()
if setpriv --pdeathsig KILL true 2>/dev/null; then tie_to_parent=(setpriv --pdeathsig KILL); fi

run() {
  "${tie_to_parent[@]}" "$@"
}

# Replaces the subshell it is called in: in the background only so the child's parent is the stage.
run_last() {
  exec "${tie_to_parent[@]}" "$@"
}

# Processes of this node that train: one a GPU, or as many as asked for on the CPU.
train_processes() {
  echo $((${ngpu:?} > 0 ? ngpu : ${nproc_train:?}))
}

# train codec|tts CONFIG FOLDER EXTRA_SETTINGS A.B=C...: goes on with the run in FOLDER, if there is one.
train() {
  local kind=$1 config=$2 folder=$3 setting result processes
  local -a extra=() arguments=() launch=(python -m)
  read -r -a extra <<<"$4"
  shift 4
  for setting in "exp_dir=\"$folder\"" "train.devices=${ngpu:?}" "train.num_nodes=${nnodes:?}" \
    "train.num_threads=${OMP_NUM_THREADS:?}" "$@" "${extra[@]}"; do
    arguments+=(--set "$setting")
  done
  processes=$(train_processes)
  if ((nnodes > 1)); then
    launch=(torchrun --nnodes "$nnodes" --node_rank "${node_rank:?}" --rdzv_backend c10d
      --rdzv_id "latentspeech_$kind" --rdzv_endpoint "${rdzv_endpoint:?}" --nproc_per_node "$processes" -m)
  elif ((processes > 1)); then
    launch=(torchrun --standalone --nproc_per_node "$processes" -m)
  fi
  # run_last: the subshell of $(...) must not stand between the stage and the training.
  result=$(run_last "${launch[@]}" latentspeech.cli.main train "$kind" --config "$config" --json \
    "${arguments[@]}")
  echo "   $result" >&2
  # A signal ends a training in good order, but it is not finished.
  if [[ $result == *'"reason": "signal"'* ]]; then exit 130; fi
}

# Waits until every node has come to NAME, so that what one wrote before is there for all.
meet() {
  if ((${nnodes:?} > 1)); then
    run python -m recipes.lib.barrier --name "$1" --nnodes "$nnodes" --node_rank "${node_rank:?}" \
      --endpoint "${rdzv_endpoint:?}" >/dev/null
  fi
}

# encode_latents CODEC DATA_DIR OUT OPTIONS...: of the training and validation cuts, by a process a GPU or
# CPU thread of every node. A shard is lost at most when one is killed; the next run makes what is missing.
encode_latents() {
  local processes=${nproc:?} device=cpu rank child
  local -a children=() command=(python -m recipes.tts.extract_latents)
  local -a options=(--codec "$1" --data_dir "$2" --out "$3" "${@:4}")
  if ((${ngpu:?} > 0)); then processes=$ngpu; fi
  if ((${node_rank:?} == 0)); then run "${command[@]}" prepare "${options[@]}"; fi
  meet latents_prepared
  # The ranks of node 0 come first; every node has as many.
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
