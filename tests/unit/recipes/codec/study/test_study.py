"""The study's commands: rows and differences of the parts, and a search for better latents."""

from pathlib import Path

import pytest
import torch

from latentspeech.audio.io import load_audio
from latentspeech.codec.losses.loudness_loss import LoudnessLoss
from latentspeech.codec.losses.mel_loss import MultiScaleMelLoss
from latentspeech.codec.model_directory import load_codec_module
from latentspeech.core.eval.report import EvalReport
from recipes.codec.study import parts, search
from recipes.codec.study.changes import COPY, changes
from tests.tiny_codec import make_codec, make_codec_directory
from tests.tiny_codec_run import cuts_of_two_voices
from tests.tiny_models import voice_like


def mel(folder: Path) -> float:
    value = EvalReport.read(folder / "scores.json").metric("mel").value
    assert value is not None
    return value


@pytest.mark.slow
def test_each_part_is_a_row_beside_the_decoders_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    codec, cuts, out = make_codec_directory(tmp_path), cuts_of_two_voices(tmp_path), tmp_path / "o"
    options = ["--codec", codec, "--cuts", cuts, "--out", out, "--metrics", "mel"]
    monkeypatch.setattr("sys.argv", ["parts", *map(str, options)])
    parts.main()
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")][1:]
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == list(changes(24_000))
    assert rows[0].endswith("| +0.00 |")
    assert (out / "parts.png").is_file()
    original = load_audio(out / "ref/a.wav", 24_000)
    loaded = load_codec_module(codec)
    with torch.inference_mode():
        copy = loaded.decode(loaded.encode(original[None]), len(original))[0].clamp(-1, 1)
    assert torch.allclose(load_audio(out / COPY / "hyp/a.wav", 24_000), copy, atol=1e-3)
    assert mel(out / "recording_through_the_same_frames") < 0.2 * mel(out / COPY)
    monkeypatch.setattr("sys.argv", ["search", *map(str, options), "--steps", "2"])
    search.main()
    (row,) = capsys.readouterr().out.splitlines()[2:]
    assert row.startswith(f"| {search.SEARCHED} | ")
    assert not row.endswith("| +0.00 |")


def test_the_search_changes_the_latents_alone_and_lowers_the_loss() -> None:
    codec, audio = make_codec(), voice_like(0.6)
    weights = {name: value.clone() for name, value in codec.state_dict().items()}
    start = codec.encode(audio[None])
    found = search.search(codec, audio, 20)
    assert all(torch.equal(value, weights[name]) for name, value in codec.state_dict().items())
    mel, loudness = MultiScaleMelLoss(search.MEL), LoudnessLoss(24_000)

    def loss(latents: torch.Tensor) -> float:
        with torch.no_grad():
            copy = codec.decode(latents, len(audio))
            return float(15 * mel(copy, audio[None]) + 5 * loudness(copy, audio[None]))

    assert loss(found) < loss(start) - 0.5
