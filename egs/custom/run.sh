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
data_card="the user's own"
# shellcheck source=recipes/lib/stages.sh
source "$egs_dir/../../recipes/lib/stages.sh"
stage_dir=$egs_dir/local

add_option data "" "folder of recordings and transcripts; needed"
add_option stage 0 "first stage to run"
add_option stop_stage 6 "last stage to run"
add_option ngpu 0 "GPUs of this machine to train on; 0 is the CPU"
add_option nproc "$(nproc)" "CPU threads"
add_option exp_dir "" "folder for what is made (default exp/NAME of the data; --debug: exp/debug_NAME)"
add_option model tts "TTS model directory to start from, or the name of one that ships"
add_flag full "train every weight, no adapters"
add_option lora_rank 8 "rank of the adapters"
add_option finetune_config "" "YAML of how it is trained (default conf/tts_lora.yaml; --full: conf/tts_full.yaml)"
add_option steps 200 "steps of training"
add_option weights ema "what is packed: ema, the averaged weights, or model, the last ones"
add_option num_test 10 "sentences of each speaker to hold out, to speak and to score"
add_option tts_args "" "settings of the run to change, as 'a.b=c d.e=f'"
add_option seed 0 "of the split and of what is spoken"
add_flag strict "a recording that cannot be used is an error"
add_flag debug "four steps and two held-out sentences, to see that everything works"
add_flag force "run the chosen stages anew although done; trainings too (the old run is kept)"
parse_options "$@"

[[ -n ${data?} ]] || fail "--data is needed: ${OPTION_HELP[data]}"
[[ -d $data ]] || fail "--data: no folder $data"
data=$(realpath -- "$data")
name=${data##*/}
default_option finetune_config "$egs_dir/conf/tts_lora.yaml"
if [[ ${full:?} == true ]]; then
  [[ ! -v OPTION_GIVEN[lora_rank] ]] || fail "--full trains no adapters; leave --lora_rank away"
  default_option finetune_config "$egs_dir/conf/tts_full.yaml"
fi
if [[ ${debug:?} == true ]]; then
  default_option steps 4
  default_option num_test 2
  name=debug_$name
fi
for number in stage stop_stage ngpu nproc lora_rank steps num_test seed; do check_number "$number"; done
((${stage:?} <= 6)) || fail "--stage is $stage; the stages are 0 to 6 (--help lists them)"
((stage <= ${stop_stage:?})) || fail "--stage $stage comes after --stop_stage $stop_stage"
((${steps:?} > 0 && ${lora_rank:?} > 0)) || fail "--steps and --lora_rank must be 1 or more"
((${num_test:?} > 1)) || fail "--num_test is $num_test; expected 2 or more: each is spoken after another"
[[ ${weights:?} =~ ^(ema|model)$ ]] || fail "--weights is '$weights'; expected ema or model"
[[ -f ${finetune_config:?} ]] || fail "--finetune_config: no file $finetune_config"
shipped=$recipes_root/latentspeech/models/${model:?}
if [[ ! -d $model && -d $shipped ]]; then model=$shipped; fi
[[ -f $model/config.yaml ]] || fail "--model: $model is no model directory, nor the name of one that ships"
default_option exp_dir "$egs_dir/exp/$name"
for path in exp_dir model finetune_config; do printf -v "$path" '%s' "$(realpath -m -- "${!path}")"; done
[[ ! $exp_dir/ == "$data"/* ]] || fail "--exp_dir lies inside --data; give a folder elsewhere"
data_dir=$exp_dir/data
export egs_dir data_dir
run_stages
