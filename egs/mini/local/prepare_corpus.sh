#!/usr/bin/env bash
# Makes the mini corpus, or copies the one in --import_dir, and writes its cuts. Goes on where it stopped.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
arguments=(--out "${data_dir:?}/corpus" --hours "${hours:?}" --jobs "${nproc:?}" --seed "${seed:?}")
if [[ -n ${sources?} ]]; then arguments+=(--sources "$sources"); fi
if [[ ${debug:?} == true ]]; then arguments+=(--debug); fi
if [[ -n ${hours_of:-} ]]; then arguments+=(--hours_of "$hours_of"); fi
if [[ -n ${import_dir?} ]]; then arguments+=(--import_dir "$import_dir"); fi

cut_arguments=()
if [[ -n ${codec_shares:-} ]]; then cut_arguments+=(--codec_shares "$codec_shares"); fi
if [[ ${all_licences:-false} == true ]]; then cut_arguments+=(--all_licences); fi

if [[ ${debug:?} == true ]]; then sources=${sources:-flite}; fi
# If a source cannot be installed, this names it; so does the next command, which goes on with the others.
cd "${recipes_root:?}"
bash "$here/install_sources.sh" ${sources:+"$sources"} || true
python -m egs.mini.local.corpus.make "${arguments[@]}"
python -m egs.mini.local.corpus.prepare_cuts --corpus "$data_dir/corpus" --out "$data_dir" "${cut_arguments[@]}"
