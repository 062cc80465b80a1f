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
debug_sentences=$egs_dir/../mini/local/corpus/sentences.txt
# shellcheck source=recipes/codec_benchmark/options.sh
source "$egs_dir/../../recipes/codec_benchmark/options.sh"

add_codec_benchmark_options
parse_options "$@"
settle_codec_benchmark_options
run_stages
