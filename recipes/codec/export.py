"""Writes the averaged weights of codec runs as a model directory with its model card.

One run gives encoder and decoder; each `--decoder_exp_dir NAME=EXP_DIR` gives a further decoder,
trained on the same encoder (this is checked). What the card says of data, training and scores comes
from the runs and from the given folders of recipes.codec.check.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import save_codec, save_decoder
from latentspeech.core.command import run_recipe
from latentspeech.core.config import load_config
from latentspeech.core.errors import CheckpointError, ConfigError
from latentspeech.core.storage.files import atomic_directory
from latentspeech.core.train.state.averaged_weights import Provenance, load_averaged, training_state
from latentspeech.training.codec_run import CodecRunConfig
from recipes.codec.card import CardNotes, codec_card, decoder_card
from recipes.codec.scores import check_scores, read_scores
from recipes.lib.training_data import training_data_table


@dataclass(frozen=True)
class TrainedCodec:
    """The codec that a run trained, and its provenance."""

    exp_dir: Path
    run: CodecRunConfig
    codec: Codec
    provenance: Provenance


def load_trained(exp_dir: Path, name: str) -> TrainedCodec:
    """Loads the averaged weights of the newest checkpoint in `exp_dir`."""
    run = load_config(CodecRunConfig, exp_dir / "config.yaml")
    codec = Codec(run.codec)
    state = load_averaged(exp_dir, codec, "codec")
    return TrainedCodec(exp_dir, run, codec, Provenance(name, state))


def export_codec(
    exp_dir: Path, out: Path, decoder_exp_dirs: Mapping[str, Path], notes: CardNotes
) -> None:
    """Writes the newest checkpoints of the runs to the model directory `out`, replacing it."""
    own = load_trained(exp_dir, "codec run")
    further = {
        name: load_trained(path, f"decoder {name!r}") for name, path in decoder_exp_dirs.items()
    }
    for other in further.values():
        check_same_encoder(own, other)
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_directory(out) as temporary:
        save_codec(own.codec, temporary, "")
        for name, other in further.items():
            save_decoder(
                other.codec, temporary, name, decoder_card(other.codec, name, other.provenance)
            )
        runs = [*notes.runs, own.provenance, *(other.provenance for other in further.values())]
        scores = [check_scores(score, temporary, out) for score in notes.scores]
        decoders = {name: other.codec for name, other in further.items()}
        card = codec_card(own.codec, decoders, out, replace(notes, scores=tuple(scores)), runs)
        (temporary / "README.md").write_text(card, encoding="utf-8")


def check_same_encoder(own: TrainedCodec, other: TrainedCodec) -> None:
    """Raises CheckpointError unless both encoders will be stored as the same numbers."""
    fields = ("sample_rate", "latent_dim", "frames_per_latent", "lookahead_samples", "encoder")
    for field in fields:
        if getattr(own.run.codec, field) != getattr(other.run.codec, field):
            raise CheckpointError(
                f"{other.exp_dir} has another codec.{field} than {own.exp_dir}; a further decoder "
                "must be trained on the same encoder"
            )
    weights = other.codec.encoder.state_dict()
    differing = [
        name
        for name, tensor in own.codec.encoder.state_dict().items()
        # Compared as stored: a run that started from a model directory got rounded weights.
        if not torch.equal(tensor.half(), weights[name].half())
    ]
    if differing:
        raise CheckpointError(
            f"{other.exp_dir} has other encoder weights than {own.exp_dir} ({len(differing)} "
            f"tensors, first {differing[0]}); train the further decoder from the exported codec "
            "with loss.freeze_encoder_step: 0"
        )


def pairs(texts: list[str], what: str) -> dict[str, Path]:
    """Parses NAME=PATH; ConfigError for other texts and for names that no folder can have."""
    found: dict[str, Path] = {}
    for text in texts:
        name, equals, path = text.partition("=")
        if not equals or not name.replace("-", "").replace("_", "").isalnum() or name in found:
            raise ConfigError(
                f"{what} {text!r}: expected NAME=FOLDER, names of letters, digits, - and _, "
                "each once"
            )
        found[name] = Path(path)
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--exp_dir", type=Path, required=True, help="folder of the codec run")
    add("--out", type=Path, required=True, help="model directory to write")
    add(
        "--decoder_exp_dir",
        nargs="*",
        default=[],
        metavar="NAME=EXP_DIR",
        help="further decoders: runs on the same, frozen encoder",
    )
    add(
        "--earlier_exp_dir",
        type=Path,
        nargs="*",
        default=[],
        help="runs whose weights this one started from, first to last, for the card",
    )
    add("--command", default="", help="for the card: the command that trains it")
    add("--data", default="", help="for the card: what it was trained on, and the licences")
    add("--data_file", type=Path, help="the same, from a Markdown file")
    add("--list_data", action="store_true", help="for the card: table of the run's training cuts")
    add(
        "--scores",
        nargs="*",
        default=[],
        metavar="[HEADING=]FOLDER",
        help="for the card: result folders of recipes.codec.check, made with this codec",
    )
    arguments = parser.parse_args()
    export_codec(
        arguments.exp_dir,
        arguments.out,
        pairs(arguments.decoder_exp_dir, "--decoder_exp_dir"),
        read_notes(arguments),
    )


def read_notes(arguments: argparse.Namespace) -> CardNotes:
    """The notes that the options give for the card."""
    data = [arguments.data]
    if arguments.data_file is not None:
        if not arguments.data_file.is_file():
            raise ConfigError(f"--data_file {arguments.data_file} not found; give a Markdown file")
        data.append(arguments.data_file.read_text(encoding="utf-8").strip())
    earlier = [
        Provenance(f"codec run {number}", training_state(path))
        for number, path in enumerate(arguments.earlier_exp_dir, start=1)
    ]
    if arguments.list_data:
        run = load_config(CodecRunConfig, arguments.exp_dir / "config.yaml")
        data.append(training_data_table(Path(run.data.train_cuts)))
    return CardNotes(
        command=arguments.command,
        data="\n\n".join(text for text in data if text),
        runs=tuple(earlier),
        scores=tuple(score for text in arguments.scores for score in read_scores(text)),
    )


if __name__ == "__main__":
    run_recipe(main)
