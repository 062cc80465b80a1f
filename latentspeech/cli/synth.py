"""`latentspeech synth`: speaks a text in the voice of a recording."""

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from latentspeech.cli.delivery import make_delivery
from latentspeech.cli.options import JsonOption, ModelOption, QuietOption
from latentspeech.cli.transcript import find_transcript
from latentspeech.core.command import report
from latentspeech.core.errors import ConfigError, InputError

if TYPE_CHECKING:
    from latentspeech.codec.runtime import Floats
    from latentspeech.tts.speaking.piece_speaker import Chunk
    from latentspeech.tts.synthesizer import Synthesizer
    from latentspeech.tts.words.word_clock import WordTime

DEFAULT_OUT = Path("out.wav")
SECONDS_PER_CHARACTER = 1 / 15  # of speech, about, to compare its size with the free space


def synth(
    text: Annotated[str | None, typer.Option(help="What to say; - reads stdin.")] = None,
    text_file: Annotated[
        str | None, typer.Option(help="File with what to say (UTF-8); - reads stdin.")
    ] = None,
    prompt: Annotated[
        Path | None, typer.Option(help="Recording of the voice, best 3 to 10 s.")
    ] = None,
    prompt_text: Annotated[str | None, typer.Option(help="What the recording says.")] = None,
    voice: Annotated[
        str | None, typer.Option(help="Voice file or name (`latentspeech voice list`).")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write, .wav .flac .ogg .opus .mp3 .m4a; replaced if it exists. "
            "Default: out.wav."
        ),
    ] = None,
    model: ModelOption = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same samples.")] = 0,
    cfg_scale: Annotated[
        float | None, typer.Option(help="Guidance, 0.5 to 8; 1 is off. Default: the model's own.")
    ] = None,
    num_steps: Annotated[
        int | None, typer.Option(help="Solver steps a latent, 1 to 100. Default: the model's own.")
    ] = None,
    noise_scale: Annotated[
        float | None,
        typer.Option(
            help="Scale of the noise that latents start from, 0 to 2; below 1 is calmer. Default: "
            "the model's own."
        ),
    ] = None,
    retries: Annotated[
        int | None,
        typer.Option(
            help="How often a sentence that came out wrong is spoken again. Default: 2; 0 with "
            "--stream, where retries hold each sentence back until it is whole.",
        ),
    ] = None,
    equalizer: Annotated[
        bool,
        typer.Option("--equalizer/--no-equalizer", help="Undo how the codec colours the voice."),
    ] = True,
    speed: Annotated[
        float, typer.Option(help="Pace, 0.5 to 2 times the voice's own; the pitch stays.")
    ] = 1.0,
    sentence_pause: Annotated[
        float | None, typer.Option(help="Silence between sentences, s. Default: 0.25.")
    ] = None,
    paragraph_pause: Annotated[
        float | None, typer.Option(help="Silence between paragraphs, s. Default: 0.6.")
    ] = None,
    lexicon: Annotated[
        Path | None,
        typer.Option(help="File of pronunciations: a word, a tab, and a spelling or /IPA/."),
    ] = None,
    timestamps: Annotated[
        Path | None,
        typer.Option(help="File for the times of words: .json, .srt, .vtt or .TextGrid."),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:N or auto.")] = "cpu",
    runtime: Annotated[
        Literal["torch", "onnx", "onnx-int8"] | None,
        typer.Option(help="What runs the model. Default: onnx-int8 for a small one on a CPU."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of torch (--runtime torch). Default: all.")
    ] = None,
    stream: Annotated[
        bool, typer.Option("--stream", help="Write audio to stdout as it is made.")
    ] = False,
    stream_format: Annotated[
        Literal["wav", "s16le", "float32"], typer.Option(help="Format that --stream writes.")
    ] = "wav",
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Refuse a text with words in a script other than Latin."),
    ] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Speak a text, or SSML, in the voice of a recording."""
    _check_output(stream, out, as_json)
    if (prompt is None) == (voice is None):
        raise ConfigError("give either --prompt RECORDING or --voice VOICE")
    spoken = _read_text(text, text_file)
    delivery = make_delivery(speed, sentence_pause, paragraph_pause, lexicon)
    _refuse_wordless(spoken)
    if strict:
        _refuse_foreign(spoken)
    out = out or DEFAULT_OUT

    from latentspeech.audio.writer import check_writable
    from latentspeech.core.config import parse_config
    from latentspeech.core.lm.sampling.config import SamplingConfig
    from latentspeech.tts.length_guard import GUARDED, STREAMED, LengthGuard
    from latentspeech.tts.model_directory import read_tts_config
    from latentspeech.tts.models import find_tts
    from latentspeech.tts.sampling_range import check_speech_sampling
    from latentspeech.tts.synthesizer import Synthesizer
    from latentspeech.tts.words.word_files import check_word_file

    if not stream:  # a long text takes minutes, which a wrong name must not cost
        check_writable(out, seconds=len(spoken) * SECONDS_PER_CHARACTER)
    if timestamps is not None:
        check_word_file(timestamps)
    directory = find_tts(model)
    changes = {"cfg_scale": cfg_scale, "num_steps": num_steps, "noise_scale": noise_scale}
    given = {name: value for name, value in changes.items() if value is not None}
    own = read_tts_config(directory).sampling
    check_speech_sampling(own.model_copy(update=given))  # its range is the narrower one
    sampling = parse_config(SamplingConfig, own.model_dump() | given, "options")
    guard = STREAMED if stream else GUARDED
    if retries is not None:
        guard = parse_config(LengthGuard, {"retries": retries}, "options")
    _check_source(prompt, voice)
    speaker = Synthesizer.from_directory(directory, _device(device), runtime)
    _set_threads(speaker, threads)
    if voice:
        source = speaker.voice(voice)
        source = source if equalizer else replace(source, log_gains=None)
    else:
        uses_text = speaker.model.layout.uses_prompt_text
        hear = partial(find_transcript, quiet=quiet or as_json) if uses_text else None
        source = speaker.prompt(_existing(prompt), prompt_text, equalizer, hear)
    chunks = speaker.stream_chunks(spoken, source, seed, sampling, guard=guard, delivery=delivery)
    samples = _with_times(chunks, speaker, timestamps)
    if stream:
        _stream(samples, speaker.sample_rate, stream_format)
    else:
        _write(samples, speaker.sample_rate, out, seed, quiet=quiet, as_json=as_json)


def _check_output(stream: bool, out: Path | None, as_json: bool) -> None:
    if stream and out is not None:
        raise ConfigError("--stream writes to stdout, so --out cannot; give one of them")
    if stream and as_json:
        raise ConfigError("--stream writes audio to stdout, so --json cannot; leave one out")


def _with_times(
    chunks: "Iterator[Chunk]", speaker: "Synthesizer", timestamps: Path | None
) -> "Iterator[Floats]":
    """Yields the samples of a stream; at its end it writes the times of the words, if asked."""
    from latentspeech.tts.words.word_files import write_words

    if timestamps is not None and not speaker.model.layout.needs_symbol_times:
        raise ConfigError(
            "--timestamps needs a model that knows when its words are heard (layout aligned), and "
            "this one does not; leave the option out or use another --model"
        )

    def samples() -> "Iterator[Floats]":
        words: list[WordTime] = []
        num_samples = 0
        for chunk in chunks:
            words += chunk.words
            num_samples += len(chunk.samples)
            if len(chunk.samples):
                yield chunk.samples
        if timestamps is not None:
            write_words(timestamps, words, num_samples / speaker.sample_rate)

    return samples()


def _check_source(prompt: Path | None, voice: str | None) -> None:
    """Refuses a voice that is missing or of the wrong kind before the model is loaded."""
    from latentspeech.tts.prompt import check_recording, load_voice
    from latentspeech.tts.voices import resolve_voice

    if voice is not None:
        load_voice(resolve_voice(voice))
    else:
        check_recording(_existing(prompt))


def _refuse_wordless(text: str) -> None:
    from latentspeech.text.normalizer import normalize
    from latentspeech.text.reading import plain_text

    plain = plain_text(text)
    if any(character.isalnum() for character in plain):
        return
    if not any(character.isalnum() for character in normalize(plain)):  # "&" becomes a word
        raise InputError(
            f"there is nothing to speak in the text {text[:40]!r}; give at least one word"
        )


def _refuse_foreign(text: str) -> None:
    from latentspeech.text.normalizer import normalize
    from latentspeech.text.pronunciation import readable_part
    from latentspeech.text.reading import plain_text

    readable_part(normalize(plain_text(text)), strict=True)


def _device(asked: str) -> str:
    """The device of the model; torch, which knows the GPUs, is needed for any but the CPU."""
    from latentspeech.core.extras import is_installed, require

    if asked == "cpu" or (asked == "auto" and not is_installed("torch")):
        return "cpu"
    require("torch", "train", f"--device {asked}")
    from latentspeech.core.device import choose_device

    return str(choose_device(asked))


def _set_threads(speaker: "Synthesizer", threads: int | None) -> None:
    """Sets the threads of torch; ConfigError where ONNX Runtime runs the model."""
    from latentspeech.codec.runtime import TorchCodec

    if threads is None:
        return
    if not isinstance(speaker.model.codec, TorchCodec):
        raise ConfigError(
            f"--threads {threads} is for torch, and ONNX Runtime runs this model, with one thread "
            "that writes and one that decodes; leave it out, or add --runtime torch"
        )
    import torch

    torch.set_num_threads(threads)


def _write(
    chunks: "Iterator[Floats]",
    sample_rate: int,
    out: Path,
    seed: int,
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    """Writes the speech while it is spoken; what is spoken is kept if that ends early."""
    from latentspeech.audio.writer import AudioWriter
    from latentspeech.core.command import open_ended_progress, stoppable
    from latentspeech.tts.synthesizer import PROVENANCE

    start = time.perf_counter()
    with (
        stoppable(),
        AudioWriter(out, sample_rate, PROVENANCE, keep_part=True) as writer,
        open_ended_progress("speaking", "s of audio", quiet or as_json) as advance,
    ):
        for chunk in chunks:
            writer.write(chunk)
            advance(len(chunk) / sample_rate)
    seconds = time.perf_counter() - start
    values = {
        "out": str(out),
        "duration_s": writer.duration_s,
        "rtf": seconds / writer.duration_s,
        "seed": seed,
    }
    report(values, f"{out}: {writer.duration_s:.2f} s of speech in {seconds:.2f} s", as_json, quiet)


def _stream(
    chunks: "Iterator[Floats]",
    sample_rate: int,
    stream_format: Literal["wav", "s16le", "float32"],
) -> None:
    from latentspeech.audio.pcm import encode_pcm, wav_stream_header

    output = sys.stdout.buffer
    if stream_format == "wav":
        output.write(wav_stream_header(sample_rate))
    for chunk in chunks:
        output.write(encode_pcm(chunk, "float32" if stream_format == "float32" else "s16le"))
        output.flush()


def _read_text(text: str | None, text_file: str | None) -> str:
    """The text from --text, a file or stdin."""
    if (text is None) == (text_file is None):
        raise ConfigError('give either --text "..." or --text-file FILE (- reads stdin)')
    if text is not None and text != "-":
        return text
    if text_file in (None, "-"):
        data = sys.stdin.buffer.read()
    else:
        path = Path(str(text_file))
        if not path.is_file():
            raise InputError(f"text file not found: {path}; give an existing UTF-8 text file")
        data = path.read_bytes()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"the text is not UTF-8 (byte {error.start}); convert it, for instance with iconv"
        ) from None


def _existing(path: Path | None) -> Path:
    assert path is not None
    return path
