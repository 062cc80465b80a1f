"""Speaks the test set with a model directory, each utterance after one of the same speaker.

With `--setting prefix` it goes on from the first 3 s of each recording instead.

`--out` gets hyp/ (spoken), ref/ (the recordings of the same texts), copy/ (these through the codec
and the voice's equalizer, as near as a synthesis can come), prompt/, codec_prompt/ (the codec's
copies of the prompts), times/ and items.jsonl, a list that `latentspeech score --list`
reads. The time is that of writing latents and decoding them, after the prompt was encoded.
"""

import argparse
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from latentspeech.audio.io import load_audio, write_audio
from latentspeech.core.files import write_json
from latentspeech.core.lm.sampling_config import SamplingConfig
from latentspeech.core.model_directory import weights_hash
from latentspeech.core.tensors import derive_seed
from latentspeech.data.utterances import Utterance, load_utterance
from latentspeech.eval.protocols.cut_utterances import EvaluationItem
from latentspeech.eval.protocols.librispeech import PREFIX_S
from latentspeech.eval.scoring.lists import ListRow
from latentspeech.tts.continuation import continue_latents
from latentspeech.tts.prompt import Prompt
from latentspeech.tts.synthesizer import DEFAULT_RETRIES, DEFAULT_SAMPLING, Audio, Synthesizer
from recipes.lib.result_folder import audio_path
from recipes.tts.sampling_options import add_retries_option
from recipes.tts.test_items import Setting

logger = logging.getLogger(__name__)

COPIES = "copy"  # folder of the recordings as the codec and the equalizer let them through
# What the folder holds; another number and it is made anew.
FOLDER_VERSION = 2


@dataclass(frozen=True)
class Speaking:
    """How the test set is spoken."""

    seed: int = 0
    with_text: bool = True  # the prompt's transcript is given to the model
    sampling: SamplingConfig = DEFAULT_SAMPLING
    retries: int = DEFAULT_RETRIES
    setting: Setting = "reference"

    def key(self, model: Path) -> dict[str, Any]:
        """What the spoken audio depends on, but for the texts."""
        key = {
            "folder_version": FOLDER_VERSION,
            "model_hash": weights_hash(model),
            "sampling": self.sampling.model_dump(mode="json"),
            "retries": self.retries,
            "seed": self.seed,
            "prompt_text": self.with_text,
        }
        return key if self.setting == "reference" else {**key, "setting": self.setting}


class Recordings(NamedTuple):
    """The files that belong to an item, whatever is spoken."""

    reference: Path
    prompt: Path
    codec_prompt: Path  # the codec's copy


class Spoken(NamedTuple):
    """The files that speaking an item makes."""

    audio: Path
    times: Path

    @property
    def is_done(self) -> bool:
        """Whether the item was spoken before."""
        return self.audio.is_file() and self.times.is_file()


def write_recordings(synthesizer: Synthesizer, item: EvaluationItem, out: Path) -> Recordings:
    """Writes an item's recordings into `out` unless they are there."""
    rate = synthesizer.sample_rate
    reference = write_utterance(item.target, out, "ref", rate)
    prompt = write_utterance(item.prompt, out, "prompt", rate)
    copy = _write_copy(synthesizer, prompt, audio_path(out, "codec_prompt", item.prompt.id))
    return Recordings(reference, prompt, copy)


def spoken_paths(out: Path, item: EvaluationItem) -> Spoken:
    """Where an item's synthesis is written in `out`."""
    times = audio_path(out, "times", item.target.id).with_suffix(".json")
    return Spoken(audio_path(out, "hyp", item.target.id), times)


def make_prompt(
    synthesizer: Synthesizer, item: EvaluationItem, recordings: Recordings, with_text: bool
) -> Prompt:
    """The voice that an item is spoken in."""
    return synthesizer.prompt(recordings.prompt, item.prompt.text if with_text else None)


def speak(
    synthesizer: Synthesizer,
    items: Sequence[EvaluationItem],
    prompts: Sequence[Prompt],
    out: Path,
    speaking: Speaking,
) -> None:
    """Speaks items as one batch; the time of each is its share, by length, of the batch's."""
    seeds = [_seed(item, speaking) for item in items]
    texts = [item.target.text for item in items]
    started = time.perf_counter()
    audios = synthesizer.synthesize_batch(
        texts, prompts, seeds, speaking.sampling, speaking.retries
    )
    compute_s = time.perf_counter() - started
    total_s = sum(audio.duration_s for audio in audios)
    for item, audio in zip(items, audios, strict=True):
        spoken = spoken_paths(out, item)
        write_json(spoken.times, {"compute_s": compute_s * audio.duration_s / total_s})
        audio.save(spoken.audio)


