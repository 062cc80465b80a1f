#!/usr/bin/env bash
# Purpose: encode the recordings into latents of the model's codec; write the run's configuration
# Reads:   $model, $data_dir/cuts_train.jsonl.gz, $data_dir/cuts_dev.jsonl.gz, --finetune_config
# Writes:  $exp_dir/finetune.yaml, $exp_dir/latents/train/stats.safetensors, $exp_dir/latents/dev/stats.safetensors
# Cost:    about 2 s a minute of speech

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

run python -m recipes.fine_tune.make_config --model "${model:?}" \
  --base "${finetune_config:?}" --out "${exp_dir:?}/finetune.yaml"
codec=$(sed -n 's/^codec_dir: //p' "$exp_dir/finetune.yaml")
for action in prepare extract finish; do
  run python -m recipes.tts.05_extract_latents "$action" --codec "$codec" --data_dir "${data_dir:?}" \
    --out "$exp_dir/latents"
done
