# shellcheck shell=bash
# Functions that recipes/lib/stages.sh calls, for the tasks that make a voice (tts and fine_tune).

check_machine() {
  python tools/check_environment.py --quiet
}

show_results() {
  [[ -f ${exp_dir:?}/RESULTS.md ]] || return 0
  cat "$exp_dir/RESULTS.md"
  printf '\nwav:             %s\ntable of scores: %s\nmodel directory: %s\n' \
    "$exp_dir/sample.wav" "$exp_dir/RESULTS.md" "$exp_dir/model"
}
