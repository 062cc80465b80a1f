"""The prompt, which gives the voice to speak in, and the voice file that stores it.

A prompt has reference latents and perhaps their transcript. A voice file is a safetensors file with
the latents and, as metadata, the transcript and the hash of the codec that made them; it works with
every model for that codec.

T frames, D latent dimension, n samples, F frequencies.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from latentspeech.audio.reading import AUDIO_SUFFIXES, open_source
from latentspeech.audio.speech.spoken_part import SpokenPart, read_spoken_part
from latentspeech.codec.runtime import CodecRuntime
from latentspeech.core.errors import CheckpointError, InputError
from latentspeech.core.storage.files import atomic_path
from latentspeech.tts.equalizer import log_gains

Floats = NDArray[np.float32]

# Finds what samples (n,) at a rate say; None if they hold no word.
Hear = Callable[[Floats, int], str | None]

FORMAT = "latentspeech-voice-1"
VOICE_SUFFIX = ".safetensors"
LONGEST_S = 8.0  # of speech that makes a voice; the model that ships was trained with so much
# With a transcript nothing that it says can be left out, so more is kept whole.
LONGEST_TOLD_S = 30.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prompt:
    """A voice: posterior means (T, D) of a recording, and its transcript if known."""

    latents: Floats
    transcript: str | None
    codec_hash: str
    log_gains: Floats | None = None  # (F,), undo the codec's change (equalizer.py)


def encode_prompt(
    codec: CodecRuntime,
    codec_hash: str,
    recording: Path,
    transcript: str | None = None,
    equalizer: bool = True,
    hear: Hear | None = None,
    needs_text: bool = True,
) -> Prompt:
    """Makes a voice from a recording of 0.5 s to 10 min in any format and rate.

    Only speech is used: silence and a constant offset are removed, and of more than 8 s of speech
    the best 8 s are taken. Which part is used, and each fault of the recording, is logged as a
    warning.

    Args:
        codec: makes the latents.
        codec_hash: names the codec.
        recording: one person speaking.
        transcript: what the whole recording says.
        equalizer: whether the voice contains gains that undo the codec's change to its spectrum;
            everything spoken in it is filtered by them.
        hear: finds the transcript of the part that is used, if none is given.
        needs_text: a transcript is kept whatever it costs, so all speech that it covers is used, up
            to 30 s. Otherwise it is left out if it covers more than is used.

    Raises:
        InputError: the recording is missing, unreadable, silent, too short, too long, noise or
            music, or has a needed transcript and more than 30 s of speech.
    """
    check_recording(recording)
    rate = codec.config.sample_rate
    told = transcript is not None and needs_text
    part = read_spoken_part(recording, rate, LONGEST_TOLD_S if told else LONGEST_S)
    if part.is_cut and told:
        raise InputError(
            f"{recording} has a transcript and more than {LONGEST_TOLD_S:.0f} s of speech, of "
            "which the transcript would fit no part; expected less speech: cut the recording and "
            "its transcript, or leave the transcript out"
        )
    _report(part, recording, rate)
    if part.is_cut and transcript is not None:
        logger.warning("prompt: the transcript is left out, since it says more than the part used")
        transcript = None
    elif transcript is None and hear is not None:
        transcript = hear(part.audio, rate)
    (latents,) = codec.encode(part.audio[None])  # (T, D)
    gains = equalizer_gains(codec, part.audio, latents) if equalizer else None
    return Prompt(latents, transcript, codec_hash, gains)


def check_recording(recording: Path) -> None:
    """Checks the name and the header of a recording, before a model is loaded.

    Raises InputError: it is a voice file, missing, unreadable or cut short.
    """
    if recording.suffix.lower() == VOICE_SUFFIX:
        raise InputError(
            f"{recording} is a voice file, not a recording; give it as --voice {recording}, or in "
            "Python to Synthesizer.voice"
        )
    open_source(recording)


def _report(part: SpokenPart, recording: Path, sample_rate: int) -> None:
    used = part.used(sample_rate)
    if used is not None:
        logger.warning("prompt: %s", used)
    for fault in part.faults:
        logger.warning("prompt: %s is %s", recording, fault)


def equalizer_gains(codec: CodecRuntime, audio: Floats, latents: Floats) -> Floats:
    """Returns log gains (F,) that make the codec's copy, from latents (T, D), like audio (n,)."""
    copy = codec.decode(latents[None])[0, : len(audio)]
    return log_gains(audio, copy, codec.config.sample_rate)


def save_voice(prompt: Prompt, path: Path, notes: Mapping[str, str] | None = None) -> None:
    """Writes a voice file; `notes` are further entries of its metadata."""
    metadata = {**(notes or {}), "format": FORMAT, "codec_hash": prompt.codec_hash}
    if prompt.transcript is not None:
        metadata["transcript"] = prompt.transcript
    with atomic_path(path) as temporary:
        tensors = {"latents": prompt.latents, "log_gains": prompt.log_gains}
        given = {name: np.ascontiguousarray(x) for name, x in tensors.items() if x is not None}
        save_file(given, temporary, metadata)


def load_voice(path: Path) -> Prompt:
    """Reads a voice file; CheckpointError if it is not a valid one."""
    if not path.is_file():
        raise InputError(
            f"voice not found: {path}; `latentspeech voice list` names those that ship, "
            "`latentspeech voice export` makes one from a recording"
        )
    if path.suffix.lower() in AUDIO_SUFFIXES:
        raise InputError(
            f"{path} is a recording, not a voice file; give it as --prompt {path}, or in Python to "
            "Synthesizer.prompt"
        )
    try:
        with safe_open(path, "np") as file:
            metadata = file.metadata() or {}
            latents = file.get_tensor("latents")
            names = set(file.keys())  # older voices have no gains
            gains = file.get_tensor("log_gains") if "log_gains" in names else None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is truncated or not a voice file ({error}); export the voice again"
        ) from None
    is_whole = latents.ndim == 2 and len(latents) and (gains is None or gains.ndim == 1)
    if metadata.get("format") != FORMAT or not is_whole:
        raise CheckpointError(
            f"{path} has format {metadata.get('format')!r}; expected {FORMAT!r}: "
            "export the voice again"
        )
    return Prompt(
        latents.astype(np.float32, copy=False),
        metadata.get("transcript"),
        metadata.get("codec_hash", ""),
        None if gains is None else gains.astype(np.float32, copy=False),
    )
