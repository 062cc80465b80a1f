#!/usr/bin/env bash
# Purpose: train the model of pages of the kind --model; pictures are encoded step by step
# Reads:   $data_dir/tokenizer_model, $data_dir/text_tokenizer.json, $data_dir/pages.json, --page_config, --page_args, --weights, --speech
# Writes:  $exp_dir/pages/config.yaml, $exp_dir/pages/checkpoints, $exp_dir/curves.png
# Cost:    egs/mllm: some CPU hours, debug seconds; the paper's size: 200B elements of a 1.3B model
# Nodes:   all

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

source_of() {
  echo "{\"kind\": \"jsonl\", \"location\": \"${pages_dir:?}/$1/$2\", \"pictures\": \"$pages_dir/pictures\"}"
}

read -r -a shares <<<"${weights:?}"
train_list="" valid_list="" number=0
for kind in text pairs interleaved questions; do
  train_list+=", {\"pages\": $(source_of train $kind), \"weight\": ${shares[number]}}"
  valid_list+=", $(source_of valid $kind)"
  number=$((number + 1))
done
settings=()
if [[ ${speech:?} == true ]]; then
  train_list+=", {\"pages\": $(source_of train spoken), \"weight\": ${spoken_weight:?}}"
  valid_list+=", $(source_of valid spoken)"
  settings+=("speech_latents=\"${data_dir:?}/speech_latents\"")
fi
train latentvision mllm "${page_config:?}" "${exp_dir:?}/pages" "${debug_page_args?} ${page_args?}" \
  "picture_tokenizer_dir=\"${data_dir:?}/tokenizer_model\"" "text_tokenizer.path=\"$data_dir/text_tokenizer.json\"" \
  "data.train_sources=[${train_list#, }]" "data.valid_sources=[${valid_list#, }]" "${settings[@]}"
run python -m recipes.lib.plot_training --exp_dir "$exp_dir/pages" --title "${model:?}" --out "$exp_dir/curves.png"
