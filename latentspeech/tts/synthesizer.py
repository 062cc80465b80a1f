"""Text and a prompt in, speech out, whole or in chunks.

Each sentence is written after the same prompt with a seed of its own, derived from the caller's;
its latents are decoded from a fresh decoder state, and pauses stand between sentences. `stream`
yields what `synthesize` returns, cut where the caller likes.

F frames, D latent dimension.
"""

import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from latentspeech import __version__
from latentspeech.audio.io import write_audio
from latentspeech.core.errors import CheckpointError, InputError
from latentspeech.core.lm.generate import SamplingConfig, generate
from latentspeech.core.lm.mixed_sequence import MixedSequence
from latentspeech.core.tensors import make_generator
from latentspeech.text.normalizer import normalize
from latentspeech.text.sentences import split_sentences
from latentspeech.tts.layout import (
    SpokenText,
    inference_prompt,
    unconditional_prompt,
    word_continuations,
    word_prompt,
)
from latentspeech.tts.length_guard import generation_limits, word_limits
from latentspeech.tts.model import SPEECH
from latentspeech.tts.model_directory import TTSModel, load_tts
from latentspeech.tts.prompt import Prompt, encode_prompt, load_voice

logger = logging.getLogger(__name__)

DEFAULT_SAMPLING = SamplingConfig(cfg_scale=2.0, num_steps=5)
MAX_SENTENCE_CHARACTERS = 200
PAUSE_S = 0.25
PROVENANCE = f"synthetic speech, made by latentspeech {__version__}"


@dataclass(frozen=True)
class Audio:
    """Mono samples (T,) in [-1, 1] as float32 on the CPU."""

    samples: Tensor
    sample_rate: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate

    def save(self, path: Path | str) -> None:
        """Writes a file; the suffix (.wav, .flac, .ogg, .mp3) decides the format.

        Its metadata say that it is synthetic speech.
        """
        write_audio(Path(path), self.samples, self.sample_rate, PROVENANCE)


