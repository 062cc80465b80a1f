#!/usr/bin/env bash
# Purpose: speak the test set, each text after another recording of its speaker
# Reads:   $exp_dir/tts/checkpoints, $data_dir/cuts_test.jsonl.gz, --max_test, --seed
# Writes:  $exp_dir/tts_model, $exp_dir/synthesis/items.jsonl
# Cost:    mini: 1 to 3 s an utterance on a CPU

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

device=cpu
if ((${ngpu:?} > 0)); then device=cuda; fi
run python -m recipes.pack_model --exp_dir "${exp_dir:?}/tts" --out "$exp_dir/tts_model"
run python -m recipes.synthesize_test --model "$exp_dir/tts_model" \
  --cuts "${data_dir:?}/cuts_test.jsonl.gz" --out "$exp_dir/synthesis" \
  --max_items "${max_test:?}" --seed "${seed:?}" --device "$device"
