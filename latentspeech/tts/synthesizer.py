"""Turns a text and a prompt into speech, as a whole or in chunks.

Each sentence is written after the prompt and, in the layout `aligned`, after the end of the
sentence before. It has its own seed, derived from the caller's. Its latents are decoded from a new
decoder state, and there are pauses between sentences. `stream` yields in chunks what `synthesize`
returns.

A sentence of more than `MAX_SENTENCE_CHARACTERS` is spoken in pieces, with a pause between them;
the continuation of a recording (tts/continuation.py) is not split.
"""

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from latentspeech.audio.io import write_audio
from latentspeech.core.errors import CheckpointError, InputError
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.version import VERSION
from latentspeech.text.normalizer import NormalizedText, normalize
from latentspeech.text.pronunciation import readable_part
from latentspeech.text.sentences import split_normalized
from latentspeech.text.tokenizers import MisakiTokenizer
from latentspeech.tts.latent_writer import Sentence, write, write_steps
from latentspeech.tts.length_guard import GUARDED, STREAMED, LengthGuard
from latentspeech.tts.model_directory import RuntimeKind, TTSModel, load_tts
from latentspeech.tts.prompt import Hear, Prompt, encode_prompt, load_voice
from latentspeech.tts.retries import WrittenSentence, warn, write_until_good
from latentspeech.tts.sampling_range import check_speech_sampling
from latentspeech.tts.threaded_decoder import ThreadedDecoder, to_samples
from latentspeech.tts.voices import builtin_voices, resolve_voice

if TYPE_CHECKING:
    import torch

Samples = NDArray[np.float32]
Latents = NDArray[np.float32]

MAX_SENTENCE_CHARACTERS = 200
PAUSE_S = 0.25
PROVENANCE = f"synthetic speech, made by latentspeech {VERSION}"


@dataclass(frozen=True)
class Audio:
    """Mono samples (T,) in [-1, 1], a float32 array of numpy."""

    samples: Samples
    sample_rate: int

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.sample_rate

    def save(self, path: Path | str) -> None:
        """Writes a file in the format of its suffix: .wav, .flac, .ogg, .opus, .mp3 or .m4a.

        The metadata of the file says that it is synthetic speech.
        """
        write_audio(Path(path), self.samples, self.sample_rate, PROVENANCE)


