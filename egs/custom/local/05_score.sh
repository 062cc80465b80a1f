#!/usr/bin/env bash
# Purpose: score both, and the recordings (WER by offline Whisper, SIM to the prompt, DNSMOS)
# Reads:   $exp_dir/tts/config.yaml, $exp_dir/before/items.jsonl, $exp_dir/after/items.jsonl
# Writes:  $exp_dir/before/scores/scores.json, $exp_dir/after/scores/scores.json, $exp_dir/scores.md, $exp_dir/RESULTS.md
# Cost:    5 s a sentence

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

for part in before after; do
  run python -m recipes.score_test --synthesis "${exp_dir:?}/$part" --out "$exp_dir/$part/scores"
done
PYTHONPATH=$recipes_root run python "${egs_dir:?}/local/compare_scores.py" --before "$exp_dir/before/scores" \
  --after "$exp_dir/after/scores" --exp_dir "$exp_dir/tts" --command "${stage_command:?}" --out "$exp_dir"
