#!/usr/bin/env bash
# Purpose: train the classifier of real pictures that judges samples; none if the recipe has no configuration for it
# Reads:   $data_dir/pictures.json, --classifier_config
# Writes:  $data_dir/classifier
# Cost:    fashion: 5 CPU minutes, debug seconds
# Nodes:   all

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

mkdir -p "${data_dir:?}/classifier"
if [[ -z ${classifier_config?} ]]; then exit 0; fi
train latentvision classifier "$classifier_config" "$data_dir/classifier" "${debug_classifier_args?}" \
  "data.train_source=${train_source:?}" "data.test_source=${valid_source:?}" "data.skip_bad=${skip_bad:?}"
