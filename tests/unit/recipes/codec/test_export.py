"""The export of codec runs: what is written, what the card says, what is refused."""

import json
import sys
from pathlib import Path

import pytest
import torch

from latentspeech.audio.io import write_audio
from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import (
    codec_hash,
    decoder_names,
    decoding_hash,
    load_codec_module,
)
from latentspeech.core.config import dump_yaml
from latentspeech.core.errors import CheckpointError, ConfigError
from latentspeech.core.train.engine import TrainConfig
from latentspeech.core.train.state.checkpoint import PARTS, RunState, save_checkpoint
from latentspeech.data.cuts import cuts_from_manifest, write_cuts
from latentspeech.data.manifest import CorpusUtterance
from latentspeech.training.codec_run import CodecDataConfig, CodecRunConfig
from recipes.codec import export as export_codec
from recipes.codec import scores as codec_scores
from recipes.lib.result_folder import KEY_NAME
from tests.tiny_codec import CODEC, MIRRORED, make_codec
from tests.tiny_models import voice_like

OTHER = CODEC.model_copy(update={"decoder": MIRRORED})
TABLE = "| metric | value |\n|---|---|\n| STOI | 0.812 |\n"


def write_run(folder: Path, codec: Codec, step: int = 700) -> Path:
    """A run folder whose averaged weights are those of `codec`."""
    folder.mkdir()
    cuts = folder.parent / "train.jsonl.gz"
    run = CodecRunConfig(
        exp_dir=folder,
        codec=codec.config,
        data=CodecDataConfig(train_cuts=str(cuts), valid_cuts=str(cuts)),
        train=TrainConfig(max_steps=step),
    )
    (folder / "config.yaml").write_text(dump_yaml(run), encoding="utf-8")
    state = RunState(step=step, seconds=7200.0, git_commit="abc123", config_hash="f" * 64)
    tensors = {part: codec.state_dict() if part == "ema" else {} for part in PARTS}
    save_checkpoint(folder / "checkpoints", state, tensors, keep=1)
    return folder


def write_training_cuts(folder: Path) -> None:
    utterances = []
    for number, (source, licence) in enumerate([("made", "CC0-1.0"), ("made", "CC0-1.0")]):
        name = f"{number}.wav"
        write_audio(folder / name, voice_like(1.0), 24_000)
        utterances.append(CorpusUtterance(str(number), name, "s", "", source, licence, 1.0))
    write_cuts(cuts_from_manifest(utterances, folder), folder / "train.jsonl.gz")


def write_scores(folder: Path, made_with: str, command: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "scores.md").write_text(f"{TABLE}\nMeasured with: x\n", encoding="utf-8")
    run = {
        "command": command,
        "commit": "def456",
        "date": "2026-01-02T03:04:05+00:00",
        "hardware": "a computer",
    }
    (folder / "scores.json").write_text(json.dumps({"run": run}), encoding="utf-8")
    (folder / KEY_NAME).write_text(json.dumps({"codec_hash": made_with}), encoding="utf-8")
    return folder


def export(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["export_codec.py", *map(str, arguments)])
    export_codec.main()


@pytest.fixture
def exp_dir(tmp_path: Path) -> Path:
    return write_run(tmp_path / "run", make_codec())


