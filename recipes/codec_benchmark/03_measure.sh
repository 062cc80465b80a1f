#!/usr/bin/env bash
# Purpose: count each codec's parameters and time it on one thread and on two
# Reads:   the codecs named by --codecs and --ours; --speed_seconds and --repeats
# Writes:  $exp_dir/facts
# Cost:    5 min for all; goes on where it stopped

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

# Waiting threads must not spin: they would take time from each other if another program runs too.
export OMP_WAIT_POLICY=PASSIVE
options=()
if [[ ${force:?} == true ]]; then options=(--force); fi
run python -m recipes.codec_benchmark.benchmark measure --codecs "${codecs:?}" --ours "${ours?}" \
  --seconds "${speed_seconds:?}" --repeats "${repeats:?}" --out "${exp_dir:?}/facts" "${options[@]}"
