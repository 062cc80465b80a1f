"""Speaks the test set with a model directory, each utterance after one of the same speaker.

With `--setting prefix` it goes on from the first 3 s of each recording instead.

`--out` gets hyp/ (spoken), ref/ (the recordings of the same texts), copy/ or, without equalizer,
codec_copy/ (copies of ref/ by codec and equalizer, the best that a synthesis can reach), prompt/,
codec_prompt/ (the codec's copies of the prompts), times/ and items.jsonl, a list that
`latentspeech score --list` reads; its rule says in words how the items were spoken. A time covers
writing latents and decoding them, not encoding the prompt. Items are spoken in batches, shortest
first; a killed run goes on where it stopped.
"""

import argparse
import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from latentspeech.audio.io import read_audio
from latentspeech.core.device import choose_device
from latentspeech.core.seeds import derive_seed
from latentspeech.core.storage.files import write_json
from latentspeech.core.storage.provenance import hardware
from latentspeech.eval.protocols.cut_utterances import EvaluationItem
from latentspeech.eval.scoring.lists import ListRow, write_list
from latentspeech.text.normalizer import normalize
from latentspeech.text.tokenizers import case_rule
from latentspeech.tts.continuation import Beginning, continue_latents
from latentspeech.tts.model_directory import TTSModel, read_tts_config
from latentspeech.tts.prompt import Prompt, equalizer_gains
from latentspeech.tts.synthesizer import Audio, Synthesizer
from recipes.lib.result_folder import audio_path, open_result_folder
from recipes.tts.test_set.sampling_options import add_device_option, default_batch_size
from recipes.tts.test_set.speaking import Speaking, add_speaking_options, speaking_in_setting
from recipes.tts.test_set.test_files import (
    Recordings,
    copies_folder,
    list_row,
    spoken_paths,
    write_copy,
    write_recordings,
)
from recipes.tts.test_set.test_items import Setting, TestItems, held_out_items, librispeech_items

logger = logging.getLogger(__name__)


def make_prompt(
    synthesizer: Synthesizer, item: EvaluationItem, recordings: Recordings, speaking: Speaking
) -> Prompt:
    """The voice that an item is spoken in, with its equalizer if `speaking` has one."""
    transcript = item.prompt.text if speaking.with_text else None
    return synthesizer.prompt(recordings.prompt, transcript, speaking.equalizer)


def speak(
    synthesizer: Synthesizer,
    items: Sequence[EvaluationItem],
    prompts: Sequence[Prompt],
    out: Path,
    speaking: Speaking,
) -> None:
    """Speaks items after prompts, as one batch."""
    seeds = [_seed(item, speaking) for item in items]
    texts = [item.target.text for item in items]
    started = time.perf_counter()
    audios = synthesizer.synthesize_batch(texts, prompts, seeds, speaking.sampling, speaking.guard)
    _write_spoken(items, audios, time.perf_counter() - started, out)


def speak_on(
    synthesizer: Synthesizer,
    items: Sequence[EvaluationItem],
    recordings: Sequence[Recordings],
    out: Path,
    speaking: Speaking,
) -> None:
    """Continues recordings from their first seconds, as one batch.

    Only latents of whole frames are given.
    """
    model = synthesizer.model
    voices = [_beginning_as_voice(model, own.prompt, speaking.equalizer) for own in recordings]
    beginnings = [
        Beginning(normalize(item.target.text), voice.latents, _seed(item, speaking))
        for item, voice in zip(items, voices, strict=True)
    ]
    started = time.perf_counter()
    written = continue_latents(model, beginnings, speaking.sampling, speaking.guard)
    rate = synthesizer.sample_rate
    audios = [
        Audio(synthesizer.decode(one.latents, voice), rate)
        for one, voice in zip(written, voices, strict=True)
    ]
    _write_spoken(items, audios, time.perf_counter() - started, out)