def test_a_plain_export_holds_the_averaged_weights(
    exp_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "models" / "codec"
    export(monkeypatch, "--exp_dir", exp_dir, "--out", out)
    for name, value in load_codec_module(out).state_dict().items():
        assert torch.equal(value, make_codec().state_dict()[name].half().float()), name
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "codec run: 700 steps in 2.00 h" in card
    assert "commit abc123" in card
    assert "Lookahead: 600 samples, 25.0 ms" in card
    assert "25.0 to 91.7 ms" in card
    for heading in ("## Scores", "## Data"):  # nothing was given, so nothing is said
        assert heading not in card
    for heading in ("## Sizes", "## Training", "## Limits", "## Not for"):
        assert heading in card


def test_everything_in_one_directory(
    exp_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A run that started from an exported codec has its encoder rounded to half precision.
    other = make_codec(0, 4, OTHER)
    other.encoder.load_state_dict(
        {name: value.half().float() for name, value in other.encoder.state_dict().items()}
    )
    mirrored = write_run(tmp_path / "mirrored", other, step=300)
    earlier = write_run(tmp_path / "earlier", make_codec(8), step=55)
    write_training_cuts(tmp_path)
    plain, out = tmp_path / "plain", tmp_path / "codec"
    export(monkeypatch, "--exp_dir", exp_dir, "--out", plain)
    command = f"check.py --codec {plain} --cuts human={tmp_path}/test.gz --out {tmp_path}/c"
    scores = write_scores(tmp_path / "c/human", decoding_hash(plain), command)
    # The mirrored decoder was scored in a codec of its own.
    export(monkeypatch, "--exp_dir", mirrored, "--out", tmp_path / "other")
    own_codec = f"check.py --codec {tmp_path}/other --cuts {tmp_path}/test.gz"
    write_scores(tmp_path / "m", decoding_hash(tmp_path / "other"), own_codec)
    beside = "\nBeside the originals:\n\n| metric | originals |\n|---|---|\n| WER | 0.031 |\n"
    (scores / "scores.md").write_text(TABLE + beside, encoding="utf-8")
    notes = tmp_path / "data.md"
    notes.write_text("Recordings of *one* person.\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    export(
        monkeypatch,
        *("--exp_dir", exp_dir, "--out", "codec", "--decoder_exp_dir", f"mirrored={mirrored}"),
        *("--earlier_exp_dir", earlier, "--command", "bash train.sh --now"),
        *("--data", "Nothing secret.", "--data_file", notes, "--list_data"),
        *("--scores", "Held out=c", "Mirrored=m"),
    )
    assert decoder_names(out) == ["mirrored"]
    assert codec_hash(out) == codec_hash(plain)
    loaded = load_codec_module(out, "mirrored")
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, other.state_dict()[name].half().float()), name
    card = (out / "README.md").read_text(encoding="utf-8")
    for text in (
        "codec run 1: 55 steps",
        "codec run: 700 steps",
        "decoder 'mirrored': 300 steps",
        "bash train.sh --now",
        "Nothing secret.",
        "Recordings of *one* person.",
        "2 recordings, 0.00 hours:",
        "| made | not stated | not stated | 1 | 0.00 | CC0-1.0 |",
        "### Held out: human\n\n| metric | value |",
        "| STOI | 0.812 |",
        "| WER | 0.031 |",
        "a computer, 2026-01-02, commit def456",
        "python -m recipes.codec.check --cuts human=test.gz --out c --codec codec\n",
        "### Mirrored\n",
        "python -m recipes.codec.check --cuts test.gz --codec codec --decoder mirrored\n",
        "--model codec --decoder mirrored",
    ):
        assert text in card, text
    assert str(tmp_path) not in card
    millions = sum(value.numel() for value in loaded.decoder.parameters()) / 1e6
    assert f"| decoder 'mirrored' | convnext | {millions:.2f} |" in card


def test_scores_end_a_page(
    exp_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "codec"
    export(monkeypatch, "--exp_dir", exp_dir, "--out", out)
    scores = write_scores(tmp_path / "c", decoding_hash(out), f"check.py --codec {out}")
    monkeypatch.chdir(tmp_path)
    arguments = ["codec_scores.py", "--codec", "codec", "--scores", f"People={scores}"]
    monkeypatch.setattr(sys, "argv", arguments)
    codec_scores.main()
    page = capsys.readouterr().out
    assert page.startswith("\n## Scores\n\n### People\n\n| metric | value |")
    assert page.endswith("python -m recipes.codec.check --codec codec\n```\n")


def test_a_decoder_of_another_encoder_is_refused(
    exp_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "codec"
    lookahead = OTHER.model_copy(update={"lookahead_samples": 0})
    for name, codec, message in (
        ("weights", make_codec(1, 4, OTHER), "other encoder weights"),
        ("settings", make_codec(0, 4, lookahead), "another codec.lookahead_samples"),
    ):
        other = write_run(tmp_path / name, codec)
        with pytest.raises(CheckpointError, match=message):
            export(
                monkeypatch,
                *("--exp_dir", exp_dir, "--out", out, "--decoder_exp_dir", f"mirrored={other}"),
            )
        assert not out.exists()


def test_foreign_scores_and_wrong_options_are_refused(
    exp_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "codec"
    start = ("--exp_dir", exp_dir, "--out", out)
    foreign = write_scores(tmp_path / "foreign", "0123456789abcdef", "check.py --codec x")
    with pytest.raises(CheckpointError, match="scores of codec 0123456789abcdef"):
        export(monkeypatch, *start, "--scores", foreign)
    elsewhere = write_scores(tmp_path / "elsewhere", "0", "check.py --codec /else/where")
    with pytest.raises(ConfigError, match="names /else/where"):
        export(monkeypatch, *start, "--scores", elsewhere)
    with pytest.raises(ConfigError, match=r"has no scores.md"):
        export(monkeypatch, *start, "--scores", exp_dir)
    with pytest.raises(ConfigError, match="expected NAME=FOLDER"):
        export(monkeypatch, *start, "--decoder_exp_dir", exp_dir)
    with pytest.raises(ConfigError, match="expected NAME=FOLDER"):
        export(monkeypatch, *start, "--decoder_exp_dir", f"../up={exp_dir}")
    with pytest.raises(ConfigError, match="--data_file"):
        export(monkeypatch, *start, "--data_file", tmp_path / "none.md")
    assert not out.exists()
