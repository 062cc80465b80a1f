#!/usr/bin/env bash
# Text-to-speech at 15 and at 7.5 latents a second, and at 15 in the paper's layout: the same model, cuts,
# seconds of speech a step and number of steps, on one codec whose frames become latents one by one and by
# twos (recipes.codec.group). Half an hour each on a core; a run that was stopped goes on.
#
#   bash egs/mini/local/run_rates.sh --data_dir egs/mini/data/full
set -euo pipefail

egs_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
recipes_root=$(cd "$egs_dir/../.." && pwd)
# shellcheck source=recipes/lib/options.sh
source "$recipes_root/recipes/lib/options.sh"
command_line="bash egs/mini/local/run_rates.sh $*"

show_help() {
  sed -n 's/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | sed '1d;/shellcheck/d'
  printf '\nOptions (- and _ are the same; --name value or --name=value):\n'
  show_options
}

add_option runs "1 2 1:sentence" "for each run the frames of the codec that make a latent, and behind a colon the layout if it is not aligned"
add_option data_dir egs/mini/data/full "folder of the cuts that corpus/prepare_cuts.py wrote with times of phonemes"
add_option max_train 3000 "cuts to train on, the first ones"
add_option max_test 60 "test sentences"
add_option max_latents 1200 "latents of a batch where a frame is a latent, fewer where it is not"
add_option codec latentspeech/models/codec "model directory of the codec"
add_option exp_dir egs/mini/exp/rates "folder of the runs"
add_option config "$egs_dir/conf/ablations/tts_rate.yaml" "YAML of the runs"
add_option results egs/mini/RESULTS.md "file to write the table into"
add_option nproc 2 "CPU threads"
parse_options "$@"
check_number max_train
check_number max_test
check_number max_latents
check_number nproc
read -r -a chosen <<<"${runs:?}"
[[ -f ${codec:?}/config.yaml ]] || fail "no codec $codec; --codec names a model directory"
for name in train dev test; do
  file=${data_dir:?}/cuts_$name.jsonl.gz
  [[ -f $file ]] || fail "no file $file; corpus/prepare_cuts.py writes the cuts, --data_dir names their folder"
done
for name in data_dir codec exp_dir config results; do printf -v "$name" '%s' "$(realpath -m -- "${!name}")"; done
cd "$recipes_root"
export OMP_NUM_THREADS=${nproc:?}
# shellcheck source=recipes/lib/child.sh
source recipes/lib/child.sh

mkdir -p "${exp_dir:?}/data"
exec 9>"$exp_dir/lock"
flock -n 9 || fail "other runs are going on in $exp_dir; wait for them or give another --exp_dir"
(zcat "$data_dir/cuts_train.jsonl.gz" || true) | # head ends before zcat does
  head -n "${max_train:?}" | gzip -n >"$exp_dir/data/cuts_train.jsonl.gz"
cp "$data_dir/cuts_dev.jsonl.gz" "$exp_dir/data"
tokenizer=$exp_dir/tokenizer
run python -m recipes.tts.02_train_tokenizer --config "$egs_dir/conf/tokenizer_misaki.yaml" \
  --cuts "$exp_dir/data/cuts_train.jsonl.gz" --out "$tokenizer"

names=()
for choice in "${chosen[@]}"; do
  group=${choice%%:*}
  name=frames_${choice/:/_}
  names+=("$name")
  folder=$exp_dir/$name
  layout=()
  if [[ $choice == *:* ]]; then layout=("model.layout=\"${choice#*:}\"" "model.neighbours=[0, 0]"); fi
  grouped=$folder/codec
  run python -m recipes.codec.group --codec "$codec" --frames "$group" --out "$grouped"
  for action in prepare extract finish; do
    run python -m recipes.tts.05_extract_latents "$action" --codec "$grouped" --data_dir "$exp_dir/data" --out "$folder/latents"
  done
  train latentspeech tts "${config:?}" "$folder/tts" "" "codec_dir=\"$grouped\"" "tokenizer_dir=\"$tokenizer\"" \
    "latents_dir=\"$folder/latents/train\"" "valid_latents_dir=\"$folder/latents/dev\"" \
    "data.max_total_latents=$((${max_latents:?} / group))" "${layout[@]}"
  run python -m recipes.tts.09_pack_model --exp_dir "$folder/tts" --out "$folder/model"
  run python -m recipes.codec.check --codec "$grouped" --cuts "$data_dir/cuts_test.jsonl.gz" \
    --out "$folder/codec_check" --max_items "${max_test:?}" --metrics mel-dac-class
  run python -m recipes.tts.07_synthesize_test --model "$folder/model" --cuts "$data_dir/cuts_test.jsonl.gz" \
    --train_cuts "$exp_dir/data/cuts_train.jsonl.gz" --out "$folder/synthesis" --max_items "$max_test" --no_prompt_text
  run python -m recipes.tts.08_score_test --synthesis "$folder/synthesis" --codec_check "$folder/codec_check" \
    --out "$folder/scores"
done
run python -m egs.mini.local.rate_table --exp_dir "$exp_dir" --names "${names[@]}" --results "${results:?}" \
  --command "$command_line"
