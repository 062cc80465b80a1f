# shellcheck shell=bash
# Runs the numbered stages of a task: --stage N starts at N, --stop_stage M ends after M.
#
# A stage is a script NN_name.sh with four header lines (Purpose, Reads, Writes, Cost), which --help shows.
# The parts of Reads and Writes that begin with $ or -- decide whether a stage is done:
# recipes/lib/stage_record.py compares them with stages/NN_name/done.json in exp_dir (in data_dir for a
# stage that writes there). Node 0 alone runs a stage, unless its header has the line "# Nodes: all".
#
# A task has a file options.sh, which sources this one, sets stage_dir and declares the task's options. It
# may define three functions, which the runner calls:
#   check_machine    fails where this machine cannot run the task
#   show_results     prints what the last stage made
#   stage_costs N    prints what stage N costs, in the place of the header's Cost
# A run.sh in egs/ sets egs_dir, recipe_title and recipe_command, sources options.sh, adds options of its
# own, and calls parse_options "$@", settle_run_options and run_stages.

recipes_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export recipes_root egs_dir

# shellcheck source=recipes/lib/options.sh
source "$recipes_root/recipes/lib/options.sh"

# One process on one machine, unless the task has add_training_options.
export ngpu=0 nproc_train=1 nnodes=1 node_rank=0 rdzv_endpoint=
export data_dir=
stage_interrupted=false
run_as=()  # what every child is started with

# Options of every task.
add_run_options() {
  add_option stage 0 "first stage to run"
  add_option stop_stage "$(last_stage)" "last stage to run"
  add_option nproc "$(nproc)" "CPU threads, and processes where work is shared out"
  add_path exp_dir "" "folder for models and results (default exp/full; --debug: exp/debug)"
  add_flag debug "the whole pipeline at toy size, in minutes on a CPU"
  add_flag force "run the chosen stages anew although done; trainings too (the old run is kept)"
}

# Options of a task that trains; $1 is the default number of GPUs.
add_training_options() {
  add_option ngpu "$1" "GPUs of this machine to train on; 0 is the CPU"
  add_option nproc_train 1 "processes that train where --ngpu is 0 (they exchange gradients over gloo)"
  add_option nnodes "${SLURM_NNODES:-1}" "machines; the same command on each, or under srun one task a node"
  add_option node_rank "${SLURM_NODEID:-0}" "which of them this is, from 0"
  add_option rdzv_endpoint "" "host:port of node 0; under Slurm the job's first node"
}

show_help() {
  local file
  printf '%s\n\nOptions (- and _ are the same; --name value or --name=value):\n' "${recipe_title:?}"
  show_options
  printf '\nStages (a second run skips what is done and unchanged):\n'
  for file in "${stage_dir:?}"/[0-9][0-9]_*.sh; do
    printf '  %d  %s\n' "$(stage_number "$file")" "$(stage_header "$file" Purpose)"
    printf '       reads   %s\n' "$(stage_inputs "$file")"
    printf '       writes  %s\n' "$(stage_header "$file" Writes)"
    if declare -F stage_costs >/dev/null; then
      stage_costs "$(stage_number "$file")"
    else
      printf '       costs   %s\n' "$(stage_header "$file" Cost)"
    fi
  done
}

show_results() {
  if [[ -f ${exp_dir:?}/RESULTS.md ]]; then cat "$exp_dir/RESULTS.md"; fi
}

stage_header() {
  sed -n "s/^# $2: *//p" "$1" | head -n 1
}

