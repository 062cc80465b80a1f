#!/usr/bin/env bash
# Runs all benchmarks on this machine, writes benchmarks/results/*.json and benchmarks/RESULTS.md.
#   bash benchmarks/run.sh [threads]     needs: pip install encodec transformers
# LATENTSPEECH_MODEL names a model (default: the one that ships), LATENTSPEECH_VOICE a voice for it.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
threads=${1:-1}
export OMP_NUM_THREADS=$threads
model=${LATENTSPEECH_MODEL:-latentspeech/models/tts}
voice=${LATENTSPEECH_VOICE:-heart}
results=benchmarks/results
mkdir --parents "$results"

measure() {
  local name=$1 module=$2
  shift 2
  python -m "$module" --threads "$threads" "$@" >"$results/$name.json.new"
  mv "$results/$name.json.new" "$results/$name.json"
}

# Its goals are for two cores, so it ignores the number of threads given. It runs first, since model
# and voice may not fit together.
# TTS_PEERS may hold its options --pocket and --fixed, which name other systems.
# shellcheck disable=SC2086  # some words or none
measure tts_speed benchmarks.tts_speed --threads 2 --model "$model" --voice "$voice" ${TTS_PEERS:-}
# TTS_FIXED may hold the option --fixed, which names voices to compare with by ear.
recordings=$(mktemp --directory)
# shellcheck disable=SC2086  # some words or none
python -m benchmarks.tts_quality --out "$recordings" ${TTS_FIXED:-} >"$results/tts_quality.json.new"
mv "$results/tts_quality.json.new" "$results/tts_quality.json"
rm -r "$recordings"
measure codec_speed benchmarks.codec_speed --seconds 4
measure tts_step_paper benchmarks.tts_step
measure tts_step_mini benchmarks.tts_step --model "$model"
measure data_loading benchmarks.data_loading --utterances 64000 --seconds 15
# SESSION_AGAINST may name the root of a checkout of another commit to compare with.
against=${SESSION_AGAINST:+--against $SESSION_AGAINST}
# shellcheck disable=SC2086  # two words or none
measure session benchmarks.session $against
measure server benchmarks.server  # server_soak (30 min) and server_peers are run on their own
measure image_throughput benchmarks.image_throughput --batch-sizes 8 24 --repeats 2 --packed-only
python -m benchmarks.report
