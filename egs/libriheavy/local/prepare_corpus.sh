#!/usr/bin/env bash
# Libriheavy's manifests become cuts that point to the audio on this machine; nothing is copied.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
arguments=(--audio_dir "${audio_dir?}" --manifest_dir "${manifest_dir?}" --subset "${subset:?}")
if [[ ${debug:?} == true ]]; then arguments+=(--max_cuts 200); fi

PYTHONPATH=${recipes_root:?} python "$here/make_cuts.py" "${arguments[@]}" --out "${data_dir:?}"
