# shellcheck shell=bash
# Options and results of the stages of models of pages; recipes/lib/stages.sh runs them.
#
# A run.sh sets make_pages, a script that writes pages into the folder $1 (page_set.py has the layout); with
# --debug toy pages are made instead.

# shellcheck source=recipes/lib/stages.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/stages.sh"

stage_dir=$recipes_root/recipes/mllm
# States where the pages come from, and whether a model trained on them may ship, for the model card.
export data_card="${data_card:?say it in run.sh}"
export make_pages="${make_pages:?the script of run.sh that makes pages}"
export debug_tokenizer_args="" debug_page_args="" train_source="" valid_source="" skip_bad=false

check_machine() {
  python tools/check_environment.py --quiet
}

# $1 is the default number of GPUs.
add_page_options() {
  add_run_options
  add_training_options "$1"
  add_option model latent_lm "latent_lm, transfusion or vq"
  add_path data_dir "" "folder for pages and tokenizers, which models share (default data/full; --debug: data/debug)"
  add_path pages_dir "" "pages of your own in the layout of recipes/mllm/page_set.py, instead of those that run.sh makes"
  add_path tokenizer_config "" "YAML of the image tokenizer's run (default in conf/)"
  add_path page_config "" "YAML of the model's run (default conf/MODEL.yaml)"
  add_option tokenizer_args "" "settings of the image tokenizer's run to change, as 'a.b=c d.e=f'"
  add_option page_args "" "settings of the model's run to change, as 'a.b=c d.e=f'"
  add_option vocab_size 2000 "most tokens of the byte-level BPE"
  add_option weights "2 1 1 1" "shares of text, pairs, interleaved pages and questions; the paper has the first three"
  add_flag speech "speech as a second modality of latent_lm: captions are spoken by a voice that ships, unless PAGES has spoken pages (recipes/mllm/speech/folders.py)"
  add_path codec "" "codec of the speech (default: the one that ships)"
  add_option spoken_weight 1 "with --speech, the share of spoken pages beside --weights"
  add_option max_copies 1000 "pictures kept aside that stage 4 copies and scores"
  add_option copy_metrics "psnr ssim fd-efficientnet" "of copies by the image tokenizer"
  add_option cfg_scales "1 2 3 5" "guidance scales at which samples are drawn; the best first metric decides the model's own"
  add_option max_samples 500 "captions kept aside that are drawn at each scale"
  add_option max_pages 500 "pages kept aside of each kind that are scored"
  add_option metrics "kid-efficientnet fd-efficientnet precision-efficientnet recall-efficientnet" "of samples (latentvision score --list-metrics)"
  add_path clip "" "directory of a CLIP model in the format of transformers, for the CLIP score of samples; without it that score is a hole"
  add_option device auto "where samples and scores are computed: cpu, cuda, cuda:N; auto takes a GPU if there is one"
  add_option seed 0 "of the samples"
}

# The toy twins: pictures of 16 pixels, 4 latents, a few seconds a training.
settle_debug() {
  local run="train.max_steps=20 train.num_workers=0 train.log_every=5 train.validate_every=20 train.checkpoint_every=5"
  local size="model_dim=32 num_layers=1 num_heads=2 ffn_dim=64" side
  debug_tokenizer_args="$run tokenizer.image_size=16 tokenizer.patch_size=8 tokenizer.latent_dim=4"
  for side in $size; do
    debug_tokenizer_args+=" tokenizer.encoder.$side tokenizer.decoder.$side"
    debug_page_args+=" model.backbone.$side"
  done
  debug_tokenizer_args+=" loss.perceptual=null loss.discriminator_start_step=10 loss.discriminator.channels=8"
  debug_tokenizer_args+=" loss.discriminator.num_layers=1 data.batch_size=16 train.precision=\"32\" train.accumulation=1"
  debug_page_args+=" $run model.backbone.num_kv_heads=2 model.backbone.head_dim=16 train.precision=\"32\""
  debug_page_args+=" data.batch_elements=256 data.row_length=64 data.max_valid=20 data.rounds=2 data.num_windows=2"
  debug_page_args+=" data.statistics_pictures=20 train.accumulation=1"
  if [[ ${model:?} == vq ]]; then debug_tokenizer_args+=" tokenizer.posterior.num_codes=32"; fi
  if [[ $model != vq ]]; then debug_page_args+=" model.head_layers=1 model.head_ffn_dim=64"; fi
  if [[ ${speech:?} == true ]]; then
    debug_page_args+=" model.speech.head_layers=1 model.speech.head_ffn_dim=64 data.row_length=128 data.batch_elements=512"
  fi
  default_option vocab_size 280
  default_option cfg_scales "1 2"
  default_option max_samples 8
  default_option max_pages 8
  default_option max_copies 8
  default_option metrics "kid-efficientnet"
  default_option copy_metrics "psnr"
}

settle_page_options() {
  local scale=full suffix='' name=$model
  check_number spoken_weight vocab_size max_copies max_samples max_pages seed
  [[ ${model:?} =~ ^(latent_lm|transfusion|vq)$ ]] || fail "--model is '$model'; expected latent_lm, transfusion or vq"
  [[ ${weights:?} =~ ^[1-9][0-9]*(\ [1-9][0-9]*){3}$ ]] || fail "--weights is '$weights'; expected four whole numbers from 1, as '2 1 1 1'"
  if [[ $model == vq ]]; then suffix=_vq; fi
  if [[ ${speech:?} == true ]]; then
    [[ $model == latent_lm ]] || fail "--speech is for --model latent_lm, and --model is '$model'; leave one of them out"
    ((${spoken_weight:?} > 0)) || fail "--spoken_weight is $spoken_weight; expected 1 or more"
    suffix=_speech name=latent_lm_speech
  fi
  if [[ ${debug:?} == true ]]; then
    scale=debug
    settle_debug
  fi
  data_dir=${data_dir:-${egs_dir:?}/data/$scale$suffix}
  exp_dir=${exp_dir:-$egs_dir/exp/$scale/$name}
  tokenizer_config=${tokenizer_config:-$egs_dir/conf/tokenizer${suffix#_speech}.yaml}
  page_config=${page_config:-$egs_dir/conf/$name.yaml}
  settle_run_options
  if [[ $debug == true && ! -v OPTION_GIVEN[pages_dir] ]]; then data_card="toy pages that the recipe makes"; fi
  if [[ -v OPTION_GIVEN[pages_dir] ]]; then data_card="pages of the user: $pages_dir"; fi
  pages_dir=${pages_dir:-$data_dir/pages}
  train_source="{kind: folder, path: \"$pages_dir/pictures/train\"}"
  valid_source="{kind: folder, path: \"$pages_dir/pictures/valid\"}"
}
