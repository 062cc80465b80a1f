#!/usr/bin/env bash
# Purpose: pack the image tokenizer, score its copies of pictures kept aside and show some
# Reads:   $data_dir/tokenizer/checkpoints, $data_dir/pages.json, --max_copies, --copy_metrics
# Writes:  $data_dir/tokenizer_model, $data_dir/tokenizer_check/scores.json
# Cost:    about 15 pictures a second, core and distance

set -euo pipefail
# The stage of the image recipe, with the pictures of the pages.
exec bash "${recipes_root:?start it through run.sh in egs/}/recipes/image/03_check_tokenizer.sh"
