#!/usr/bin/env bash
# Purpose: speak the test set: each text after another recording of its speaker or, if the recipe asks for it, continued from its own first 3 s; both as in the paper, with retries, shortest length and equalizer, or in both ways
# Reads:   $exp_dir/tts/checkpoints, $data_dir/cuts_test.jsonl.gz, --max_test, --seed, --librispeech_dir, --test_settings, --sampling_args
# Writes:  $exp_dir/tts_model, $exp_dir/synthesis/items.jsonl
# Cost:    mini: 1 to 3 s an utterance and setting on a CPU

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

device=cpu
if ((${ngpu:?} > 0)); then device=cuda; fi
run python -m recipes.tts.09_pack_model --exp_dir "${exp_dir:?}/tts" --out "$exp_dir/tts_model"
options=(--max_items "${max_test:?}" --seed "${seed:?}" --device "$device")
if [[ -n ${librispeech_dir:-} ]]; then
  options+=(--librispeech_dir "$librispeech_dir")
elif [[ -n ${librispeech_dir+x} ]]; then
  echo "   no --librispeech_dir: held-out cuts are spoken, not the paper's LibriSpeech test-clean" >&2
fi
read -r -a sampling <<<"${sampling_args:-}"
for setting in ${test_settings:?}; do
  folder=$exp_dir/synthesis
  if [[ $setting != "${test_settings%% *}" ]]; then folder+=_$setting; fi
  paper=()
  if [[ $setting != *_ours ]]; then paper=(--retries 0 --no_min_length --no_equalizer); fi
  run python -m recipes.tts.07_synthesize_test --model "$exp_dir/tts_model" --setting "${setting%_ours}" \
    --cuts "${data_dir:?}/cuts_test.jsonl.gz" --out "$folder" "${options[@]}" "${paper[@]}" "${sampling[@]}"
done
