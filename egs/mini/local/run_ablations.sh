#!/usr/bin/env bash
# Trains, checks and tabulates the codec ablations of conf/ablations: short runs of a small codec, each of
# which changes one thing of codec_base.yaml. A run takes minutes on one thread. Runs that are done are
# skipped; a run that was killed goes on.
#
#   bash egs/mini/local/run_ablations.sh --data_dir egs/mini/data/full
#   bash egs/mini/local/run_ablations.sh --only "base istft_decoder" --max_test 8
set -euo pipefail

egs_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
recipes_root=$(cd "$egs_dir/../.." && pwd)
# shellcheck source=recipes/lib/options.sh
source "$recipes_root/recipes/lib/options.sh"
command_line="bash egs/mini/local/run_ablations.sh $*"

# The runs that decide most come first.
ordered=(base seed_1 istft_decoder no_cepstrum sigma_025 sigma_075 fixed_050 dim_16 dim_64 rate_7.5 beta_001 beta_1
  mirrored_decoder waveform_encoder fixed_025 fixed_075)
all="${ordered[*]}"
metrics=mel-dac-class,pesq,stoi,visqol

show_help() {
  sed -n 's/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | sed '1d;/shellcheck/d;/What decides/,$d'
  printf '\nRuns: %s\n\nOptions (- and _ are the same; --name value or --name=value):\n' "$all"
  show_options
}

add_option only "" "runs to do, with spaces between them (default: all)"
add_option data_dir egs/mini/data/full "folder of the cuts that corpus/prepare_cuts.py wrote"
add_option train_cuts "" "cuts to train on (default: cuts_codec_train.jsonl.gz in --data_dir)"
add_option dev_cuts "" "cuts to validate on (default: cuts_codec_dev.jsonl.gz there)"
add_option test_cuts "" "NAME=PATH of cuts to check on, with spaces between (default: human and synthetic there)"
add_option max_test 16 "test utterances of each list; 0 for all"
add_option exp_dir egs/mini/exp/ablations "folder of the runs"
add_option results egs/mini/RESULTS.md "file to write the table into"
add_option seed 0 "of the sampled latents"
add_option nproc 1 "CPU threads"
parse_options "$@"
check_number max_test
check_number seed
check_number nproc
for name in ${only?}; do
  [[ -f $egs_dir/conf/ablations/codec_$name.yaml ]] || fail "--only: no run '$name'; the runs are: $all"
done
default_option train_cuts "${data_dir:?}/cuts_codec_train.jsonl.gz"
default_option dev_cuts "$data_dir/cuts_codec_dev.jsonl.gz"
default_option test_cuts \
  "human=$data_dir/cuts_codec_test_human.jsonl.gz synthetic=$data_dir/cuts_codec_test_synthetic.jsonl.gz"
read -r -a names <<<"${only:-$all}"
read -r -a groups <<<"${test_cuts:?}"
for file in "${train_cuts:?}" "${dev_cuts:?}" "${groups[@]#*=}"; do
  [[ -f $file ]] || fail "no file $file; corpus/prepare_cuts.py writes the cuts, --data_dir names their folder"
done
for name in exp_dir results train_cuts dev_cuts; do printf -v "$name" '%s' "$(realpath -m -- "${!name}")"; done
for i in "${!groups[@]}"; do groups[i]=${groups[i]%%=*}=$(realpath -- "${groups[i]#*=}"); done
cd "$recipes_root"
export OMP_NUM_THREADS=${nproc:?}
# shellcheck source=recipes/lib/child.sh
source recipes/lib/child.sh

mkdir -p "${exp_dir:?}"
exec 9>"$exp_dir/lock"
flock -n 9 || fail "other ablations run in $exp_dir; wait for them or give another --exp_dir"

# check NAME means|sampled [--sampled SEED]
check() {
  local folder=$exp_dir/$1 kind=$2 group
  shift 2
  local -a cuts=()
  for group in "${groups[@]}"; do cuts+=(--cuts "$group"); done
  run python -m recipes.codec.check --codec "$folder/model" "${cuts[@]}" --out "$folder/$kind" \
    --max_items "${max_test:?}" --metrics "$metrics" "$@" >"$folder/$kind.log"
}

tabulate() {
  run python -m recipes.codec.ablations table --exp_dir "$exp_dir" --names "${ordered[@]}" \
    --results "${results:?}" --command "$command_line"
}

for name in "${names[@]}"; do
  config=$egs_dir/conf/ablations/codec_$name.yaml
  folder=$exp_dir/$name
  status=$(python -m recipes.codec.ablations is_done --config "$config" --folder "$folder")
  echo "== $name: $status"
  if [[ $status == "done" ]]; then continue; fi
  train latentspeech codec "$config" "$folder/run" "" "data.train_cuts=\"$train_cuts\"" "data.valid_cuts=\"$dev_cuts\""
  run python -m recipes.codec.export --exp_dir "$folder/run" --out "$folder/model"
  check "$name" means
  check "$name" sampled --sampled "${seed:?}"
  run python -m recipes.codec.ablations record --config "$config" --folder "$folder"
  tabulate
done
tabulate
