#!/usr/bin/env bash
# Libriheavy's manifests become cuts that point to the audio on this machine; nothing is copied.
# With --codec_mix the codec gets cuts of its own, made of other corpora.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
arguments=(--audio_dir "${audio_dir?}" --manifest_dir "${manifest_dir?}" --subset "${subset:?}")
if [[ ${debug:?} == true ]]; then arguments+=(--max_cuts 200); fi
if [[ ${check_audio:?} == true ]]; then arguments+=(--check_audio); fi

export PYTHONPATH=${recipes_root:?}
python "$here/make_cuts.py" "${arguments[@]}" --out "${data_dir:?}"
if [[ -n ${codec_mix?} ]]; then
  python "$here/make_codec_mix.py" --mix "$codec_mix" --valid_cuts "$data_dir/cuts_dev.jsonl.gz" --out "$data_dir"
fi