# What a stage reads, without the options that this recipe does not have.
stage_inputs() {
  local part shown=
  while read -r part; do
    [[ $part == --* && ! -v OPTION_HELP[${part#--}] ]] || shown+=", $part"
  done < <(stage_header "$1" Reads | sed 's/, */\n/g')
  echo "${shown#, }"
}

stage_number() {
  local name=${1##*/}
  echo "$((10#${name%%_*}))"
}

last_stage() {
  local files=("${stage_dir:?set it to the folder of the stages}"/[0-9][0-9]_*.sh)
  stage_number "${files[-1]}"
}

# Nodes share a stage if its header says so.
is_shared() {
  [[ $(stage_header "$1" Nodes) == all ]]
}

# Checks what was asked, makes paths absolute and fills in the folders.
settle_run_options() {
  local last size=full
  last=$(last_stage)
  check_number stage stop_stage nproc ngpu nproc_train nnodes node_rank
  ((${nproc:?} > 0)) || fail "--nproc is $nproc; expected 1 or more"
  ((${stage:?} <= last)) || fail "--stage is $stage; the stages are 0 to $last (--help lists them)"
  ((stage <= ${stop_stage:?})) || fail "--stage $stage comes after --stop_stage $stop_stage"
  settle_nodes
  [[ ${debug:?} == true ]] && size=debug
  exp_dir=${exp_dir:-${egs_dir:?}/exp/$size}
  settle_paths
  data_dir=${data_dir:-$exp_dir/data}
}

# Who node 0 is and which node this is.
settle_nodes() {
  [[ ${ngpu:?} == 0 || ${nproc_train:?} == 1 ]] || fail "--nproc_train is for the CPU; with --ngpu $ngpu each GPU has a process"
  ((${nproc_train:?} > 0 && ${nnodes:?} > 0)) || fail "--nproc_train and --nnodes are 1 or more"
  ((${node_rank:?} < nnodes)) || fail "--node_rank is $node_rank; with --nnodes $nnodes it is 0 to $((nnodes - 1))"
  ((nnodes > 1)) || return 0
  if [[ -z ${rdzv_endpoint?} && -n ${SLURM_JOB_NODELIST-} ]]; then
    rdzv_endpoint=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1):$((20000 + ${SLURM_JOB_ID:?} % 20000))
  fi
  [[ $rdzv_endpoint == *?:[0-9]* ]] || fail "--nnodes $nnodes needs --rdzv_endpoint host:port of node 0"
}

run_stages() {
  local file number
  cd "$recipes_root" || exit
  if [[ -z ${VIRTUAL_ENV-} && -x .venv/bin/python ]]; then PATH=$recipes_root/.venv/bin:$PATH; fi
  if declare -F check_machine >/dev/null; then check_machine || exit 2; fi
  mkdir -p "${exp_dir:?}/stages" "${data_dir:?}" || fail "cannot make $exp_dir and $data_dir"
  exec 9>"$exp_dir/stages/lock.${node_rank:?}"
  flock -w 30 9 || fail "another run works in $exp_dir; wait for it or give another --exp_dir"
  # A child must not outlive a run that was killed: the next one would meet it.
  if setpriv --pdeathsig KILL true 2>/dev/null; then run_as=(setpriv --pdeathsig KILL); fi
  trap 'stage_interrupted=true' INT TERM
  export OMP_NUM_THREADS="${nproc:?}"
  # Threads slow a toy run down, above all on a busy machine.
  if [[ ${debug:?} == true ]]; then OMP_NUM_THREADS=1; fi
  export stage_command="${recipe_command:?}"
  for file in "$stage_dir"/[0-9][0-9]_*.sh; do
    number=$(stage_number "$file")
    if ((number < stage || number > stop_stage)); then continue; fi
    if ((node_rank > 0)) && ! is_shared "$file"; then continue; fi
    run_stage "$file"
  done
  if ((node_rank == 0 && number <= stop_stage)); then show_results; fi
}

run_stage() {
  local file=$1 code=0 began=$SECONDS status
  local -a options=()
  local name=${file##*/}
  echo "== stage $(stage_number "$file"): $(stage_header "$file" Purpose)" >&2
  [[ ${force:?} == true ]] && options=(--force)
  if ((node_rank == 0)); then
    status=$(python -m recipes.lib.stage_record check --stage "$file" "${options[@]}" 9>&-) || exit
  fi
  if ((nnodes > 1)) && is_shared "$file"; then
    status=$(python -m recipes.lib.barrier --name "${name%.sh}" --message "${status-}" --nnodes "$nnodes" \
      --node_rank "$node_rank" --endpoint "$rdzv_endpoint" 9>&-) || exit
  fi
  if [[ $status == "done" ]]; then
    echo "   done before and unchanged; --force runs it again" >&2
    return
  fi
  "${run_as[@]}" bash "$file" 9>&- || code=$?
  if [[ $stage_interrupted == true ]]; then
    echo "interrupted in ${name%.sh}; the same command goes on from here" >&2
    exit 130
  fi
  if ((code != 0)); then
    echo "error: stage ${name%.sh} ended with code $code; the same command goes on from here" >&2
    exit "$code"
  fi
  ((node_rank == 0)) || return 0
  python -m recipes.lib.stage_record write --stage "$file" --command "$stage_command" \
    --seconds $((SECONDS - began)) 9>&- || exit
}