def _beginning_as_voice(model: TTSModel, recording: Path, equalizer: bool) -> Prompt:
    """The latents of a recording's whole frames, with the equalizer gains for its copy."""
    codec = model.codec
    audio = read_audio(recording, codec.config.sample_rate)  # (T,)
    whole = audio[: len(audio) // codec.config.hop_length * codec.config.hop_length]
    latents = codec.encode(whole[None])[0]  # (F, D)
    gains = equalizer_gains(codec, whole, latents) if equalizer else None
    return Prompt(latents, None, model.codec_hash, gains)


def _write_spoken(
    items: Sequence[EvaluationItem], audios: Sequence[Audio], compute_s: float, out: Path
) -> None:
    """Writes a batch; its time is divided among the utterances in proportion to their lengths."""
    total_s = sum(audio.duration_s for audio in audios)
    for item, audio in zip(items, audios, strict=True):
        spoken = spoken_paths(out, item)
        write_json(spoken.times, {"compute_s": compute_s * audio.duration_s / total_s})
        audio.save(spoken.audio)


def _seed(item: EvaluationItem, speaking: Speaking) -> int:
    """The seed of an item's noise, which does not depend on the other items of the list."""
    return derive_seed(speaking.seed, f"test/{item.target.id}") % 2**31


def speak_test(
    synthesizer: Synthesizer, test: TestItems, out: Path, speaking: Speaking, batch_size: int
) -> list[ListRow]:
    """Speaks the items that were not spoken yet, in batches; returns the lines of items.jsonl.

    Up to rounding, the audio of an item does not depend on the other items.
    """
    recordings = {item.target.id: write_recordings(synthesizer, item, out) for item in test.items}
    waiting = [item for item in test.items if not is_done(item, out, speaking)]
    waiting.sort(key=lambda item: len(item.target.text))  # rows of one batch should end together
    for start in range(0, len(waiting), batch_size):
        batch = waiting[start : start + batch_size]
        _speak_batch(
            synthesizer, batch, [recordings[one.target.id] for one in batch], out, speaking
        )
        num_done = len(test.items) - len(waiting) + start + len(batch)
        logger.info("spoken %d of %d", num_done, len(test.items))
    return [
        list_row(
            item,
            spoken_paths(out, item),
            recordings[item.target.id],
            out,
            test.sexes.get(item.target.id),
            speaking.setting,
        )
        for item in test.items
    ]


def is_done(item: EvaluationItem, out: Path, speaking: Speaking) -> bool:
    """Whether an item was spoken and its recording copied; continuations need no copy."""
    has_copy = speaking.setting == "prefix" or _copy_path(item, out, speaking).is_file()
    return has_copy and spoken_paths(out, item).is_done


def _speak_batch(
    synthesizer: Synthesizer,
    items: Sequence[EvaluationItem],
    recordings: Sequence[Recordings],
    out: Path,
    speaking: Speaking,
) -> None:
    if speaking.setting == "prefix":
        speak_on(synthesizer, items, recordings, out, speaking)
        return
    prompts: dict[str, Prompt] = {}
    for item, files in zip(items, recordings, strict=True):
        prompt = make_prompt(synthesizer, item, files, speaking)
        write_copy(synthesizer, files.reference, _copy_path(item, out, speaking), prompt.log_gains)
        prompts[item.target.id] = prompt
    unspoken = [item for item in items if not spoken_paths(out, item).is_done]
    if unspoken:
        speak(synthesizer, unspoken, [prompts[one.target.id] for one in unspoken], out, speaking)


def _copy_path(item: EvaluationItem, out: Path, speaking: Speaking) -> Path:
    return audio_path(out, copies_folder(speaking.equalizer), item.target.id)


def add_test_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say what is spoken, how, and where it is written."""
    parser.add_argument("--model", type=Path, required=True, help="TTS model directory")
    parser.add_argument("--cuts", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--max_items", type=int, default=100, help="0 for all")
    add_device_option(parser)
    add_speaking_options(parser)


def read_test_items(arguments: argparse.Namespace) -> TestItems:
    """The test items that the options choose: LibriSpeech test-clean, or the cuts."""
    setting: Setting = arguments.setting
    if arguments.librispeech_dir is not None:
        return librispeech_items(arguments.librispeech_dir, setting, arguments.max_items)
    return held_out_items(arguments.cuts, setting, arguments.max_items, arguments.train_cuts)


def write_test(arguments: argparse.Namespace) -> None:
    """Speaks the test items that the options choose, and lists them."""
    out, device = arguments.out, choose_device(arguments.device)
    test = read_test_items(arguments)
    speaking = speaking_in_setting(arguments, read_tts_config(arguments.model).sampling)
    key = speaking.key(arguments.model)
    if arguments.librispeech_dir is not None:
        key["protocol"] = test.info.protocol
    open_result_folder(out, key)
    synthesizer = Synthesizer.from_directory(arguments.model, device)
    rule = f"{test.info.rule}; {speaking.rule(case_rule(synthesizer.model.tokenizer))}"
    logger.info("%s: %s: %d utterances", test.info.protocol, rule, len(test.items))
    batch_size = arguments.batch_size or default_batch_size(device)
    rows = speak_test(synthesizer, test, out, speaking, batch_size)
    spoken_on = f"{hardware()}; spoken on {device}, {batch_size} at a time"
    write_list(out / "items.jsonl", rows, replace(test.info, rule=rule, hardware=spoken_on))
