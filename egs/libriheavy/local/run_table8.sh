#!/usr/bin/env bash
# Table 8 of the paper: three codecs and, on each, a TTS of 12 layers, with everything after `--` given to
# egs/libriheavy/run.sh. One command a side; what is done is skipped.
#
#   bash egs/libriheavy/local/run_table8.sh --side codec --librispeech_dir L -- --manifest_dir M --audio_dir A --ngpu 8
#   bash egs/libriheavy/local/run_table8.sh --side tts --librispeech_dir L -- --manifest_dir M --audio_dir A --ngpu 8
#
# The codec side trains and exports each codec and scores its copies: mel distance on the corpus' own test cuts, SIM
# and WER-C on LibriSpeech test-clean. The TTS side speaks LibriSpeech test-clean and writes RESULTS.md.
set -euo pipefail

egs_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
recipes_root=$(cd "$egs_dir/../.." && pwd)
# shellcheck source=recipes/lib/options.sh
source "$recipes_root/recipes/lib/options.sh"

# Token reduction ratio, "x", latent dimension; what sets them.
declare -A codecs=([640x16]=codec_640x [1600x16]=codec_1600x_16 [1600x32]=codec_1600x)
ordered=(640x16 1600x16 1600x32)

show_help() {
  sed -n 's/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | sed '1d;/shellcheck/d;/Token reduction/,$d'
  printf '\nOptions (- and _ are the same; --name value or --name=value):\n'
  show_options
}

own=()
while (($# > 0)) && [[ $1 != -- ]]; do
  own+=("$1")
  shift
done
(($# == 0)) || shift
add_option side "" "codec (stages 0 to 4) or tts (stages 5 to 8)"
add_option librispeech_dir "" "LibriSpeech, whose test-clean is copied and spoken"
add_option only "" "rows to make, with spaces between (default: all three)"
add_option data_dir "$egs_dir/data/large" "folder of the corpus' cuts, as in run.sh"
add_option exp_root "$egs_dir/exp/table8" "folder of the three experiments"
add_option max_test 0 "utterances of each test set; 0 for all"
add_option device auto "where networks are computed: cpu, cuda, cuda:N; auto takes a GPU if there is one"
add_option results "$egs_dir/exp/table8/RESULTS.md" "file that the TTS side writes the tables into"
add_flag dry_run "print the commands instead of running them"
parse_options "${own[@]}"
[[ ${side?} =~ ^(codec|tts)$ ]] || fail "--side is '$side'; expected codec or tts"
[[ -n ${librispeech_dir?} ]] || fail "no --librispeech_dir; Table 8 copies and speaks LibriSpeech test-clean"
read -r -a names <<<"${only:-${ordered[*]}}"
for name in "${names[@]}"; do
  [[ -v codecs[$name] ]] || fail "--only: no row '$name'; the rows are: ${ordered[*]}"
done
run() {
  if [[ ${dry_run:?} == true ]]; then echo "$*"; else "$@"; fi
}

cd "$recipes_root"
if [[ -z ${VIRTUAL_ENV-} && -x .venv/bin/python ]]; then PATH=$recipes_root/.venv/bin:$PATH; fi
finished=()
for name in "${names[@]}"; do
  folder=${exp_root:?}/$name
  shared=(--reduction "${name%x*}" --codec_config "$egs_dir/conf/${codecs[$name]}.yaml"
    --tts_config "$egs_dir/conf/tts_ablation_12layers.yaml" --exp_dir "$folder" --data_dir "${data_dir:?}"
    --max_test "${max_test:?}" --librispeech_dir "$librispeech_dir" --device "${device:?}" "$@")
  if [[ $side == codec ]]; then
    run bash "$egs_dir/run.sh" "${shared[@]}" --stage 0 --stop_stage 4
    run python -m recipes.codec.check --codec "$folder/codec_model" --out "$folder/table8_check" \
      --cuts "$data_dir/cuts_test.jsonl.gz" --librispeech_dir "$librispeech_dir" \
      --metrics mel-dac-class,sim-wavlm-tdnn,wer-c --max_items "$max_test" --device "$device"
  else
    run bash "$egs_dir/run.sh" "${shared[@]}" --stage 5 --stop_stage 8
    finished+=("$name=$folder")
  fi
done
if [[ $side == tts ]]; then
  run python -m recipes.tts.paper_results --out "${results:?}" --table8 "${finished[@]}"
fi
