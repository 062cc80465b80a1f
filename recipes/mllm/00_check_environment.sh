#!/usr/bin/env bash
# Purpose: check Python, packages, programs, disk space and GPUs
# Reads:   this machine
# Writes:  nothing
# Cost:    5 s

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

run python tools/check_environment.py --ngpu "${ngpu:?}" --folder "${exp_dir:?}" --folder "${data_dir:?}"
