#!/usr/bin/env bash
# Purpose: check Python, packages, programs, disk space, GPUs and, where it is not made here, the corpus
# Reads:   this machine
# Writes:  nothing
# Cost:    5 s

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

run python tools/check_environment.py --ngpu "${ngpu:?}" --folder "${exp_dir:?}" \
  --folder "${data_dir:?}"
if [[ -f ${egs_dir:?}/local/check_corpus.sh ]]; then run bash "$egs_dir/local/check_corpus.sh"; fi
