"""Text and a prompt in, speech out, whole or in chunks.

Each sentence is written after the prompt, in the layout `aligned` after the end of the sentence
before as well, with a seed of its own, derived from the caller's; its latents are decoded from a
fresh decoder state, and pauses stand between sentences. `stream` yields what `synthesize` returns,
cut where the caller likes.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from latentspeech import __version__
from latentspeech.audio.io import write_audio
from latentspeech.codec.model import Codec
from latentspeech.core.errors import CheckpointError, InputError
from latentspeech.core.lm.sampling_config import SamplingConfig
from latentspeech.text.normalizer import normalize
from latentspeech.text.sentences import split_sentences
from latentspeech.tts.equalizer import Equalizer
from latentspeech.tts.latent_writer import (
    Sentence,
    WrittenSentence,
    is_good,
    warn,
    write,
    write_steps,
)
from latentspeech.tts.model_directory import RuntimeKind, TTSModel, load_tts
from latentspeech.tts.prompt import Prompt, encode_prompt, load_voice
from latentspeech.tts.voices import builtin_voices, resolve_voice

# What the sweep chose for the voice that ships (egs/mini/RESULTS.md).
DEFAULT_SAMPLING = SamplingConfig(cfg_scale=2.0, num_steps=3, noise_scale=0.3)
MAX_SENTENCE_CHARACTERS = 200
PAUSE_S = 0.25
DEFAULT_RETRIES = 2
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
    """Speaks with one model.

    All that is kept between calls is how the language model reads the last few voices, so one
    object serves many callers.
    """

    def __init__(self, model: TTSModel) -> None:
        self.model = model

    @classmethod
    def from_directory(
        cls, directory: Path, device: str = "cpu", runtime: RuntimeKind | None = None
    ) -> "Synthesizer":
        """Loads a model directory; `runtime` as in `load_tts`."""
        return cls(load_tts(directory, device, runtime))

    @property
    def sample_rate(self) -> int:
        """Of everything it returns, Hz."""
        return self.model.codec.config.sample_rate

    def prompt(self, recording: Path | str, transcript: str | None = None) -> Prompt:
        """A voice from a recording (0.5 to 30 s)."""
        return encode_prompt(self.model.codec, self.model.codec_hash, Path(recording), transcript)

    def voice(self, name_or_path: Path | str) -> Prompt:
        """A voice that ships, or one from a file made by `save_voice`."""
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
        sampling: SamplingConfig = DEFAULT_SAMPLING,
        retries: int = DEFAULT_RETRIES,
    ) -> Audio:
        """Speaks a text of any length; the same seed gives the same samples."""
        return self.synthesize_batch([text], [prompt], [seed], sampling, retries)[0]

    def synthesize_batch(
        self,
        texts: Sequence[str],
        prompts: Sequence[Prompt | Path | str],
        seeds: Sequence[int],
        sampling: SamplingConfig = DEFAULT_SAMPLING,
        retries: int = DEFAULT_RETRIES,
    ) -> list[Audio]:
        """Several texts at once; every result is that of a single call.

        A sentence that would not end, or that is much shorter or longer than its text should take,
        is spoken again with other noise, `retries` times.
        """
        sentences = [self._sentences(text) for text in texts]
        voices = [self._as_prompt(prompt) for prompt in prompts]
        spoken: list[list[Tensor]] = [[] for _ in texts]
        before: list[Tensor | None] = [None] * len(texts)
        for turn in range(max(len(parts) for parts in sentences)):
            rows = [i for i, parts in enumerate(sentences) if turn < len(parts)]
            now = [
                Sentence(sentences[i][turn], voices[i], sentence_seed(seeds[i], turn), before[i])
                for i in rows
            ]
            for i, written in zip(rows, write(self.model, now, sampling, retries), strict=True):
                before[i] = written.latents
                spoken[i] += [self._pause()] if turn else []
                spoken[i].append(self.decode(written.latents, voices[i]))
        return [Audio(torch.cat(parts), self.sample_rate) for parts in spoken]

    def stream(
        self,
        text: str,
        prompt: Prompt | Path | str,
        seed: int = 0,
        sampling: SamplingConfig = DEFAULT_SAMPLING,
        chunk_frames: int = 16,
        retries: int = 0,
    ) -> Iterator[Tensor]:
        """Yields samples (n,) as latents are written: the first alone, then more at a time.

        Chunks double up to `chunk_frames`, for several latents are decoded in little more time than
        one, and what is heard of one chunk gives the time for the next.
        What has been heard cannot be spoken again, so with `retries` a sentence is held back until
        it is whole. The samples are those of `synthesize` with as many.
        """
        if chunk_frames < 1:
            raise InputError(f"chunk_frames is {chunk_frames}; expected at least 1")
        voice = self._as_prompt(prompt)
        before: Tensor | None = None
        for turn, text_of_turn in enumerate(self._sentences(text)):
            if turn:
                yield self._pause()
            sentence = Sentence(text_of_turn, voice, sentence_seed(seed, turn), before)
            heard: list[Tensor] = []
            yield from self._stream_sentence(sentence, sampling, chunk_frames, retries, heard)
            before = torch.stack(heard)

    def write_latents(
        self,
        sentences: Sequence[str],
        prompts: Sequence[Prompt | Path | str],
        seeds: Sequence[int],
        sampling: SamplingConfig = DEFAULT_SAMPLING,
        retries: int = 0,
    ) -> list[WrittenSentence]:
        """The latents of several sentences, each taken whole, and whether they had to be cut."""
        rows = [
            Sentence(normalize(text), self._as_prompt(prompt), seed)
            for text, prompt, seed in zip(sentences, prompts, seeds, strict=True)
        ]
        return write(self.model, rows, sampling, retries)

    @torch.inference_mode()
    def decode(self, latents: Tensor, prompt: Prompt | Path | str) -> Tensor:
        """Latents (T, D) of one sentence, as of `write_latents`, to samples (n,) in [-1, 1].

        The voice's equalizer is behind the codec.
        """
        voice = self._as_prompt(prompt)
        audio = self.model.codec.decode(latents[None]).float().cpu()
        if voice.log_gains is not None:
            audio = Equalizer(voice.log_gains)(audio[..., None])[..., 0]
        return _finish(audio)

    def _stream_sentence(
        self,
        sentence: Sentence,
        sampling: SamplingConfig,
        chunk_frames: int,
        retries: int,
        heard: list[Tensor],
    ) -> Iterator[Tensor]:
        """Decodes a sentence as it is written; its latents are added to `heard`."""
        for attempt in range(retries + 1):
            heard.clear()
            held_back: list[Tensor] = []
            cut = False
            with _Decoder(self.model.codec, sentence.voice, chunk_frames) as decoder:
                for step in write_steps(self.model, [sentence], sampling, attempt):
                    cut |= step[0].truncated
                    if step[0].latent is not None:
                        heard.append(step[0].latent)
                        decoder.put(step[0].latent)
                    if retries:
                        held_back += decoder.finished()
                    else:
                        yield from decoder.finished()
                held_back += decoder.rest()
            written = WrittenSentence(torch.stack(heard), cut)
            good = is_good(self.model, sentence, written) if retries else not cut
            if good:
                break
        else:
            warn(sentence, cut, retries + 1)
        yield from held_back

    def _as_prompt(self, prompt: Prompt | Path | str) -> Prompt:
        """A prompt as it is, a .safetensors path or a name as a voice, others as recordings."""
        if isinstance(prompt, Prompt):
            return prompt
        is_voice = Path(prompt).suffix == ".safetensors" or str(prompt) in builtin_voices()
        return self.voice(prompt) if is_voice else self.prompt(prompt)

    def _sentences(self, text: str) -> list[str]:
        spoken = normalize(text)
        if not any(character.isalnum() for character in spoken):
            raise InputError(
                f"there is nothing to speak in the text {text[:40]!r}; give at least one word"
            )
        return split_sentences(spoken, MAX_SENTENCE_CHARACTERS)

    def _pause(self) -> Tensor:
        return torch.zeros(math.floor(PAUSE_S * self.sample_rate))


class _Decoder:
    """Decodes in order in a thread of its own: one core writes while another decodes.

    Chunks double from one latent up to `chunk_frames`.
    """

    def __init__(self, codec: Codec, voice: Prompt, chunk_frames: int) -> None:
        self._codec = codec
        self._gains = voice.log_gains
        self._equalizer: Equalizer | None = None
        self._most = chunk_frames
        self._size = 1
        self._waiting: list[Tensor] = []
        self._thread = ThreadPoolExecutor(1)
        self._fresh_state = self._thread.submit(self._start)  # while the text is read
        self._state: Any = None
        self._chunks: deque[Future[Tensor]] = deque()
        self._is_first = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    def put(self, latent: Tensor) -> None:
        """The next latent (D,)."""
        self._waiting.append(latent)
        if len(self._waiting) == self._size:
            self._size = min(2 * self._size, self._most)
            self._submit()

    def finished(self) -> Iterator[Tensor]:
        """Samples (n,) of the chunks that are decoded by now; the first is awaited."""
        while self._chunks and (self._is_first or self._chunks[0].done()):
            self._is_first = False
            yield self._chunks.popleft().result()

    def rest(self) -> list[Tensor]:
        """Samples (n,) of all chunks that have not been given out."""
        if self._waiting:
            self._submit()
        return [chunk.result() for chunk in self._chunks]

    def _start(self) -> Any:
        """States of codec and equalizer before the first latent."""
        of_equalizer: Any = None
        if self._gains is not None:
            self._equalizer = Equalizer(self._gains)
            of_equalizer = self._equalizer.init_state(1)
        return self._codec.init_decode_state(1), of_equalizer

    def _submit(self) -> None:
        self._chunks.append(self._thread.submit(self._decode, torch.stack(self._waiting)))
        self._waiting = []

    @torch.inference_mode()
    def _decode(self, latents: Tensor) -> Tensor:
        state = self._fresh_state.result() if self._state is None else self._state
        of_codec, of_equalizer = state
        audio, of_codec = self._codec.decode_step(latents[None], of_codec)
        audio = audio.float().cpu()
        if self._equalizer is not None:
            equalized, of_equalizer = self._equalizer.step(audio[..., None], of_equalizer)
            audio = equalized[..., 0]
        self._state = of_codec, of_equalizer
        return _finish(audio)


def sentence_seed(seed: int, sentence: int) -> int:
    """Each sentence of a text has noise of its own."""
    return seed * 1_000_003 + sentence


def _finish(audio: Tensor) -> Tensor:
    """A stream (1, T) to samples (T,), limited to what a file can hold."""
    return audio[0].clamp(-1, 1)
