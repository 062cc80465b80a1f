"""The files of a spoken test set: recordings, copies of them, what was spoken, and its list.

T samples, F latents, D latent dimension.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentspeech.audio.io import read_audio, write_audio
from latentspeech.data.utterances import Utterance, load_utterance
from latentspeech.eval.protocols.cut_utterances import EvaluationItem
from latentspeech.eval.protocols.librispeech import PREFIX_S
from latentspeech.eval.scoring.lists import ListRow
from latentspeech.tts.prompt import Prompt
from latentspeech.tts.synthesizer import Synthesizer
from recipes.lib.result_folder import audio_path
from recipes.tts.test_set.test_items import Setting

# Folders of copies of the recordings: by codec and equalizer, and by the codec alone.
EQUALIZED_COPIES = "copy"
CODEC_COPIES = "codec_copy"


class Recordings(NamedTuple):
    """The files of an item that exist before anything is spoken."""

    reference: Path
    prompt: Path
    codec_prompt: Path  # the codec's copy of the prompt


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
    copy = write_copy(synthesizer, prompt, audio_path(out, "codec_prompt", item.prompt.id))
    return Recordings(reference, prompt, copy)


def spoken_paths(out: Path, item: EvaluationItem) -> Spoken:
    """The paths in `out` that an item's synthesis is written to."""
    times = audio_path(out, "times", item.target.id).with_suffix(".json")
    return Spoken(audio_path(out, "hyp", item.target.id), times)


def list_row(
    item: EvaluationItem,
    spoken: Spoken,
    recordings: Recordings,
    root: Path,
    sex: str | None,
    setting: Setting = "reference",
) -> ListRow:
    """A spoken item's line of items.jsonl, with paths relative to `root`."""
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


def write_utterance(utterance: Utterance, out: Path, kind: str, sample_rate: int) -> Path:
    """Writes a recording into the folder `kind` of `out` unless it is there; returns its path."""
    path = audio_path(out, kind, utterance.id)
    if not path.is_file():
        write_audio(path, load_utterance(utterance, sample_rate), sample_rate)
    return path


def write_copy(
    synthesizer: Synthesizer,
    recording: Path,
    path: Path,
    log_gains: NDArray[np.float32] | None = None,
) -> Path:
    """Writes the codec's copy of a recording, with these gains, unless it is there."""
    if not path.is_file():
        model = synthesizer.model
        rate = model.codec.config.sample_rate
        audio = read_audio(recording, rate)  # (T,)
        latents = model.codec.encode(audio[None])[0]  # (F, D)
        voice = Prompt(latents, None, model.codec_hash, log_gains)
        write_audio(path, synthesizer.decode(latents, voice)[: len(audio)], rate)
    return path


def copies_folder(equalizer: bool) -> str:
    """The folder of the recordings' copies by the codec, with or without the equalizer."""
    return EQUALIZED_COPIES if equalizer else CODEC_COPIES
