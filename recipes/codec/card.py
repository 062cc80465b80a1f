"""The model card of a codec: every figure is computed from the codec or read from a measurement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import DEFAULT_NAME
from latentspeech.core.train.state.averaged_weights import Provenance
from latentspeech.model_names import MODELS_FOLDER
from recipes.codec.scores import CodecScores

_STORED_BYTES = 2  # float16

_LIMITS = """## Limits

- It keeps speech like that of the data above: its languages, voices and recording conditions.
  Music, noise and several people at once go through, but it was not made to keep them.
- What it does not recognise it invents: a sound that the latents do not hold comes back as a
  likely one, so that a copy can hold a wrong phone or change a voice, most of all in noise.
- Mono, nothing above half the sample rate, and a copy does not follow the original's waveform."""

_NOT_FOR = """## Not for

- Evidence, archives or anything in which a changed word or voice does harm: keep the original.
- Copies of the voice of a person who has not agreed, or deceiving anyone about who speaks.
- Hiding that audio was processed or made: say so."""


@dataclass(frozen=True)
class CardNotes:
    """Facts that only the person who exports the codec knows."""

    command: str = ""  # the command that trains it
    data: str = ""  # what it was trained on, with licences; Markdown
    runs: tuple[Provenance, ...] = ()  # earlier runs, whose weights the run started from
    scores: tuple[CodecScores, ...] = ()


def codec_card(
    codec: Codec,
    decoders: Mapping[str, Codec],
    out: Path,
    notes: CardNotes,
    runs: Sequence[Provenance],
) -> str:
    """README.md of the model directory `out` of `codec` and further `decoders`."""
    config = codec.config
    parts = [
        f"# sigma-VAE speech codec, {config.hop_length}x / {config.latent_dim}",
        "Turns speech into a few continuous latents a second and back: a variational autoencoder "
        "with a fixed posterior deviation, after Multimodal Latent Language Modeling with "
        "Next-Token Diffusion (arXiv 2412.08635). Causal, and streams exactly: any chunks give "
        "the samples of the whole file.",
        _use(decoders, out),
        _sizes(codec, decoders),
        _training(notes.command, runs),
    ]
    if notes.data:
        parts.append(f"## Data and licences\n\n{notes.data}")
    if notes.scores:
        parts.append("## Scores")
        parts += [score.to_markdown() for score in notes.scores]
    return "\n\n".join([*parts, _LIMITS, _NOT_FOR]) + "\n"


def decoder_card(codec: Codec, name: str, provenance: Provenance) -> str:
    """README.md of a further decoder."""
    return (
        f"# Decoder {name!r} ({codec.config.decoder.kind})\n\n"
        "Another decoder of the latents of the codec that this folder lies in, whose card says "
        f"everything else. {_millions(codec.decoder)} million parameters.\n\n{provenance.line()}\n"
    )


def _use(decoders: Mapping[str, Codec], out: Path) -> str:
    # The codec that ships is the default: it needs no option.
    ships = out.resolve() == (MODELS_FOLDER / DEFAULT_NAME).resolve()
    model = "" if ships else f" --model {out}"
    lines = [
        f"latentspeech codec encode speech.wav speech.safetensors{model}",
        f"latentspeech codec decode speech.safetensors copy.wav{model}",
    ]
    lines += [
        f"latentspeech codec decode speech.safetensors {name}.wav{model} --decoder {name}"
        for name in decoders
    ]
    return "## Use\n\n```bash\n" + "\n".join(lines) + "\n```"


def _sizes(codec: Codec, decoders: Mapping[str, Codec]) -> str:
    config = codec.config
    rows = [
        ("encoder", config.encoder.kind, codec.encoder),
        ("decoder", config.decoder.kind, codec.decoder),
    ]
    rows += [
        (f"decoder {name!r}", other.config.decoder.kind, other.decoder)
        for name, other in decoders.items()
    ]
    lines = ["| part | kind | parameters, millions | MB as float16 |", "|---|---|---|---|"]
    lines += [
        f"| {part} | {kind} | {_millions(module)} | {_megabytes(module)} |"
        for part, kind, module in rows
    ]
    ms = 1000 / config.sample_rate
    frame, ahead = config.hop_length * ms, config.lookahead_samples * ms
    table = "\n".join(lines)
    return f"""## Sizes

{table}

- In and out: {config.sample_rate} Hz, mono. Any rate and number of channels is converted.
- Latents: {config.frame_rate:g} a second of {config.latent_dim} channels, one for \
{config.hop_length} samples.
- Lookahead: {config.lookahead_samples} samples, {ahead:.1f} ms. A latent is ready that long after \
its frame.
- Latency from a sample to its copy, without the time of computing: {ahead:.1f} to \
{frame + ahead:.1f} ms. Decoding adds none."""


def _training(command: str, runs: Sequence[Provenance]) -> str:
    lines = "\n".join(f"- {run.line()}" for run in runs)
    text = f"## Training\n\nAveraged weights of the last step:\n\n{lines}"
    return f"{text}\n\n```bash\n{command}\n```" if command else text


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _millions(module: nn.Module) -> str:
    return f"{_count(module) / 1e6:.2f}"


def _megabytes(module: nn.Module) -> str:
    return f"{_STORED_BYTES * _count(module) / 1e6:.1f}"
