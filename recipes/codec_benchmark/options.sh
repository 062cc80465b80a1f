# shellcheck shell=bash
# Options and results of the codec benchmark's stages; recipes/lib/stages.sh runs them.

# shellcheck source=recipes/lib/stages.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/stages.sh"

stage_dir=$recipes_root/recipes/codec_benchmark
# File of sentences that espeak-ng speaks if there are no recordings (--debug).
export debug_sentences="${debug_sentences:?name a file of sentences in run.sh}"

add_codec_benchmark_options() {
  add_run_options
  add_option codecs "" "codecs by name with commas, or a file of names (default in conf/)"
  add_option ours "" "codecs trained here, as name=model_directory with commas"
  add_path audio_dir "" "LibriTTS (its folder holds test-other/) in the place of --cuts"
  add_path cuts "" "lhotse cuts to copy (default: the test set of egs/mini)"
  add_option max_items 100 "utterances to copy, 0 for all"
  add_option metrics mel,mel-dac-class,mel-encodec,mel-vocos,pesq,stoi,visqol,visqol-audio,si-sdr,utmos \
    "metrics of latentspeech score, by name"
  add_option speed_seconds 2 "seconds of audio that are timed"
  add_option repeats 5 "how often each is timed"
}

settle_codec_benchmark_options() {
  local conf=${egs_dir:?}/conf
  if [[ ${debug:?} == true ]]; then
    default_option codecs "$conf/codecs_debug.txt"
    default_option max_items 4
    default_option speed_seconds 0.5
    default_option repeats 1
  else
    default_option codecs "$conf/codecs.txt"
    if [[ -z ${audio_dir?} ]]; then default_option cuts "$egs_dir/../mini/data/full/cuts_test.jsonl.gz"; fi
  fi
  [[ -z ${audio_dir?} || -z ${cuts?} ]] || fail "--audio_dir and --cuts are two corpora; give one"
  check_number max_items repeats
  ((${repeats:?} > 0)) || fail "--repeats is 0; expected at least one"
  [[ ! -f ${codecs:?} ]] || codecs=$(realpath -- "$codecs")
  # The stages start in the repository; a relative folder in --ours is relative to this one.
  ours=$(python3 - "$PWD" "${ours?}" <<'PYTHON'
import os
import sys

here, given = sys.argv[1:]
pairs = [part.partition("=") for part in given.split(",") if part]
print(",".join(f"{name}={os.path.join(here, folder)}" for name, _, folder in pairs))
PYTHON
  )
  settle_run_options
  data_dir=${exp_dir:?}/list
}

check_machine() {
  python tools/check_environment.py --quiet
}

show_results() {
  [[ -f ${exp_dir:?}/RESULTS.md ]] || return 0
  cat "$exp_dir/RESULTS.md"
  printf '\ntables: %s\npage:   %s\n' "$exp_dir/RESULTS.md" "$exp_dir/page.html"
}
