#!/usr/bin/env bash
# Makes a voice like the one that ships, on an existing codec: listens to the corpus, compares its voices,
# chooses cuts, finds the times of their phonemes, trains, packs and scores. A second run skips what is done;
# a run that was stopped goes on.
#
#   bash egs/mini/local/run_voice.sh --corpus egs/mini/data/corpus --exp_dir egs/mini/exp/voice
set -euo pipefail

egs_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
recipes_root=$(cd "$egs_dir/../.." && pwd)
# shellcheck source=recipes/lib/options.sh
source "$recipes_root/recipes/lib/options.sh"

show_help() {
  sed -n 's/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | sed '1d;/shellcheck/d'
  printf '\nOptions (- and _ are the same; --name value or --name=value):\n'
  show_options
}

add_option corpus egs/mini/data/full/corpus "folder that local/corpus/make.py wrote"
add_option heard "kokoro" "sources that Whisper listens to, with commas; a second for three utterances"
add_option max_wer 0.3 "words of an utterance that Whisper may have heard wrong, as a share"
add_option max_likeness 0.8 "likeness of a copied voice to its original, a cosine"
add_option codec latentspeech/models/codec "model directory of the codec"
add_option start_from "" "model directory of a voice to go on from, with its tokenizer"
add_option tokenizer_config "$egs_dir/conf/tokenizer_misaki.yaml" "YAML of the tokenizer, without --start_from"
add_option tts_config "$egs_dir/conf/tts_aligned.yaml" "YAML of the run"
add_option tts_args "" "its settings to change, as 'a.b=c d.e=f'"
add_option tts_metrics "" "of the scores (default: those of the voice's card)"
add_option exp_dir egs/mini/exp/voice "folder of cuts, latents, run, model and scores"
add_option max_test 150 "test sentences to speak and score"
add_option nproc "$(nproc)" "CPU threads, and processes that encode"
add_option nproc_train 1 "processes that train, of nproc threads in all"
parse_options "$@"
for name in max_test nproc nproc_train; do check_number "$name"; done
((${nproc_train:?} > 0 && nproc_train <= ${nproc:?})) || fail "--nproc_train is $nproc_train; expected 1 to $nproc"
[[ -f ${corpus:?}/manifest.jsonl ]] || fail "no corpus in $corpus; python -m egs.mini.local.corpus.make makes one"
for name in codec start_from; do
  [[ -z ${!name} || -f ${!name}/config.yaml ]] || fail "no model in ${!name}; --$name names a model directory"
done
for name in tokenizer_config tts_config; do [[ -f ${!name} ]] || fail "--$name: no file ${!name}"; done
for name in corpus codec start_from tokenizer_config tts_config exp_dir; do
  [[ -z ${!name} ]] || printf -v "$name" '%s' "$(realpath -m -- "${!name}")"
done
cd "$recipes_root"
# shellcheck source=recipes/lib/child.sh
source recipes/lib/child.sh
# shellcheck source=recipes/tts/encode_latents.sh
source recipes/tts/encode_latents.sh

mkdir -p "${exp_dir:?}"
exec 9>"$exp_dir/lock"
flock -n 9 || fail "another run works in $exp_dir; wait for it or give another --exp_dir"
export OMP_NUM_THREADS=$nproc
data=$exp_dir/data
latents=$exp_dir/latents
choice="$corpus ${heard:?} ${max_wer:?} ${max_likeness:?}"
if [[ ! $data/choice -nt $corpus/manifest.jsonl || $(<"$data/choice") != "$choice" ]]; then
  run python -m egs.mini.local.choose.listen --corpus "$corpus" --sources "$heard"
  run python -m egs.mini.local.choose.compare_voices --corpus "$corpus"
  run python -m egs.mini.local.corpus.prepare_cuts --corpus "$corpus" --out "$data" --min_train_rate_hz 11025 --align \
    --max_wer "$max_wer" --max_likeness "$max_likeness"
  echo "$choice" >"$data/choice"
fi
tokenizer=$exp_dir/tokenizer
settings=()
if [[ -n $start_from ]]; then
  tokenizer=$start_from/tokenizer
  settings=("start_from=\"$start_from\"")
else
  run python -m recipes.tts.02_train_tokenizer --config "${tokenizer_config:?}" --cuts "$data/cuts_train.jsonl.gz" \
    --out "$tokenizer"
fi

encode_latents "${codec:?}" "$data" "$latents"
OMP_NUM_THREADS=$((nproc / nproc_train)) train latentspeech tts "${tts_config:?}" "$exp_dir/tts" "${tts_args?}" \
  "codec_dir=\"$codec\"" "tokenizer_dir=\"$tokenizer\"" "latents_dir=\"$latents/train\"" \
  "valid_latents_dir=\"$latents/dev\"" "${settings[@]}"
run python -m recipes.tts.09_pack_model --exp_dir "$exp_dir/tts" --out "$exp_dir/model" --no_codec
tested=(--cuts "$data/cuts_test.jsonl.gz")
run python -m recipes.tts.07_synthesize_test --model "$exp_dir/model" "${tested[@]}" --train_cuts "$data/cuts_train.jsonl.gz" \
  --out "$exp_dir/synthesis" --max_items "${max_test:?}" --no_prompt_text
run python -m recipes.tts.08_score_test --synthesis "$exp_dir/synthesis" "${tested[@]}" --out "$exp_dir/scores"
run python -m recipes.tts.09_pack_model --exp_dir "$exp_dir/tts" --out "$exp_dir/model" --no_codec --scores "$exp_dir/scores"
cat "$exp_dir/scores/scores.md"
