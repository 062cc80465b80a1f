# shellcheck shell=bash
# Options and results of the image stages; recipes/lib/stages.sh runs them.
#
# A run.sh sets train_source and valid_source, the pictures as YAML in one line, before it calls
# settle_image_options; with --debug it may leave them out, and toy pictures are made.

# shellcheck source=recipes/lib/stages.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/stages.sh"

stage_dir=$recipes_root/recipes/image
# States where the pictures come from and their licence, for the model card.
export data_card="${data_card:?say it in run.sh}"
# Settings that turn any run of this recipe into its toy twin; --..._args come after them.
export debug_tokenizer_args="" debug_generator_args="" debug_classifier_args=""
export toy_pictures=false

check_machine() {
  python tools/check_environment.py --quiet
}

# $1 is the default number of GPUs.
add_image_options() {
  add_run_options
  add_training_options "$1"
  add_option model lm "what draws: lm (LatentLM), dit, givt, vq or mar"
  add_path data_dir "" "folder for the tokenizer and its latents, which generators share (default data/full; --debug: data/debug; --model vq has its own)"
  add_option train_source "" "pictures to train on, as '{kind: folder, path: /DIR}' (docs/images.md has the kinds)"
  add_option valid_source "" "pictures to validate on and to score against, likewise"
  add_path tokenizer_config "" "YAML of the tokenizer run (default in conf/)"
  add_path generator_config "" "YAML of the generator run (default conf/MODEL.yaml)"
  add_option tokenizer_args "" "settings of the tokenizer run to change, as 'a.b=c d.e=f'"
  add_option generator_args "" "settings of the generator run to change, as 'a.b=c d.e=f'"
  add_option max_copies 10000 "pictures of the validation set that stage 3 copies and scores"
  add_option cfg_scales "1 1.25 1.5 2 3" "guidance scales at which samples are drawn; the best FD decides the model's own"
  add_option per_class 200 "samples of each class at each scale"
  add_option sample_batch 100 "images drawn at once"
  add_option max_reference 0 "pictures of the validation set that samples are scored against; 0 for all"
  add_option score_size 0 "pixels to which samples and pictures are scaled before they are scored; 0: the model's own"
  add_path classifier_config "" "YAML of the classifier that judges samples (default conf/classifier.yaml, if there is one)"
  add_option metrics "fid is kid precision recall fd-efficientnet fd-classifier accuracy recognised" "of samples (latentvision score --list-metrics); the first distance that this machine has decides the best scale"
  add_option copy_metrics "psnr ssim lpips fid fd-efficientnet" "of copies by the tokenizer"
  add_flag skip_bad "leave pictures that cannot be read out, with a warning"
  add_option throughput "" "sizes of LatentLM and DiT to time in stage 10, as 'medium xl'; empty: none"
  add_option throughput_batches "1 8" "batch sizes to time"
  add_option device auto "where copies and scores are computed: cpu, cuda, cuda:N; auto takes a GPU if there is one"
  add_option seed 0 "of the samples"
}

# The toy twins: pictures of 32 pixels, 16 latents, a few seconds a training.
settle_debug() {
  local run="train.max_steps=20 train.num_workers=0 train.log_every=5 train.validate_every=20 train.checkpoint_every=5"
  local head="model.head_layers=1 model.head_ffn_dim=64" size side
  size="model_dim=32 num_layers=1 num_heads=2 ffn_dim=64"
  debug_tokenizer_args="$run tokenizer.image_size=32 tokenizer.patch_size=8 tokenizer.latent_dim=4"
  for side in $size; do
    debug_tokenizer_args+=" tokenizer.encoder.$side tokenizer.decoder.$side"
    debug_generator_args+=" model.backbone.$side"
  done
  debug_tokenizer_args+=" loss.perceptual=null loss.discriminator_start_step=10 loss.discriminator.channels=8"
  debug_tokenizer_args+=" loss.discriminator.num_layers=2 data.batch_size=16 train.precision=\"32\" train.accumulation=1"
  debug_generator_args+=" $run model.backbone.num_kv_heads=2 data.batch_size=16 train.precision=\"32\" train.accumulation=1"
  debug_classifier_args="$run network.image_size=32 network.channels=[8,16] data.batch_size=16"
  if [[ ${model:?} == vq ]]; then debug_tokenizer_args+=" tokenizer.posterior.num_codes=32"; fi
  if [[ $model == lm || $model == mar ]]; then debug_generator_args+=" $head"; fi
  default_option per_class 4
  default_option cfg_scales "1 2"
}

settle_image_options() {
  local scale=full suffix=
  check_number max_copies per_class sample_batch max_reference score_size seed
  [[ ${model:?} =~ ^(lm|dit|givt|vq|mar)$ ]] || fail "--model is '$model'; expected lm, dit, givt, vq or mar"
  if [[ $model == vq ]]; then suffix=_vq; fi
  if [[ ${debug:?} == true ]]; then
    scale=debug
    settle_debug
  fi
  data_dir=${data_dir:-${egs_dir:?}/data/$scale$suffix}
  exp_dir=${exp_dir:-$egs_dir/exp/$scale/$model}
  tokenizer_config=${tokenizer_config:-$egs_dir/conf/tokenizer$suffix.yaml}
  generator_config=${generator_config:-$egs_dir/conf/$model.yaml}
  if [[ -z ${classifier_config?} && -f $egs_dir/conf/classifier.yaml ]]; then
    classifier_config=$egs_dir/conf/classifier.yaml
  fi
  settle_run_options
  if [[ -z ${train_source?} && $debug == true ]]; then
    toy_pictures=true data_card="toy pictures that the recipe makes"
    train_source="{kind: folder, path: \"$data_dir/pictures/train\"}"
    valid_source="{kind: folder, path: \"$data_dir/pictures/valid\"}"
  fi
  if [[ -v OPTION_GIVEN[train_source] ]]; then data_card="pictures of the user: $train_source"; fi
  [[ -n $train_source && -n ${valid_source?} ]] || fail "--train_source and --valid_source name the pictures; give both"
}
