#!/usr/bin/env bash
# LatentLM of Fashion-MNIST: pictures of ten kinds of clothes, from a package of Debian to a model that draws them.
#
#   bash egs/fashion/run.sh --debug                 everything at toy size, on made pictures, minutes on a CPU
#   bash egs/fashion/run.sh                         the model that ships; after Ctrl-C or a crash the same line goes on
#   bash egs/fashion/run.sh --model dit --stage 5   another generator on the same latents
#   bash egs/fashion/run.sh --train_source '{kind: folder, path: /my/train}' --valid_source '{kind: folder, path: /my/valid}'
set -euo pipefail

egs_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
recipe_command="bash egs/fashion/run.sh $*"
recipe_title="egs/fashion: LatentLM, and what it is compared with, on Fashion-MNIST"
data_card="Fashion-MNIST (Zalando SE 2017, MIT licence; Debian's package dataset-fashion-mnist), 60,000 pictures of 28 x 28 pixels in ten classes."
# shellcheck source=recipes/image/options.sh
source "$egs_dir/../../recipes/image/options.sh"

add_image_options 0
parse_options "$@"

# Inception's weights are not on every machine, and grey pictures of 28 pixels are far from what it knows.
default_option metrics "fd-efficientnet kid-efficientnet precision-efficientnet recall-efficientnet fd-classifier accuracy recognised"
default_option copy_metrics "psnr ssim fd-efficientnet"
default_option cfg_scales "1 1.5 2 3"
default_option per_class 200
default_option max_reference 5000
default_option max_copies 5000
if [[ ${debug:?} == false ]]; then
  default_option train_source "{kind: fashion_mnist, split: train}"
  default_option valid_source "{kind: fashion_mnist, split: test}"
fi
settle_image_options
run_stages
