# shellcheck shell=bash
# Options and results of the fine-tuning stages; recipes/lib/stages.sh runs them.

# shellcheck source=recipes/lib/stages.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/stages.sh"
# shellcheck source=recipes/tts/hooks.sh
source "$recipes_root/recipes/tts/hooks.sh"

stage_dir=$recipes_root/recipes/fine_tune

add_fine_tune_options() {
  add_path data "" "folder of recordings and transcripts; needed"
  add_run_options
  add_option ngpu 0 "GPUs of this machine to train on; 0 is the CPU"
  add_path model tts "TTS model directory to start from, or the name of one that ships"
  add_flag full "train every weight, no adapters"
  add_option lora_rank 8 "rank of the adapters"
  add_path finetune_config "" "YAML of how it is trained (default conf/tts_lora.yaml; --full: conf/tts_full.yaml)"
  add_option steps 200 "steps of training"
  add_option weights ema "what is packed: ema, the averaged weights, or model, the last ones"
  add_option num_test 10 "sentences of each speaker to hold out, to speak and to score"
  add_option metrics "wer-w,sim-ge2e-o,sim-ge2e-r,dnsmos" "of stage 5"
  add_option tts_args "" "settings of the run to change, as 'a.b=c d.e=f'"
  add_option seed 0 "of the split and of what is spoken"
  add_flag strict "a recording that cannot be used is an error"
}

settle_fine_tune_options() {
  local name shipped=$recipes_root/latentspeech/models/${model:?} way=lora
  [[ -n ${data?} ]] || fail "--data is needed: ${OPTION_HELP[data]}"
  [[ -d $data ]] || fail "--data: no folder $data"
  data=$(realpath -- "$data")
  name=${data##*/}
  if [[ ${full:?} == true ]]; then
    [[ ! -v OPTION_GIVEN[lora_rank] ]] || fail "--full trains no adapters; leave --lora_rank away"
    way=full
  fi
  default_option finetune_config "${egs_dir:?}/conf/tts_$way.yaml"
  if [[ ${debug:?} == true ]]; then
    default_option steps 4
    default_option num_test 2
    name=debug_$name
  fi
  check_number lora_rank steps num_test seed
  ((${steps:?} > 0 && ${lora_rank:?} > 0)) || fail "--steps and --lora_rank must be 1 or more"
  ((${num_test:?} > 1)) || fail "--num_test is $num_test; expected 2 or more: each is spoken after another"
  [[ ${weights:?} =~ ^(ema|model)$ ]] || fail "--weights is '$weights'; expected ema or model"
  if [[ ! -d $model && -d $shipped ]]; then model=$shipped; fi
  [[ -f $model/config.yaml ]] || fail "--model: $model is no model directory, nor the name of one that ships"
  default_option exp_dir "$egs_dir/exp/$name"
  settle_run_options
  [[ ! ${exp_dir:?}/ == "$data"/* ]] || fail "--exp_dir lies inside --data; give a folder elsewhere"
}