class Synthesizer:
    """Speaks with one model. Nothing is kept between calls, so one object serves many callers."""

    def __init__(self, model: TTSModel) -> None:
        self.model = model

    @classmethod
    def from_directory(cls, directory: Path, device: str = "cpu") -> "Synthesizer":
        """Loads a model directory."""
        model = load_tts(directory)
        model.lm.to(device)
        model.codec.to(device)
        return cls(model)

    @property
    def sample_rate(self) -> int:
        """Of everything it returns, Hz."""
        return self.model.codec.config.sample_rate

    def prompt(self, recording: Path | str, transcript: str | None = None) -> Prompt:
        """A voice from a recording (0.5 to 30 s)."""
        return encode_prompt(self.model.codec, self.model.codec_hash, Path(recording), transcript)

    def voice(self, path: Path | str) -> Prompt:
        """A voice from a file made by `save_voice`."""
        prompt = load_voice(Path(path))
        if prompt.codec_hash != self.model.codec_hash:
            raise CheckpointError(
                f"{path} was exported with codec {prompt.codec_hash}, this model has codec "
                f"{self.model.codec_hash}; export the voice again with this model"
            )
        return prompt

    def synthesize(
        self,
        text: str,
        prompt: Prompt | Path | str,
        seed: int = 0,
        sampling: SamplingConfig = DEFAULT_SAMPLING,
    ) -> Audio:
        """Speaks a text of any length; the same seed gives the same samples."""
        return self.synthesize_batch([text], [prompt], [seed], sampling)[0]

    def synthesize_batch(
        self,
        texts: Sequence[str],
        prompts: Sequence[Prompt | Path | str],
        seeds: Sequence[int],
        sampling: SamplingConfig = DEFAULT_SAMPLING,
    ) -> list[Audio]:
        """Several texts at once; every result is that of a single call."""
        sentences = [self._sentences(text) for text in texts]
        voices = [self._as_prompt(prompt) for prompt in prompts]
        spoken: list[list[Tensor]] = [[] for _ in texts]
        for turn in range(max(len(parts) for parts in sentences)):
            rows = [i for i, parts in enumerate(sentences) if turn < len(parts)]
            latents: list[list[Tensor]] = [[] for _ in rows]
            steps = self._latents(
                [sentences[i][turn] for i in rows],
                [voices[i] for i in rows],
                [sentence_seed(seeds[i], turn) for i in rows],
                sampling,
            )
            for step in steps:
                for row, latent in step.items():
                    latents[row].append(latent)
            for i, parts_of_row in zip(rows, latents, strict=True):
                spoken[i] += [self._pause()] if turn else []
                spoken[i].append(self._decode(torch.stack(parts_of_row)[None]))
        return [Audio(torch.cat(parts), self.sample_rate) for parts in spoken]

    def stream(
        self,
        text: str,
        prompt: Prompt | Path | str,
        seed: int = 0,
        sampling: SamplingConfig = DEFAULT_SAMPLING,
        chunk_frames: int = 1,
    ) -> Iterator[Tensor]:
        """Yields samples (n,) as soon as `chunk_frames` latents are written."""
        if chunk_frames < 1:
            raise InputError(f"chunk_frames is {chunk_frames}; expected at least 1")
        voice = self._as_prompt(prompt)
        for turn, sentence in enumerate(self._sentences(text)):
            if turn:
                yield self._pause()
            yield from self._stream_sentence(
                sentence, voice, sentence_seed(seed, turn), sampling, chunk_frames
            )

    @torch.inference_mode()
    def _stream_sentence(
        self, sentence: str, voice: Prompt, seed: int, sampling: SamplingConfig, chunk_frames: int
    ) -> Iterator[Tensor]:
        codec = self.model.codec
        state = codec.init_decode_state(1)
        waiting: list[Tensor] = []
        for step in self._latents([sentence], [voice], [seed], sampling):
            waiting += step.values()
            if len(waiting) == chunk_frames:
                audio, state = codec.decode_step(torch.stack(waiting)[None], state)
                yield _finish(audio)
                waiting = []
        if waiting:
            audio, state = codec.decode_step(torch.stack(waiting)[None], state)
            yield _finish(audio)

    def _latents(
        self,
        sentences: Sequence[str],
        voices: Sequence[Prompt],
        seeds: Sequence[int],
        sampling: SamplingConfig,
    ) -> Iterator[dict[int, Tensor]]:
        """Writes the latents of several sentences; yields {row: latent (D,)} a step."""
        lm, codec = self.model.lm, self.model.codec
        speech = lm.config.modalities[SPEECH]
        rate = codec.config.frame_rate
        text_ids = self.model.tokenizer.encode_batch(sentences)
        words = self.model.layout == "words"
        parts = [self.model.tokenizer.words(ids) if words else [ids] for ids in text_ids]
        prompts = [self._prefix(*row) for row in zip(text_ids, parts, voices, strict=True)]
        unconditional: list[MixedSequence] | None = None
        if sampling.cfg_scale != 1:
            unconditional = [unconditional_prompt(speech)] * len(prompts)
        if words:
            limits = [[word_limits(word, rate, speech.eod_id) for word in row] for row in parts]
        else:
            limits = [[generation_limits(text, rate, speech.eod_id)] for text in sentences]
        steps = generate(
            lm,
            prompts,
            sampling,
            [row[0] for row in limits],
            [make_generator(seed, "synthesis") for seed in seeds],
            unconditional,
            [
                word_continuations(speech, row, of_row)
                for row, of_row in zip(parts, limits, strict=True)
            ],
        )
        for step in steps:
            elements = {i: element for i, element in enumerate(step) if element is not None}
            for i, element in elements.items():
                if element.truncated:
                    logger.warning(
                        "cut at the longest time expected, the model did not stop: %r; "
                        "another seed may do better",
                        sentences[i][:60],
                    )
            yield {i: e.latent for i, e in elements.items() if e.latent is not None}

    def _prefix(
        self, text_ids: Sequence[int], parts: Sequence[Sequence[int]], voice: Prompt
    ) -> MixedSequence:
        """What the model continues, up to the first BOD."""
        speech = self.model.lm.config.modalities[SPEECH]
        if self.model.layout == "words":
            return word_prompt(speech, text_ids, parts[0], self._spoken(voice))
        return inference_prompt(speech, text_ids, self._spoken(voice))

    def _spoken(self, voice: Prompt) -> SpokenText:
        """The prompt as the model reads it."""
        ids = None
        if voice.transcript is not None:
            ids = self.model.tokenizer.encode(normalize(voice.transcript))
        return SpokenText(ids, voice.latents)

    def _as_prompt(self, prompt: Prompt | Path | str) -> Prompt:
        """A prompt as it is, a .safetensors path as a voice, any other path as a recording."""
        if isinstance(prompt, Prompt):
            return prompt
        is_voice = Path(prompt).suffix == ".safetensors"
        return self.voice(prompt) if is_voice else self.prompt(prompt)

    def _sentences(self, text: str) -> list[str]:
        spoken = normalize(text)
        if not any(character.isalnum() for character in spoken):
            raise InputError(
                f"there is nothing to speak in the text {text[:40]!r}; give at least one word"
            )
        return split_sentences(spoken, MAX_SENTENCE_CHARACTERS)

    @torch.inference_mode()
    def _decode(self, latents: Tensor) -> Tensor:
        return _finish(self.model.codec.decode(latents))

    def _pause(self) -> Tensor:
        return torch.zeros(math.floor(PAUSE_S * self.sample_rate))


def sentence_seed(seed: int, sentence: int) -> int:
    """Each sentence of a text has noise of its own."""
    return seed * 1_000_003 + sentence


def _finish(audio: Tensor) -> Tensor:
    """Decoder output (1, T) to samples (T,) on the CPU, limited to what a file can hold."""
    return audio[0].float().clamp(-1, 1).cpu()
