#!/usr/bin/env bash
# Purpose: pack the model directory with its scores and speak one sentence with it
# Reads:   $exp_dir/tts/checkpoints, $exp_dir/scores.md, $data_dir/corpus/report.json, --weights
# Writes:  $exp_dir/model, $exp_dir/sample.wav
# Cost:    10 s

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

pack=(python -m recipes.tts.09_pack_model --exp_dir "${exp_dir:?}/tts" --out "$exp_dir/model" --weights "${weights:?}"
  --data "Fine-tuned from ${model:?} on ${data:?}, whose speakers and owner decide what it may be used for."
  --scores "$exp_dir")
if [[ ! -d $model/codec ]]; then pack+=(--no_codec); fi
run "${pack[@]}"

mapfile -t prompts < <(find "$exp_dir/after/prompt" -name "*.wav" | sort)
run python -m latentspeech.cli.main synth --quiet --model "$exp_dir/model" --prompt "${prompts[0]}" \
  --text "A recording and a sentence in, speech out." --seed "${seed:?}" --out "$exp_dir/sample.wav"
