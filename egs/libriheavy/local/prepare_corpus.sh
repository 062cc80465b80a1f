#!/usr/bin/env bash
# Turns Libriheavy's manifests into cuts that point to the audio on this machine; nothing is copied.
# With --codec_mix it also makes cuts of other corpora, for the codec alone.
set -euo pipefail

arguments=(--audio_dir "${audio_dir?}" --manifest_dir "${manifest_dir?}" --subset "${subset:?}")
if [[ ${debug:?} == true ]]; then arguments+=(--max_cuts 200); fi
if [[ ${check_audio:?} == true ]]; then arguments+=(--check_audio); fi

cd "${recipes_root:?}"
python -m egs.libriheavy.local.make_cuts "${arguments[@]}" --out "${data_dir:?}"
if [[ -n ${codec_mix?} ]]; then
  python -m egs.libriheavy.local.make_codec_mix --mix "$codec_mix" --valid_cuts "$data_dir/cuts_dev.jsonl.gz" --out "$data_dir"
fi
