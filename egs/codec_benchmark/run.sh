#!/usr/bin/env bash
# Speech codecs on the same recordings: quality, size and speed, in the columns of the paper's Table 5.
#
#   bash egs/codec_benchmark/run.sh --debug                          toy size, minutes, no corpus needed
#   bash egs/codec_benchmark/run.sh --ours mini=egs/mini/exp/full/codec_model
#   bash egs/codec_benchmark/run.sh --audio_dir D                    LibriTTS test-other, the paper's set
set -euo pipefail

egs_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
recipe_command="bash egs/codec_benchmark/run.sh $*"
recipe_title="egs/codec_benchmark: speech codecs on the same recordings, beside the paper's Table 5"
data_card="none"  # nothing is trained here
# shellcheck source=recipes/lib/stages.sh
source "$egs_dir/../../recipes/lib/stages.sh"
stage_dir=$egs_dir/local

add_option stage 0 "first stage to run"
add_option stop_stage 5 "last stage to run"
add_option nproc "$(nproc)" "CPU threads, and processes where work is shared out"
add_option exp_dir "" "folder for copies and results (default exp/full; --debug: exp/debug)"
add_flag debug "toy size: few codecs, a few synthetic sentences, quick timing"
add_flag force "run the chosen stages anew although done"
add_option codecs "" "codecs by name with commas, or a file of names (default in conf/)"
add_option ours "" "codecs trained here, as name=model_directory with commas"
add_option audio_dir "" "LibriTTS (its folder holds test-other/) in the place of --cuts"
add_option cuts "" "lhotse cuts to copy (default: the test set of egs/mini)"
add_option max_items 100 "utterances to copy, 0 for all"
add_option metrics mel,mel-dac-class,mel-encodec,mel-vocos,pesq,stoi,visqol,visqol-audio,si-sdr,utmos \
  "metrics of latentspeech score, by name"
add_option speed_seconds 2 "seconds of audio that are timed"
add_option repeats 5 "how often each is timed"
parse_options "$@"

size=full
default_option codecs "$egs_dir/conf/codecs.txt"
if [[ ${debug:?} == true ]]; then
  size=debug
  default_option codecs "$egs_dir/conf/codecs_debug.txt"
  default_option max_items 4
  default_option speed_seconds 0.5
  default_option repeats 1
elif [[ -z ${audio_dir?} ]]; then
  default_option cuts "$egs_dir/../mini/data/full/cuts_test.jsonl.gz"
fi
[[ -z ${audio_dir?} || -z ${cuts?} ]] || fail "--audio_dir and --cuts are two corpora; give one"
for name in stage stop_stage nproc max_items repeats; do check_number "$name"; done
((${stage:?} <= 5)) || fail "--stage is $stage; the stages are 0 to 5 (--help lists them)"
((stage <= ${stop_stage:?})) || fail "--stage $stage comes after --stop_stage $stop_stage"
((${repeats:?} > 0)) || fail "--repeats is 0; expected at least one"
default_option exp_dir "$egs_dir/exp/$size"
exp_dir=$(realpath -m -- "${exp_dir:?}")
data_dir=$exp_dir/list
for name in audio_dir cuts; do
  [[ -z ${!name} ]] || printf -v "$name" '%s' "$(realpath -m -- "${!name}")"
done
[[ ! -f ${codecs:?} ]] || codecs=$(realpath -- "$codecs")
export egs_dir data_dir
# The stages start in the repository; a relative folder of --ours is meant from here.
ours=$(python3 - "$PWD" "${ours?}" <<'PYTHON'
import os
import sys

here, given = sys.argv[1:]
pairs = [part.partition("=") for part in given.split(",") if part]
print(",".join(f"{name}={os.path.join(here, folder)}" for name, _, folder in pairs))
PYTHON
)

show_results() {
  cat "$exp_dir/RESULTS.md"
  printf '\ntables: %s\npage:   %s\n' "$exp_dir/RESULTS.md" "$exp_dir/page.html"
}

run_stages
