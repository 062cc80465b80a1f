"""Turns a text and a prompt into speech, as a whole or in chunks.

Each sentence is written after the prompt and, in the layout `aligned`, after the end of the
sentence before. It has its own seed, derived from the caller's. Its latents are decoded from a new
decoder state, and there are pauses between sentences. `stream` yields in chunks what `synthesize`
returns, and `stream_chunks` the times of words with it. Text may be SSML (text/reading/ssml.py).

A sentence of more than `MAX_SENTENCE_CHARACTERS` is spoken in pieces, with a pause between them;
the continuation of a recording (tts/continuation.py) is not split.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from latentspeech.audio.io import write_audio
from latentspeech.audio.stretching import Stretcher
from latentspeech.core.errors import CheckpointError, InputError
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.version import VERSION
from latentspeech.text.normalizer import NormalizedText, normalize
from latentspeech.text.pronunciation import readable_part
from latentspeech.text.reading import PLAIN, Delivery, Reading, read_text
from latentspeech.text.tokenizers import MisakiTokenizer
from latentspeech.tts.latent_writer import Sentence, write
from latentspeech.tts.length_guard import GUARDED, STREAMED, LengthGuard
from latentspeech.tts.model_directory import RuntimeKind, TTSModel, load_tts
from latentspeech.tts.prompt import Hear, Prompt, encode_prompt, load_voice
from latentspeech.tts.retries import WrittenSentence
from latentspeech.tts.sampling_range import check_speech_sampling
from latentspeech.tts.speaking.parts import SpokenParts, later_chunks, silence
from latentspeech.tts.speaking.piece_speaker import Chunk, PieceSpeaker
from latentspeech.tts.threaded_decoder import stretch, to_samples
from latentspeech.tts.voices import builtin_voices, resolve_voice
from latentspeech.tts.words.onset import Onset
from latentspeech.tts.words.symbol_words import PieceSymbols, piece_symbols
from latentspeech.tts.words.word_clock import WordTime, times_of_words

if TYPE_CHECKING:
    import torch

Samples = NDArray[np.float32]
Latents = NDArray[np.float32]

MAX_SENTENCE_CHARACTERS = 200
PROVENANCE = f"synthetic speech, made by latentspeech {VERSION}"


@dataclass(frozen=True)
class Audio:
    """Mono samples (T,) in [-1, 1], a float32 array of numpy."""

    samples: Samples
    sample_rate: int
    words: tuple[WordTime, ...] = ()  # as written, with their times (layout `aligned`; else none)

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

    def reading(self, text: str, delivery: Delivery = PLAIN) -> Reading:
        """Divides a text into the pieces that would be spoken, with its written words.

        Raises:
            InputError: there is nothing to speak, or SSML is wrong.
            ConfigError: the pace is out of range.
        """
        readable = readable_part if isinstance(self.model.tokenizer, MisakiTokenizer) else as_it_is
        reading = read_text(text, delivery, MAX_SENTENCE_CHARACTERS, readable)
        if not reading.pieces:
            raise InputError(
                f"there is nothing to speak in the text {text[:40]!r}; give at least one word"
            )
        return reading

    def synthesize(
        self,
        text: str,
        prompt: Prompt | Path | str,
        seed: int = 0,
        sampling: SamplingConfig | None = None,
        guard: LengthGuard = GUARDED,
        delivery: Delivery = PLAIN,
    ) -> Audio:
        """Speaks a text of any length; the same seed gives the same samples.

        Args:
            text: written English, or SSML if it begins with `<speak`.
            prompt: a voice, the name or file of a voice, or a recording.
            seed: seed of all noise.
            sampling: how latents are drawn; None uses the sampling of the model directory.
            guard: measures against a sentence that is too short or too long.
            delivery: speed, pauses and the pronunciations of words.

        Raises:
            InputError: there is nothing to speak, SSML is wrong, or the recording cannot serve as a
                prompt.
            ConfigError: no speech comes out with such sampling (tts/sampling_range.py) or at such
                a pace, or the model cannot do what SSML or the lexicon asks.
        """
        return self.synthesize_batch([text], [prompt], [seed], sampling, guard, delivery)[0]

    def synthesize_batch(
        self,
        texts: Sequence[str],
        prompts: Sequence[Prompt | Path | str],
        seeds: Sequence[int],
        sampling: SamplingConfig | None = None,
        guard: LengthGuard = GUARDED,
        delivery: Delivery = PLAIN,
    ) -> list[Audio]:
        """Speaks several texts at once; each result equals that of a single call up to rounding."""
        sampling = self._sampling(sampling)
        readings = [self.reading(text, delivery) for text in texts]
        voices = [self.as_prompt(prompt) for prompt in prompts]
        spoken = [SpokenParts(self.sample_rate) for _ in texts]
        before: list[Latents | None] = [None] * len(texts)
        for number in range(max(len(reading.pieces) for reading in readings)):
            rows = [i for i, reading in enumerate(readings) if number < len(reading.pieces)]
            pieces = [self._symbols(readings[i], number, delivery) for i in rows]
            now = [
                self._sentence(piece, voices[i], seeds[i], number, before[i], guard)
                for i, piece in zip(rows, pieces, strict=True)
            ]
            all_written = write(self.model, now, sampling, guard.retries)
            for i, piece, written in zip(rows, pieces, all_written, strict=True):
                before[i] = written.latents
                spoken[i].add_pause(readings[i].pieces[number].pause_s)
                spoken[i].add(*self._decode_piece(piece, written, voices[i]))
        for parts, reading in zip(spoken, readings, strict=True):
            parts.add_pause(reading.pause_after_s)
        return [Audio(parts.samples, self.sample_rate, parts.words) for parts in spoken]

    def stream(
        self,
        text: str,
        prompt: Prompt | Path | str,
        seed: int = 0,
        sampling: SamplingConfig | None = None,
        chunk_frames: int = 16,
        guard: LengthGuard = STREAMED,
        delivery: Delivery = PLAIN,
    ) -> Iterator[Samples]:
        """Yields samples (n,) while latents are written, in chunks of 1, 2, 4, ... latents.

        A chunk has at most `chunk_frames` latents. Audio that was already yielded cannot be spoken
        again, so if the guard has retries, a sentence is held back until it is complete. The
        samples are those of `synthesize` with the same guard.
        """
        for chunk in self.stream_chunks(
            text, prompt, seed, sampling, chunk_frames, guard, delivery
        ):
            if len(chunk.samples):
                yield chunk.samples

    def stream_chunks(
        self,
        text: str,
        prompt: Prompt | Path | str,
        seed: int = 0,
        sampling: SamplingConfig | None = None,
        chunk_frames: int = 16,
        guard: LengthGuard = STREAMED,
        delivery: Delivery = PLAIN,
    ) -> Iterator[Chunk]:
        """Yields what `stream` does, with the words and their times.

        A word comes once its end is known. Speech is written many times faster than it is heard,
        so a player that shows words knows them in time. A chunk may have words and no samples.
        """
        if chunk_frames < 1:
            raise InputError(f"chunk_frames is {chunk_frames}; expected at least 1")
        voice = self.as_prompt(prompt)
        speaker = PieceSpeaker(self.model, self._sampling(sampling), chunk_frames)
        reading = self.reading(text, delivery)
        before: Latents | None = None
        num_samples = 0
        for number, part in enumerate(reading.pieces):
            if part.pause_s:
                pause = silence(part.pause_s, self.sample_rate)
                num_samples += len(pause)
                yield Chunk(pause)
            piece = self._symbols(reading, number, delivery)
            sentence = self._sentence(piece, voice, seed, number, before, guard)
            chunks = speaker.speak(sentence, piece, guard.retries)
            before, length = yield from later_chunks(chunks, num_samples, self.sample_rate)
            num_samples += length
        if reading.pause_after_s:
            yield Chunk(silence(reading.pause_after_s, self.sample_rate))

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
            Sentence(normalize(text), self.as_prompt(prompt), seed, None, guard.min_length)
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

    def as_prompt(self, prompt: Prompt | Path | str) -> Prompt:
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

    def _symbols(self, reading: Reading, number: int, delivery: Delivery) -> PieceSymbols:
        timed = self.model.layout.needs_symbol_times
        piece = reading.pieces[number]
        return piece_symbols(self.model.tokenizer, reading, piece, delivery.speed, timed)

    def _sentence(
        self,
        piece: PieceSymbols,
        voice: Prompt,
        seed: int,
        number: int,
        before: Latents | None,
        guard: LengthGuard,
    ) -> Sentence:
        own_seed = sentence_seed(seed, number)
        return Sentence(piece.text, voice, own_seed, before, guard.min_length, piece.ids)

    def _decode_piece(
        self, piece: PieceSymbols, written: WrittenSentence, voice: Prompt
    ) -> tuple[Samples, tuple[WordTime, ...]]:
        """Returns the samples (n,) of a piece at its pace, and its words' times."""
        latents, frame_rate = written.latents, self.model.codec.config.frame_rate
        samples = self.decode(latents, voice)
        words, rates = times_of_words(piece, written.symbol_frames, len(latents), frame_rate)
        if piece.is_stretched:
            stretcher = Stretcher(self.sample_rate)
            samples = np.concatenate((stretch(stretcher, samples, rates), stretcher.finish()))
        return samples, Onset(self.sample_rate).step(samples, words, last=True)


def as_it_is(text: NormalizedText) -> NormalizedText:
    """Returns the text; the tokenizer takes all of its words."""
    return text


def sentence_seed(seed: int, sentence: int) -> int:
    """Returns the seed of one sentence, since each sentence of a text has its own noise."""
    return seed * 1_000_003 + sentence
