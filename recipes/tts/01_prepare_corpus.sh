#!/usr/bin/env bash
# Purpose: make or find the corpus and write its lhotse cuts
# Reads:   --hours, --sources, --hours_of, --all_licences, --import_dir, --audio_dir, --manifest_dir, --subset, --check_audio, --codec_mix, --seed, --debug
# Writes:  $data_dir/cuts_train.jsonl.gz, $data_dir/cuts_dev.jsonl.gz, $data_dir/cuts_test.jsonl.gz, $data_dir/${codec_cuts}_train.jsonl.gz
# Cost:    mini: about a core-hour per hour of speech, debug 2 min; libriheavy: minutes, no copy

set -euo pipefail
# shellcheck source=recipes/lib/child.sh
source "${recipes_root:?start it through run.sh in egs/}/recipes/lib/child.sh"

run bash "${egs_dir:?}/local/prepare_corpus.sh"
