"""The prompt, which gives the voice to speak in, and the voice file that stores it.

A prompt has reference latents and perhaps their transcript. A voice file is a safetensors file with
the latents and, as metadata, the transcript and the hash of the codec that made them; it works with
every model for that codec.

T frames, D latent dimension, n samples, F frequencies.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from latentspeech.audio.io import check_not_silent, load_audio
from latentspeech.audio.speech_check import check_speech
from latentspeech.codec.model import Codec
from latentspeech.core.errors import CheckpointError, InputError
from latentspeech.core.files import atomic_path
from latentspeech.tts.equalizer import log_gains

FORMAT = "latentspeech-voice-1"
MIN_PROMPT_S = 0.5
MAX_PROMPT_S = 30.0


@dataclass(frozen=True)
class Prompt:
    """A voice: posterior means (T, D) of a recording, and its transcript if known."""

    latents: Tensor
    transcript: str | None
    codec_hash: str
    log_gains: Tensor | None = None  # (F,), undo the codec's change to the spectrum (equalizer.py)


@torch.inference_mode()
def encode_prompt(
    codec: Codec,
    codec_hash: str,
    recording: Path,
    transcript: str | None = None,
    equalizer: bool = True,
) -> Prompt:
    """Makes a voice from a recording of 0.5 to 30 s in any format and rate, mono or stereo.

    With `equalizer` the voice contains gains that undo the codec's change to its spectrum, and
    everything spoken in it is filtered by them. Without it nothing is filtered.

    Raises:
        InputError: the recording is missing, unreadable, silent, too short, too long, noise or
            music.
    """
    rate = codec.config.sample_rate
    audio = load_audio(recording, rate)
    seconds = len(audio) / rate
    if not MIN_PROMPT_S <= seconds <= MAX_PROMPT_S:
        raise InputError(
            f"{recording} lasts {seconds:.2f} s; a prompt lasts {MIN_PROMPT_S} to "
            f"{MAX_PROMPT_S:.0f} s, best 3 to 10: record more or cut it"
        )
    check_not_silent(audio, str(recording))
    check_speech(audio.numpy(), rate, str(recording))
    latents = codec.encode(audio[None].to(codec.device))  # (1, T, D)
    gains = equalizer_gains(codec, audio, latents[0]) if equalizer else None
    return Prompt(latents[0].cpu(), transcript, codec_hash, gains)


@torch.inference_mode()
def equalizer_gains(codec: Codec, audio: Tensor, latents: Tensor) -> Tensor:
    """Returns log gains (F,) that make the codec's copy, from latents (T, D), like audio (n,)."""
    copy = codec.decode(latents[None])[0, : len(audio)].cpu()
    return log_gains(audio, copy, codec.config.sample_rate)


def save_voice(prompt: Prompt, path: Path) -> None:
    """Writes a voice file."""
    metadata = {"format": FORMAT, "codec_hash": prompt.codec_hash}
    if prompt.transcript is not None:
        metadata["transcript"] = prompt.transcript
    with atomic_path(path) as temporary:
        tensors = {"latents": prompt.latents, "log_gains": prompt.log_gains}
        given = {name: value.contiguous() for name, value in tensors.items() if value is not None}
        save_file(given, temporary, metadata)


def load_voice(path: Path) -> Prompt:
    """Reads a voice file; CheckpointError if it is not a valid one."""
    if not path.is_file():
        raise InputError(
            f"voice not found: {path}; `latentspeech voice list` names those that ship, "
            "`latentspeech voice export` makes one from a recording"
        )
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            latents = file.get_tensor("latents")
            names = set(file.keys())  # older voices have no gains
            gains = file.get_tensor("log_gains").float() if "log_gains" in names else None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"{path} is truncated or not a voice file ({error}); export the voice again"
        ) from None
    is_whole = latents.dim() == 2 and len(latents) and (gains is None or gains.dim() == 1)
    if metadata.get("format") != FORMAT or not is_whole:
        raise CheckpointError(
            f"{path} has format {metadata.get('format')!r}; expected {FORMAT!r}: "
            "export the voice again"
        )
    return Prompt(
        latents.float(), metadata.get("transcript"), metadata.get("codec_hash", ""), gains
    )
