# shellcheck shell=bash
# Runs the numbered stages of a recipe: --stage N starts at N, --stop_stage M ends after M.
#
# A stage is a script NN_name.sh with four header lines (Purpose, Reads, Writes, Cost). They are the
# help text and, for what begins with $ or --, the inputs and outputs that decide whether a stage is
# done: recipes/lib/stage_record.py compares them with stages/NN_name/done.json in exp_dir (the corpus: data_dir).

recipes_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export recipes_root

# shellcheck source=recipes/lib/options.sh
source "$recipes_root/recipes/lib/options.sh"

stage_dir=$recipes_root/recipes/tts
# Which cuts the codec trains on: those of the TTS, unless the corpus has others for it.
export codec_cuts=${codec_cuts:-cuts}
# How the test set is spoken: reference (after another utterance of the speaker) or prefix (on from its own
# first seconds), as in the paper; with _ours behind it with retries, a shortest length and the equalizer.
# Results of the first setting bear no name, those of the others the setting's.
export test_settings=${test_settings:-reference_ours}
# What several nodes do together; the other stages are node 0's.
shared_stages=" 3 5 6 "
# One process on one machine, unless the recipe has the options for more.
export nproc_train=1 nnodes=1 node_rank=0 rdzv_endpoint=
stage_interrupted=false
run_as=()  # what every child is started with

add_shared_options() {
  add_option stage 0 "first stage to run"
  add_option stop_stage 9 "last stage to run"
  add_option ngpu "${1:-0}" "GPUs of this machine to train on; 0 is the CPU"
  add_option nproc "$(nproc)" "CPU threads, and processes where work is shared out"
  add_option nproc_train 1 "processes that train where --ngpu is 0 (they exchange gradients over gloo)"
  add_option nnodes "${SLURM_NNODES:-1}" "machines; the same command on each, or under srun one task a node"
  add_option node_rank "${SLURM_NODEID:-0}" "which of them this is, from 0"
  add_option rdzv_endpoint "" "host:port of node 0; under Slurm the job's first node"
  add_option exp_dir "" "folder for models and results (default exp/full; --debug: exp/debug)"
  add_option data_dir "" "folder for the corpus (default data/full; --debug: data/debug)"
  add_flag debug "the whole pipeline at toy size, in minutes on a CPU"
  add_flag force "run the chosen stages anew although done; trainings too (the old run is kept)"
  add_option tokenizer_config "" "YAML of the tokenizer (default in conf/)"
  add_option codec_base_config "" "YAML of a codec run whose weights the codec run starts from"
  add_option codec_config "" "YAML of the codec run (default in conf/)"
  add_option codec_mirrored_config "" "YAML of a run of the mirrored decoder on that codec's encoder"
  add_option tts_config "" "YAML of the TTS run (default in conf/)"
  add_option codec_args "" "settings of the codec run to change, as 'a.b=c d.e=f'"
  add_option tts_args "" "settings of the TTS run to change, as 'a.b=c d.e=f'"
  add_option max_test "100" "test utterances to copy, to speak and to score; 0 for all"
  add_option upload_to "" "repository of the Hugging Face hub, owner/name, that gets the packed model"
  add_option seed 0 "of the corpus and of the test's synthesis"
}

show_help() {
  local file
  printf '%s\n\nOptions (- and _ are the same; --name value or --name=value):\n' "${recipe_title:?}"
  show_options
  printf '\nStages (a second run skips what is done and unchanged):\n'
  for file in "$stage_dir"/[0-9][0-9]_*.sh; do
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

# Checks what was asked, fills in the folders and makes paths absolute.
settle_options() {
  local name size=full
  for name in stage stop_stage ngpu nproc nproc_train nnodes node_rank max_test seed; do
    check_number "$name"
  done
  settle_nodes
  [[ ${ngpu:?} == 0 || ${nproc_train:?} == 1 ]] || fail "--nproc_train is for the CPU; with --ngpu $ngpu each GPU has a process"
  [[ -z ${upload_to?} || $upload_to =~ ^[^/]+/[^/]+$ ]] || fail "--upload_to is '$upload_to'; expected owner/name"
  ((${stage:?} <= 9)) || fail "--stage is $stage; the stages are 0 to 9 (--help lists them)"
  ((stage <= ${stop_stage:?})) || fail "--stage $stage comes after --stop_stage $stop_stage"
  [[ ${debug:?} == true ]] && size=debug
  default_option exp_dir "${egs_dir:?}/exp/$size"
  default_option data_dir "$egs_dir/data/$size"
  for name in exp_dir data_dir tokenizer_config codec_base_config codec_config codec_mirrored_config tts_config \
    audio_dir manifest_dir import_dir libritts_dir librispeech_dir; do
    [[ -n ${!name-} ]] && printf -v "$name" '%s' "$(realpath -m -- "${!name}")"
  done
  for name in tokenizer_config codec_base_config codec_config codec_mirrored_config tts_config; do
    if [[ $name == codec_*_config && -z ${!name} ]]; then continue; fi  # a codec may do without them
    [[ -f ${!name} ]] || fail "--$name: no file ${!name}; conf/ holds the configurations"
  done
  export egs_dir
}

# Who node 0 is and which node this is.
settle_nodes() {
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
  python tools/check_environment.py --quiet || exit 2
  mkdir -p "${exp_dir:?}/stages" "${data_dir:?}" || fail "cannot make $exp_dir and $data_dir"
  exec 9>"$exp_dir/stages/lock.${node_rank:?}"
  flock -w 30 9 || fail "another run works in $exp_dir; wait for it or give another --exp_dir"
  # A child must not outlive a run that was killed: the next one would meet it.
  if setpriv --pdeathsig KILL true 2>/dev/null; then run_as=(setpriv --pdeathsig KILL); fi
  trap 'stage_interrupted=true' INT TERM
  export OMP_NUM_THREADS="${nproc:?}"
  # Threads cost a toy more than they give it, above all on a busy machine.
  if [[ ${debug:?} == true ]]; then OMP_NUM_THREADS=1; fi
  export stage_command="${recipe_command:?}" data_card="${data_card:?}"
  for file in "$stage_dir"/[0-9][0-9]_*.sh; do
    number=$(stage_number "$file")
    if ((number < stage || number > stop_stage)); then continue; fi
    if ((node_rank > 0)) && [[ $shared_stages != *" $number "* ]]; then continue; fi
    run_stage "$file"
  done
  if [[ $node_rank == 0 && $number -le $stop_stage && -f $exp_dir/RESULTS.md ]]; then show_results; fi
}

show_results() {
  cat "$exp_dir/RESULTS.md"
  printf '\nwav:             %s\ntable of scores: %s\nmodel directory: %s\n' \
    "$exp_dir/sample.wav" "$exp_dir/RESULTS.md" "$exp_dir/model"
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
  if ((nnodes > 1)) && [[ $shared_stages == *" $(stage_number "$file") "* ]]; then
    status=$(python -m recipes.lib.barrier --name "${name%.sh}" --word "${status-}" --nnodes "$nnodes" \
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
