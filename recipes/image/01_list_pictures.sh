#!/usr/bin/env bash
# Purpose: open the pictures to train on and to validate on, count them by class and check that both have the same classes
# Reads:   --train_source, --valid_source
# Writes:  $data_dir/pictures.json
# Cost:    seconds; ImageNet in folders: minutes on the first reading of its names

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

if [[ ${toy_pictures:?} == true ]]; then run python -m recipes.image.pictures.toy --out "${data_dir:?}/pictures"; fi
run python -m recipes.image.01_list_pictures --train_source "${train_source:?}" \
  --valid_source "${valid_source:?}" --out "${data_dir:?}/pictures.json"
