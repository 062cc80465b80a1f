#!/usr/bin/env bash
# Purpose: score what was spoken (WER by offline Whisper, SIM-o, SIM-r, DNSMOS, RTF) beside the recordings
# Reads:   $exp_dir/synthesis/items.jsonl, $exp_dir/synthesis/made_with.json, $exp_dir/codec_check/scores.json, $data_dir/cuts_test.jsonl.gz, --test_settings, --tts_metrics, --device
# Writes:  $exp_dir/scores/scores.json, $exp_dir/scores/scores.md
# Cost:    about 2 s an utterance on a CPU

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

options=(--device "${device:-auto}")
if [[ -n ${tts_metrics:-} ]]; then options+=(--metrics "$tts_metrics"); fi
if [[ -z ${librispeech_dir:-} ]]; then options+=(--cuts "${data_dir:?}/cuts_test.jsonl.gz"); fi
for setting in ${test_settings:?}; do
  ending=
  if [[ $setting != "${test_settings%% *}" ]]; then ending=_$setting; fi
  run python -m recipes.tts.08_score_test --synthesis "${exp_dir:?}/synthesis$ending" \
    --codec_check "$exp_dir/codec_check" --out "$exp_dir/scores$ending" "${options[@]}"
done
