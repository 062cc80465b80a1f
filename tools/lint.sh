#!/usr/bin/env bash
# Runs every check except the tests, with the programs of .venv if there is one.
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
