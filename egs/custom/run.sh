#!/usr/bin/env bash
# Fine-tunes a model directory on a folder of recordings and transcripts.
#
#   bash egs/custom/run.sh --data my_voice                    adapters (LoRA) on the voice that ships
#   bash egs/custom/run.sh --data my_voice --full             every weight
#   bash egs/custom/run.sh --data my_voice --model DIR --lora_rank 16 --steps 400
# my_voice holds wav, flac, mp3 or ogg files, and metadata.csv (id|text, or a header with file_name,text
# and perhaps speaker) or NAME.txt beside each NAME.wav. docs/fine_tuning.md says more.
set -euo pipefail

egs_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
recipe_command="bash egs/custom/run.sh $*"
recipe_title="egs/custom: fine-tuning on your own recordings"
# shellcheck source=recipes/fine_tune/options.sh
source "$egs_dir/../../recipes/fine_tune/options.sh"

add_fine_tune_options
parse_options "$@"
settle_fine_tune_options
run_stages
