#!/usr/bin/env bash
# The paper's claim behind the sigma-VAE (4.3, Figure 5), for speech: the same small language model on codecs that
# differ in their noise alone. conf/noise holds the codecs, with std(mu) held at 1.5 while E|sigma| is 0.001, 0.25, 0.5
# and 0.75. A language model reads normalised latents, so what counts is the ratio std(mu) / E|sigma|: at an equal
# ratio two sigmas are one codec in two scales, which the run 075_equal_ratio is there to show.
#
# Half an hour a codec and as much for its language model, on a core; a run that was stopped goes on.
#
#   bash egs/mini/local/run_noise.sh --data_dir egs/mini/data/full
set -euo pipefail

egs_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
recipes_root=$(cd "$egs_dir/../.." && pwd)
# shellcheck source=recipes/lib/options.sh
source "$recipes_root/recipes/lib/options.sh"
command_line="bash egs/mini/local/run_noise.sh $*"
all="000 025 050 075 075_equal_ratio"

show_help() {
  sed -n 's/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | sed '1d;/shellcheck/d'
  printf '\nOptions (- and _ are the same; --name value or --name=value):\n'
  show_options
}

add_option runs "$all" "codecs of conf/noise to make, with spaces between"
add_option data_dir egs/mini/data/full "folder of the cuts, with times of phonemes"
add_option max_train 3000 "cuts that the language model trains on, the first ones"
add_option max_test 60 "test sentences"
add_option codec_steps 1500 "steps of each codec"
add_option tts_steps 1000 "steps of each language model"
add_option exp_dir egs/mini/exp/noise "folder of the runs"
add_option results egs/mini/exp/noise/RESULTS.md "file to write the table into"
add_option device auto "where networks score: cpu, cuda, cuda:N; auto takes a GPU if there is one"
add_option nproc 1 "CPU threads"
parse_options "$@"
for name in max_train max_test codec_steps tts_steps nproc; do check_number "$name"; done
read -r -a chosen <<<"${runs:?}"
for name in "${chosen[@]}"; do
  [[ -f $egs_dir/conf/noise/codec_$name.yaml ]] || fail "--runs: no codec '$name'; the codecs are: $all"
done
for name in cuts_train cuts_dev cuts_test cuts_codec_train cuts_codec_dev; do
  file=${data_dir:?}/$name.jsonl.gz
  [[ -f $file ]] || fail "no file $file; stage 1 of run.sh writes the cuts, --data_dir names their folder"
done
for name in data_dir exp_dir results; do printf -v "$name" '%s' "$(realpath -m -- "${!name}")"; done
cd "$recipes_root"
if [[ -z ${VIRTUAL_ENV-} && -x .venv/bin/python ]]; then PATH=$recipes_root/.venv/bin:$PATH; fi
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
run python -m recipes.tts.train_tokenizer --config "$egs_dir/conf/tokenizer_misaki.yaml" \
  --cuts "$exp_dir/data/cuts_train.jsonl.gz" --out "$tokenizer"

# go_on KIND CONFIG FOLDER STEPS A.B=C...
go_on() {
  local kind=$1 config=$2 folder=$3 steps=$4 setting
  local -a arguments=()
  shift 4
  for setting in "exp_dir=\"$folder\"" "train.max_steps=$steps" "optimizer.total_steps=$steps" \
    "train.num_threads=$nproc" "$@"; do
    arguments+=(--set "$setting")
  done
  run python -m latentspeech.cli.main train "$kind" --config "$config" --quiet "${arguments[@]}"
}

for name in "${chosen[@]}"; do
  folder=$exp_dir/$name
  codec=$folder/codec_model
  echo "== $name"
  go_on codec "$egs_dir/conf/noise/codec_$name.yaml" "$folder/codec" "${codec_steps:?}" \
    "data.train_cuts=\"$data_dir/cuts_codec_train.jsonl.gz\"" "data.valid_cuts=\"$data_dir/cuts_codec_dev.jsonl.gz\""
  run python -m recipes.codec.export --exp_dir "$folder/codec" --out "$codec"
  for action in prepare extract finish; do
    run python -m recipes.tts.extract_latents "$action" --codec "$codec" --data_dir "$exp_dir/data" --out "$folder/latents"
  done
  go_on tts "$egs_dir/conf/ablations/tts_rate.yaml" "$folder/tts" "${tts_steps:?}" "codec_dir=\"$codec\"" \
    "tokenizer_dir=\"$tokenizer\"" "latents_dir=\"$folder/latents/train\"" "valid_latents_dir=\"$folder/latents/dev\""
  run python -m recipes.tts.pack_model --exp_dir "$folder/tts" --out "$folder/model"
  run python -m recipes.codec.check --codec "$codec" --cuts "$data_dir/cuts_test.jsonl.gz" --out "$folder/codec_check" \
    --max_items "${max_test:?}" --metrics mel-dac-class,stoi --device "${device:?}" >"$folder/codec_check.log"
  run python -m recipes.tts.test_set.synthesize_test --model "$folder/model" --cuts "$data_dir/cuts_test.jsonl.gz" \
    --train_cuts "$exp_dir/data/cuts_train.jsonl.gz" --out "$folder/synthesis" --max_items "$max_test" --no_prompt_text
  run python -m recipes.tts.test_set.score_test --synthesis "$folder/synthesis" --codec_check "$folder/codec_check" \
    --out "$folder/scores" --device "$device" >"$folder/scores.log"
done
run python -m recipes.codec.noise_table --exp_dir "$exp_dir" --names "${chosen[@]}" --results "${results:?}" \
  --command "$command_line"
