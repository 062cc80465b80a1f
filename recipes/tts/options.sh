# shellcheck shell=bash
# Options and results of the text-to-speech stages; recipes/lib/stages.sh runs them.

# shellcheck source=recipes/lib/stages.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib/stages.sh"
# shellcheck source=recipes/tts/hooks.sh
source "$recipes_root/recipes/tts/hooks.sh"

stage_dir=$recipes_root/recipes/tts
# States where the training data comes from, for the model card.
export data_card="${data_card:?say it in run.sh}"
# Name of the cuts that the codec trains on: the same as for the TTS, unless the corpus has others.
export codec_cuts=${codec_cuts:-cuts}
# Settings in which the test set is spoken: reference (after another utterance of the speaker) and prefix
# (continued from its own first seconds) are as in the paper; reference_ours and prefix_ours add retries, a
# shortest length and the equalizer. Results of settings after the first have the setting in their names.
export test_settings=${test_settings:-reference_ours}

# $1 is the default number of GPUs.
add_tts_options() {
  add_run_options
  add_training_options "$1"
  add_path data_dir "" "folder for the corpus (default data/full; --debug: data/debug)"
  add_path tokenizer_config "" "YAML of the tokenizer (default in conf/)"
  add_path codec_base_config "" "YAML of a codec run whose weights the codec run starts from"
  add_path codec_config "" "YAML of the codec run (default in conf/)"
  add_path codec_mirrored_config "" "YAML of a run of the mirrored decoder on that codec's encoder"
  add_path tts_config "" "YAML of the TTS run (default in conf/)"
  add_option codec_args "" "settings of the codec run to change, as 'a.b=c d.e=f'"
  add_option tts_args "" "settings of the TTS run to change, as 'a.b=c d.e=f'"
  add_option max_test "100" "test utterances to copy, to speak and to score; 0 for all"
  add_option upload_to "" "repository of the Hugging Face hub, owner/name, that gets the packed model"
  add_option device auto "where codec checks and scores compute their networks: cpu, cuda, cuda:N; auto takes a GPU if there is one"
  add_option seed 0 "of the corpus and of the test's synthesis"
}

settle_tts_options() {
  local size=full
  check_number max_test seed
  [[ -z ${upload_to?} || $upload_to =~ ^[^/]+/[^/]+$ ]] || fail "--upload_to is '$upload_to'; expected owner/name"
  if [[ ${debug:?} == true ]]; then size=debug; fi
  data_dir=${data_dir:-${egs_dir:?}/data/$size}
  settle_run_options
}
