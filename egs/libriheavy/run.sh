#!/usr/bin/env bash
# The paper's text-to-speech experiments (arXiv 2412.08635, 5.3 and H.5) on Libriheavy.
#
#   bash egs/libriheavy/run.sh --manifest_dir M --audio_dir A --ngpu 8                     1600x, 15 Hz
#   bash egs/libriheavy/run.sh --manifest_dir M --audio_dir A --ngpu 8 --reduction 3200    7.5 Hz
#   bash egs/libriheavy/run.sh ... --tts_config egs/libriheavy/conf/tts_ablation_12layers.yaml --tag 12l
# M holds libriheavy_cuts_{small,medium,large}.jsonl.gz, A the Libri-Light audio (README.md says more).
set -euo pipefail

egs_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
recipe_command="bash egs/libriheavy/run.sh $*"
recipe_title="egs/libriheavy: LatentLM text-to-speech on Libriheavy, the paper's settings"
data_card="Libriheavy (LibriVox recordings and texts, public domain; manifests Apache-2.0)."
# Table 4 as in the paper, and again with what this project adds to speak better.
export test_settings="reference prefix reference_ours prefix_ours"
# shellcheck source=recipes/tts/options.sh
source "$egs_dir/../../recipes/tts/options.sh"

# What a stage costs here, by subset; plan.py says what is measured and what derived.
stage_costs() {
  python3 "$egs_dir/local/plan.py" --stage "$1" --reduction "${reduction:-1600}"
}

add_tts_options 1
add_path audio_dir "" "folder that holds small/, medium/, large/ of Libri-Light"
add_path manifest_dir "" "folder with the Libriheavy cuts (default: --audio_dir)"
add_option subset large "small (509 h), medium (5,042 h) or large (50,794 h); each holds the ones before"
add_flag check_audio "stage 1 reads the end of every recording and leaves out those that break off"
add_option codec_mix "" "corpora the codec trains on instead, as 'dns4=DIR:0.3,fsd50k=DIR:0.1' (local/codec_mix)"
add_path libritts_dir "" "LibriTTS, whose test-other scores the codec (Table 5); else held-out cuts"
add_path librispeech_dir "" "LibriSpeech, whose test-clean is spoken (Table 4); else held-out cuts"
add_option reduction 1600 "samples a latent: 640, 1600, 3200 or 6400; chooses the configurations"
add_option latents_args "--skip_bad" "further options of recipes.tts.05_extract_latents in stage 5; --skip_bad lists cuts without readable audio and goes on"
add_option sampling_args "" "how the test set is drawn, as '--cfg_scale 3' (default: as the TTS configuration says, like the paper)"
add_option codec_metrics "mel-dac-class,pesq,stoi,visqol,utmos,mel,dnsmos,sim-ge2e,wer-w" "of stage 4"
add_option tts_metrics "sim-wavlm-tdnn-o,wer-c,wer-h,wer-w,sim-ge2e-o,sim-ge2e-r,dnsmos" "of stage 8"
add_option tag "" "name of the experiment (default: subset and reduction)"
parse_options "$@"

conf=$egs_dir/conf
[[ ${subset:?} =~ ^(small|medium|large)$ ]] || fail "--subset is '$subset'; expected small, medium or large"
[[ ${reduction:?} =~ ^(640|1600|3200|6400)$ ]] || fail "--reduction is '$reduction'; expected 640, 1600, 3200 or 6400"
default_option manifest_dir "${audio_dir?}"
default_option tag "${subset}_${reduction}x"
size=
if [[ ${debug:?} == true ]]; then
  size=debug_
  [[ $reduction == 1600 ]] || fail "--debug is made for --reduction 1600, not $reduction"
  default_option tokenizer_config "$conf/tokenizer_debug.yaml"
  default_option codec_config "$conf/codec_debug.yaml"
  default_option tts_config "$conf/tts_debug.yaml"
  default_option max_test 4
else
  default_option tokenizer_config "$conf/tokenizer.yaml"
  default_option codec_config "$conf/codec_${reduction}x.yaml"
  default_option tts_config "$conf/tts_${reduction}x.yaml"
fi
default_option exp_dir "$egs_dir/exp/$size${tag:?}"
default_option data_dir "$egs_dir/data/$size$subset"
if [[ -n ${codec_mix?} ]]; then export codec_cuts=cuts_codec; fi
settle_tts_options
run_stages
