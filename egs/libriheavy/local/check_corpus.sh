#!/usr/bin/env bash
# Checks that the subset's manifests and audio are there, and room for what the stages write.
set -euo pipefail

arguments=(--audio_dir "${audio_dir?}" --manifest_dir "${manifest_dir?}" --subset "${subset:?}"
  --reduction "${reduction:?}" --exp_dir "${exp_dir:?}" --data_dir "${data_dir:?}")
if [[ ${debug:?} == true ]]; then arguments+=(--debug); fi
cd "${recipes_root:?}"
python -m egs.libriheavy.local.check_corpus "${arguments[@]}"
