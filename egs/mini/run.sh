#!/usr/bin/env bash
# LatentLM text-to-speech on a corpus that any machine can make: voices that packages ship.
#
#   bash egs/mini/run.sh --debug                      everything at toy size, minutes on two cores
#   bash egs/mini/run.sh                              the full run; after Ctrl-C or a crash the same line goes on
#   bash egs/mini/run.sh --stage 5 --stop_stage 6     latents and TTS only
set -euo pipefail

egs_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
recipe_command="bash egs/mini/run.sh $*"
recipe_title="egs/mini: LatentLM text-to-speech on a corpus made by this recipe"
data_card="Speech of the voices named in the corpus manifest (egs/mini/README.md lists them, their texts and licences)."
# The codec also trains on audio without text; corpus/prepare_cuts.py writes those cuts apart.
export codec_cuts=cuts_codec
# shellcheck source=recipes/tts/options.sh
source "$egs_dir/../../recipes/tts/options.sh"

add_tts_options 0
add_option hours 2.5 "hours of speech to make"
add_option codec_metrics "" "of stage 4 (default: those of the codec's card; --debug: quick ones)"
add_option tts_metrics "" "of stage 8 (default: those of the voice's card; --debug: quick ones)"
add_option sources "" "voices to use, by name with commas (default: all; --debug: the quickest)"
add_option hours_of "" "most hours of single sources, as 'queen=2,kokoro=10'"
add_option codec_shares "queen=0.2,sky=0.2,drascula=0.2,drascula_music=0.3,made_noise=0.3" "share of a source's cuts that the codec trains on (others: all)"
add_flag all_licences "train on every source, also those whose terms forbid to publish the weights"
add_path import_dir "" "corpus made before (a folder with manifest.jsonl) to take instead"
parse_options "$@"

conf=$egs_dir/conf
default_option tokenizer_config "$conf/tokenizer.yaml"
if [[ ${debug:?} == true ]]; then
  default_option codec_metrics "mel-dac-class,pesq,stoi,visqol,mel,si-sdr"
  default_option tts_metrics "wer-w,sim-ge2e-o"
  default_option codec_config "$conf/codec_debug.yaml"
  default_option tts_config "$conf/tts_debug.yaml"
  default_option max_test 4
  default_option hours 0.1
else
  default_option codec_config "$conf/codec.yaml"
  default_option tts_config "$conf/tts.yaml"
fi
settle_tts_options
run_stages
