#!/usr/bin/env bash
# Purpose: score both, and the recordings (WER by offline Whisper, SIM to the prompt, DNSMOS)
# Reads:   $exp_dir/tts/config.yaml, $exp_dir/before/items.jsonl, $exp_dir/after/items.jsonl, --metrics
# Writes:  $exp_dir/scores.json, $exp_dir/scores.md, $exp_dir/RESULTS.md
# Cost:    5 s a sentence

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

run python -m recipes.fine_tune.05_score --exp_dir "${exp_dir:?}" \
  --metrics "${metrics:?}" --command "${stage_command:?}"
