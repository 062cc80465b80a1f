#!/usr/bin/env bash
# Every check that needs no test run, in .venv if there is one.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ -d .venv/bin ]]; then PATH=$PWD/.venv/bin:$PATH; fi

ruff check
ruff format --check
mypy
lint-imports
mapfile -t scripts < <(git ls-files --cached --others --exclude-standard -- '*.sh' .ci/run)
shellcheck --external-sources "${scripts[@]}"
python tools/check_file_length.py
