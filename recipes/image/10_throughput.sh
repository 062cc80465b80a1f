#!/usr/bin/env bash
# Purpose: time LatentLM and DiT of the sizes --throughput with random weights in one run (Figure 4); none by default
# Reads:   --throughput, --throughput_batches, --ngpu
# Writes:  $exp_dir/throughput.json
# Cost:    minutes a size and batch on a CPU; one GPU: minutes

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

out=${exp_dir:?}/throughput.json
if [[ -z ${throughput?} ]]; then
  echo "[]" >"$out"
  exit 0
fi
read -r -a sizes <<<"$throughput"
read -r -a batches <<<"${throughput_batches:?}"
options=(--sizes "${sizes[@]}" --batch-sizes "${batches[@]}")
if ((${ngpu:?} > 0)); then options+=(--device cuda); else options+=(--threads "${nproc:?}"); fi
run python -m benchmarks.image_throughput "${options[@]}" >"$out.part"
mv "$out.part" "$out"
