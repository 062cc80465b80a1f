#!/usr/bin/env bash
# Runs all benchmarks on this machine, writes benchmarks/results/*.json and benchmarks/RESULTS.md.
#   bash benchmarks/run.sh [threads]     needs: pip install encodec transformers
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
threads=${1:-1}
export OMP_NUM_THREADS=$threads
results=benchmarks/results
mkdir --parents "$results"

measure() {
  local name=$1
  shift
  python -m "$@" --threads "$threads" >"$results/$name.json.new"
  mv "$results/$name.json.new" "$results/$name.json"
}

measure codec_speed benchmarks.codec_speed --seconds 4
measure tts_step_paper benchmarks.tts_step
measure tts_step_mini benchmarks.tts_step --model "${LATENTSPEECH_MODEL:?a model directory, say egs/mini/exp/full/model}"
python -m benchmarks.report