class Synthesizer:
    """Speaks with one model.

    Between calls it keeps only the states of the language model after the last few voices, so one
    object serves many callers.
    """

    def __init__(self, model: TTSModel) -> None:
        self.model = model
        self._loaded_from: tuple[Path, str, RuntimeKind | None] | None = None

    @classmethod
    def from_directory(
        cls,
        directory: Path,
        device: "torch.device | str" = "cpu",
        runtime: RuntimeKind | None = None,
    ) -> "Synthesizer":
        """Loads a model directory; `load_tts` explains the runtime."""
        device = str(device)
        speaker = cls(load_tts(directory, device, runtime))
        speaker._loaded_from = Path(directory).absolute(), device, runtime
        return speaker

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles the directory and the options; unpickling loads the model from there anew."""
        if self._loaded_from is None:
            raise TypeError(
                "this Synthesizer was made from a model in memory, which cannot be pickled; make "
                "it by latentspeech.load(DIRECTORY), or load one in each process"
            )
        return type(self).from_directory, self._loaded_from

    @property
    def sample_rate(self) -> int:
        """The sample rate of all audio that it returns, Hz."""
        return self.model.codec.config.sample_rate

    def prompt(
        self,
        recording: Path | str,
        transcript: str | None = None,
        equalizer: bool = True,
        hear: Hear | None = None,
    ) -> Prompt:
        """Makes a voice from a recording (0.5 s to 10 min); `encode_prompt` explains the options.

        Without `equalizer` the speech in this voice keeps the codec's change to its spectrum.
        """
        model = self.model
        return encode_prompt(
            model.codec,
            model.codec_hash,
            Path(recording),
            transcript,
            equalizer,
            hear,
            needs_text=model.layout.uses_prompt_text,
        )

    def voice(self, name_or_path: Path | str) -> Prompt:
        """Returns a voice that ships, or reads one from a file made by `save_voice`."""
        path = resolve_voice(name_or_path)
        prompt = load_voice(path)
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
        sampling: SamplingConfig | None = None,
        guard: LengthGuard = GUARDED,
    ) -> Audio:
        """Speaks a text of any length; the same seed gives the same samples.

        Args:
            text: written English.
            prompt: a voice, the name or file of a voice, or a recording.
            seed: seed of all noise.
            sampling: how latents are drawn; None uses the sampling of the model directory.
            guard: measures against a sentence that is too short or too long.

        Raises:
            InputError: there is nothing to speak, or the recording cannot serve as a prompt.
            ConfigError: no speech comes out with such sampling (tts/sampling_range.py).
        """
        return self.synthesize_batch([text], [prompt], [seed], sampling, guard)[0]

    def synthesize_batch(
        self,
        texts: Sequence[str],
        prompts: Sequence[Prompt | Path | str],
        seeds: Sequence[int],
        sampling: SamplingConfig | None = None,
        guard: LengthGuard = GUARDED,
    ) -> list[Audio]:
        """Speaks several texts at once; each result equals that of a single call up to rounding."""
        sampling = self._sampling(sampling)
        sentences = [self._sentences(text) for text in texts]
        voices = [self._as_prompt(prompt) for prompt in prompts]
        spoken: list[list[Samples]] = [[] for _ in texts]
        before: list[Latents | None] = [None] * len(texts)
        for number in range(max(len(parts) for parts in sentences)):
            rows = [i for i, parts in enumerate(sentences) if number < len(parts)]
            now = [
                Sentence(
                    sentences[i][number],
                    voices[i],
                    sentence_seed(seeds[i], number),
                    before[i],
                    guard.min_length,
                )
                for i in rows
            ]
            all_written = write(self.model, now, sampling, guard.retries)
            for i, written in zip(rows, all_written, strict=True):
                before[i] = written.latents
                spoken[i] += [self._pause()] if number else []
                spoken[i].append(self.decode(written.latents, voices[i]))
        return [Audio(np.concatenate(parts), self.sample_rate) for parts in spoken]

    def stream(
        self,
        text: str,
        prompt: Prompt | Path | str,
        seed: int = 0,
        sampling: SamplingConfig | None = None,
        chunk_frames: int = 16,
        guard: LengthGuard = STREAMED,
    ) -> Iterator[Samples]:
        """Yields samples (n,) while latents are written, in chunks of 1, 2, 4, ... latents.

        A chunk has at most `chunk_frames` latents. Audio that was already yielded cannot be spoken
        again, so if the guard has retries, a sentence is held back until it is complete. The
        samples are those of `synthesize` with the same guard.
        """
        if chunk_frames < 1:
            raise InputError(f"chunk_frames is {chunk_frames}; expected at least 1")
        voice = self._as_prompt(prompt)
        sampling = self._sampling(sampling)
        before: Latents | None = None
        for number, part in enumerate(self._sentences(text)):
            if number:
                yield self._pause()
            own_seed = sentence_seed(seed, number)
            sentence = Sentence(part, voice, own_seed, before, guard.min_length)
            if guard.retries:
                before, chunks = self._hold_back(sentence, sampling, chunk_frames, guard.retries)
                yield from chunks
            else:
                before = yield from self._stream_sentence(sentence, sampling, chunk_frames)

    def write_latents(
        self,
        sentences: Sequence[str],
        prompts: Sequence[Prompt | Path | str],
        seeds: Sequence[int],
        sampling: SamplingConfig | None = None,
        guard: LengthGuard = STREAMED,
    ) -> list[WrittenSentence]:
        """Writes the latents of several sentences, each as a whole without splitting."""
        rows = [
            Sentence(normalize(text), self._as_prompt(prompt), seed, None, guard.min_length)
            for text, prompt, seed in zip(sentences, prompts, seeds, strict=True)
        ]
        return write(self.model, rows, self._sampling(sampling), guard.retries)

    def decode(self, latents: Latents, voice: Prompt) -> Samples:
        """Decodes latents (T, D) of one sentence, as from `write_latents`, to samples in [-1, 1].

        The result is (n,). If the voice has gains, its equalizer is applied after the codec.
        """
        equalizer = self.model.equalizer(voice.log_gains)
        audio, _ = equalizer.step(self.model.codec.decode(latents[None]), equalizer.init_state(1))
        return to_samples(audio)

    def _stream_sentence(
        self, sentence: Sentence, sampling: SamplingConfig, chunk_frames: int
    ) -> Generator[Samples, None, Latents]:
        """Yields samples (n,) of a sentence while it is written; returns its latents (T, D)."""
        heard: list[Latents] = []
        truncated = False
        with ThreadedDecoder(self.model, sentence.voice, chunk_frames) as decoder:
            for step in write_steps(self.model, [sentence], sampling):
                truncated |= step[0].truncated
                if step[0].latent is not None:
                    heard.append(step[0].latent)
                    decoder.put(step[0].latent)
                yield from decoder.finished()
            rest = decoder.rest()
        if truncated:
            warn(sentence.text, truncated, 1)
        yield from rest
        return np.stack(heard)

    def _hold_back(
        self, sentence: Sentence, sampling: SamplingConfig, chunk_frames: int, retries: int
    ) -> tuple[Latents, list[Samples]]:
        """Returns the latents (T, D) of a sentence and its samples (n,) in chunks.

        Each attempt is decoded while it is written; the chunks of a bad attempt are dropped.
        """
        chunks: list[Samples] = []

        def write_once(_: Sequence[int], attempt: int) -> list[WrittenSentence]:
            chunks.clear()
            latents: list[Latents] = []
            truncated = False
            with ThreadedDecoder(self.model, sentence.voice, chunk_frames) as decoder:
                for step in write_steps(self.model, [sentence], sampling, attempt):
                    truncated |= step[0].truncated
                    if step[0].latent is not None:
                        latents.append(step[0].latent)
                        decoder.put(step[0].latent)
                chunks.extend(decoder.rest())
            return [WrittenSentence(np.stack(latents), truncated)]

        frame_rate = self.model.codec.config.frame_rate
        (written,) = write_until_good([sentence.text], frame_rate, retries, write_once)
        return written.latents, chunks

    def _as_prompt(self, prompt: Prompt | Path | str) -> Prompt:
        """Returns a Prompt as it is; a .safetensors file or a name is a voice, else a recording."""
        if isinstance(prompt, Prompt):
            return prompt
        is_voice = Path(prompt).suffix == ".safetensors" or str(prompt) in builtin_voices()
        return self.voice(prompt) if is_voice else self.prompt(prompt)

    def _sampling(self, given: SamplingConfig | None) -> SamplingConfig:
        """Returns the settings that were given, if speech can come out, or else the model's own."""
        if given is None:
            return self.model.sampling
        check_speech_sampling(given)
        return given

    def _sentences(self, text: str) -> list[NormalizedText]:
        spoken = normalize(text)
        if not any(character.isalnum() for character in spoken):
            raise InputError(
                f"there is nothing to speak in the text {text[:40]!r}; give at least one word"
            )
        if isinstance(self.model.tokenizer, MisakiTokenizer):
            spoken = readable_part(spoken)
        return split_normalized(spoken, MAX_SENTENCE_CHARACTERS)

    def _pause(self) -> Samples:
        return np.zeros(math.floor(PAUSE_S * self.sample_rate), dtype=np.float32)


def sentence_seed(seed: int, sentence: int) -> int:
    """Returns the seed of one sentence, since each sentence of a text has its own noise."""
    return seed * 1_000_003 + sentence
