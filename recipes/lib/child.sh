# shellcheck shell=bash
# Functions with which a stage starts its commands. A child must not outlive a stage that was killed, since
# the next run would meet it; `train` adds the settings and processes that the recipe's options ask for.

# A script without these options trains in one process, on the CPU.
: "${ngpu:=0}" "${nnodes:=1}" "${node_rank:=0}" "${nproc_train:=1}"

tie_to_parent=()
if setpriv --pdeathsig KILL true 2>/dev/null; then tie_to_parent=(setpriv --pdeathsig KILL); fi

run() {
  "${tie_to_parent[@]}" "$@"
}

# Replaces the subshell in which it is called, so that the parent of a background child is the stage.
run_last() {
  exec "${tie_to_parent[@]}" "$@"
}

# Number of processes of this node that train: one for each GPU, or --nproc_train on the CPU.
train_processes() {
  echo $((${ngpu:?} > 0 ? ngpu : ${nproc_train:?}))
}

# train PACKAGE KIND CONFIG FOLDER EXTRA_SETTINGS A.B=C...: runs the package's command `train KIND` and goes
# on with the run in FOLDER, if there is one. EXTRA_SETTINGS is one word, 'a.b=c d.e=f'.
train() {
  local package=$1 kind=$2 config=$3 folder=$4 setting result processes
  local -a extra=() arguments=() launch=(python -m)
  read -r -a extra <<<"$5"
  shift 5
  for setting in "exp_dir=\"$folder\"" "train.devices=${ngpu:?}" "train.num_nodes=${nnodes:?}" \
    "train.num_threads=${OMP_NUM_THREADS:?}" "$@" "${extra[@]}"; do
    arguments+=(--set "$setting")
  done
  processes=$(train_processes)
  if ((nnodes > 1)); then
    launch=(torchrun --nnodes "$nnodes" --node_rank "${node_rank:?}" --rdzv_backend c10d
      --rdzv_id "${package}_$kind" --rdzv_endpoint "${rdzv_endpoint:?}" --nproc_per_node "$processes" -m)
  elif ((processes > 1)); then
    launch=(torchrun --standalone --nproc_per_node "$processes" -m)
  fi
  # run_last: the subshell of $(...) must not stand between the stage and the training.
  result=$(run_last "${launch[@]}" "$package.cli.main" train "$kind" --config "$config" --json \
    "${arguments[@]}")
  echo "   $result" >&2
  # After a signal a training ends in good order, but it is not finished.
  if [[ $result == *'"reason": "signal"'* ]]; then exit 130; fi
}

# run_ranks COMMAND...: runs the command in one process for each GPU or CPU thread (--nproc) of every node, and
# gives each its --rank, --world_size and --device.
run_ranks() {
  local processes=${nproc:?} device=cpu rank child
  local -a children=()
  if ((${ngpu:?} > 0)); then processes=$ngpu; fi
  # The ranks of node 0 come first; every node has the same number of ranks.
  for ((rank = 0; rank < processes; rank++)); do
    if ((ngpu > 0)); then device=cuda:$rank; fi
    OMP_NUM_THREADS=1 run_last "$@" --rank $((${node_rank:?} * processes + rank)) \
      --world_size $((processes * ${nnodes:?})) --device "$device" &
    children+=($!)
  done
  for child in "${children[@]}"; do wait "$child"; done
}

# run_shared NAME ACTION COMMAND...: `COMMAND prepare` on node 0, `COMMAND ACTION` in all ranks, then `COMMAND
# finish` on node 0. A single process does all in one call, which saves it two starts.
run_shared() {
  local name=$1 action=$2
  shift 2
  if ((${nnodes:?} == 1 && (${ngpu:?} == 1 || (ngpu == 0 && ${nproc:?} == 1)))); then
    run_ranks "$@" prepare "$action" finish
    return
  fi
  if ((${node_rank:?} == 0)); then run "$@" prepare; fi
  meet "${name}_prepared"
  run_ranks "$@" "$action"
  meet "${name}_done"
  if ((node_rank == 0)); then run "$@" finish; fi
}

# meet NAME: waits until every node is at NAME, so that all can read what one of them wrote before.
meet() {
  if ((${nnodes:?} > 1)); then
    run python -m recipes.lib.barrier --name "$1" --nnodes "$nnodes" --node_rank "${node_rank:?}" \
      --endpoint "${rdzv_endpoint:?}" >/dev/null
  fi
}
