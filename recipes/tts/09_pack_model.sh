#!/usr/bin/env bash
# Purpose: pack the model directory with its scores, write RESULTS.md, speak one sentence with it and, if asked, upload it
# Reads:   $exp_dir/tts/checkpoints, $exp_dir/codec_check/scores.json, $exp_dir/scores/scores.json, $exp_dir/synthesis/items.jsonl, --upload_to
# Writes:  $exp_dir/model, $exp_dir/RESULTS.md, $exp_dir/sample.wav
# Cost:    10 s, and the upload

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

scores=()
for setting in ${test_settings:?}; do
  ending=
  if [[ $setting != "${test_settings%% *}" ]]; then ending=_$setting; fi
  scores+=("$setting=${exp_dir:?}/scores$ending")
done
run python -m recipes.tts.09_pack_model --exp_dir "${exp_dir:?}/tts" --out "$exp_dir/model" \
  --data "${data_card:?}" --codec_check "$exp_dir/codec_check" --scores "${scores[@]}" \
  --results "$exp_dir/RESULTS.md" --command "${stage_command:?}" \
  --curves "$exp_dir/codec_curves.png" "$exp_dir/tts_curves.png"

mapfile -t prompts < <(find "$exp_dir/synthesis/prompt" -name "*.wav" | sort)
text="A recording and a sentence in, speech out."
run python -m latentspeech.cli.main synth --quiet --model "$exp_dir/model" \
  --prompt "${prompts[0]}" --text "$text" --seed "${seed:?}" --out "$exp_dir/sample.wav"
if [[ -n ${upload_to?} ]]; then
  run python -m recipes.lib.upload_model --model "$exp_dir/model" --to "$upload_to" \
    --results "$exp_dir/RESULTS.md" --sample "$exp_dir/sample.wav"
fi