@torch.inference_mode()
def speak_on(
    synthesizer: Synthesizer,
    item: EvaluationItem,
    recordings: Recordings,
    out: Path,
    speaking: Speaking,
) -> None:
    """Continues an item's recording from its prompt; a latent that lacks samples is not given."""
    codec = synthesizer.model.codec
    audio = load_audio(recordings.prompt, codec.config.sample_rate)  # (T,)
    whole = len(audio) // codec.config.hop_length * codec.config.hop_length
    given = codec.encode(audio[None, :whole].to(codec.device))[0]  # (F, D)
    started = time.perf_counter()
    written = continue_latents(
        synthesizer.model,
        item.target.text,
        given,
        _seed(item, speaking),
        speaking.sampling,
        speaking.retries,
    )
    decoded = codec.decode(written.latents[None])[0].clamp(-1, 1).cpu()  # (T,)
    spoken = spoken_paths(out, item)
    write_json(spoken.times, {"compute_s": time.perf_counter() - started})
    Audio(decoded, codec.config.sample_rate).save(spoken.audio)


def _seed(item: EvaluationItem, speaking: Speaking) -> int:
    """Each utterance has noise of its own, whichever others are in the list."""
    return derive_seed(speaking.seed, f"test/{item.target.id}") % 2**31


def list_row(
    item: EvaluationItem,
    spoken: Spoken,
    recordings: Recordings,
    root: Path,
    sex: str | None,
    setting: Setting = "reference",
) -> ListRow:
    """A spoken item's line of items.jsonl; `root` is where its paths start."""
    return ListRow(
        id=item.target.id,
        hypothesis_path=spoken.audio.relative_to(root).as_posix(),
        reference_path=recordings.reference.relative_to(root).as_posix(),
        prompt_path=recordings.prompt.relative_to(root).as_posix(),
        codec_prompt_path=recordings.codec_prompt.relative_to(root).as_posix(),
        transcript=item.target.text,
        prompt_text=item.prompt.text,
        speaker=item.target.speaker or None,
        sex=sex,
        prefix_s=PREFIX_S if setting == "prefix" else 0.0,
        duration_s=round(item.target.duration_s, 6),
        compute_s=json.loads(spoken.times.read_text(encoding="utf-8"))["compute_s"],
    )


def speak_item(
    synthesizer: Synthesizer,
    item: EvaluationItem,
    out: Path,
    speaking: Speaking,
    sex: str | None = None,
) -> ListRow:
    """Speaks one item unless it was; returns its line of items.jsonl."""
    recordings = write_recordings(synthesizer, item, out)
    spoken = spoken_paths(out, item)
    copy = audio_path(out, COPIES, item.target.id)
    if speaking.setting == "prefix":
        if not spoken.is_done:
            speak_on(synthesizer, item, recordings, out, speaking)
    elif not (spoken.is_done and copy.is_file()):
        prompt = make_prompt(synthesizer, item, recordings, speaking.with_text)
        _write_copy(synthesizer, recordings.reference, copy, prompt.log_gains)
        if not spoken.is_done:
            speak(synthesizer, [item], [prompt], out, speaking)
    return list_row(item, spoken, recordings, out, sex, speaking.setting)


def write_utterance(utterance: Utterance, out: Path, kind: str, sample_rate: int) -> Path:
    """Writes a recording into the folder `kind` of `out` unless it is there; returns its path."""
    path = audio_path(out, kind, utterance.id)
    if not path.is_file():
        write_audio(path, load_utterance(utterance, sample_rate), sample_rate)
    return path


@torch.inference_mode()
def _write_copy(
    synthesizer: Synthesizer, recording: Path, path: Path, log_gains: Tensor | None = None
) -> Path:
    """The recording through the codec and back, and these gains, unless it is there."""
    if not path.is_file():
        model = synthesizer.model
        rate = model.codec.config.sample_rate
        audio = load_audio(recording, rate).to(model.codec.device)  # (T,)
        latents = model.codec.encode(audio[None])[0]  # (F, D)
        voice = Prompt(latents, None, model.codec_hash, log_gains)
        write_audio(path, synthesizer.decode(latents, voice)[: len(audio)], rate)
    return path


def add_test_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of what is spoken, and where to."""
    parser.add_argument("--model", type=Path, required=True, help="TTS model directory")
    parser.add_argument("--cuts", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--max_items", type=int, default=100, help="0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--no_prompt_text", action="store_true", help="prompt without transcript")
    add_retries_option(parser, DEFAULT_RETRIES)
