"""A score of less than the whole, of a late copy or of telephone speech does not pass unmarked."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from latentspeech.audio.io import resample, write_audio
from latentspeech.core.errors import InputError
from latentspeech.core.eval.report import EvalReport, Flag
from latentspeech.core.eval.report_markdown import render
from latentspeech.eval.metrics.mel_distance import MelDistance
from latentspeech.eval.metrics.si_sdr import SiSdr
from latentspeech.eval.metrics.similarity import SpeakerSimilarity
from latentspeech.eval.models.speakers.speaker_model import SpeakerModel
from latentspeech.eval.scoring.evaluate import evaluate
from latentspeech.eval.scoring.files import ScoreInputs
from latentspeech.eval.scoring.flags import Lengths
from latentspeech.eval.scoring.pair import EvalPair
from latentspeech.eval.scoring.run import score_inputs
from tests.cli_runner import latentspeech

RATE = 24_000


def speech(seconds: float = 3.0, seed: int = 0) -> Tensor:
    """Noise in syllables."""
    generator = torch.Generator().manual_seed(seed)
    num = int(seconds * RATE)
    loudness = torch.rand(int(seconds * 8) + 1, generator=generator).square()
    envelope = torch.nn.functional.interpolate(loudness[None, None], num, mode="linear")[0, 0]
    return 0.3 * envelope * torch.randn(num, generator=generator)


def score(folder: Path, reference: Tensor, hypothesis: Tensor) -> EvalReport:
    for name, audio in (("ref", reference), ("hyp", hypothesis)):
        write_audio(folder / f"{name}.wav", audio, RATE)
    pair = EvalPair("u", folder / "hyp.wav", folder / "ref.wav")
    return evaluate([pair], [MelDistance(), SiSdr()])


def test_a_copy_that_breaks_off_is_flagged_in_every_metric(tmp_path: Path) -> None:
    audio = speech()
    report = score(tmp_path, audio, 0.5 * audio[: 2 * RATE] + 0.001)
    reason = (
        "hypothesis is 33% shorter than the reference (2.00 s, 3.00 s): only the common part is "
        "compared"
    )
    assert report.flags == [Flag("u", "Mel", reason), Flag("u", "SI-SDR", reason)]
    assert [report.num_flagged(metric.name) for metric in report.metrics] == [1, 1]
    text = render(report)
    assert "| 1, 1 flagged | 0 |" in text
    assert f"- u: {reason} (Mel, SI-SDR)" in text
    stored = json.loads(json.dumps(report.to_dict()))
    assert EvalReport.from_dict(stored).flags == report.flags
    del stored["flags"]  # as in a report from before there were flags
    assert EvalReport.from_dict(stored).flags == []


def test_a_late_copy_is_flagged_and_an_equal_one_is_not(tmp_path: Path) -> None:
    audio = speech()
    noisy = audio + 0.01 * speech(seed=9)
    report = score(tmp_path, audio, torch.cat((torch.zeros(240), noisy)))
    assert [flag.reason for flag in report.flags] == [
        "hypothesis is 10.0 ms later than the reference"
    ] * 2
    assert score(tmp_path, audio, noisy).flags == []
    assert score(tmp_path, audio, noisy[: -RATE // 20]).flags == []  # half a frame of a codec


@pytest.mark.parametrize(
    ("reference_s", "hypothesis_s", "differ"),
    [(1.0, 1.09, False), (1.0, 0.89, True), (20.0, 19.65, False), (20.0, 20.45, True)],
)
def test_the_share_that_is_passed_over(
    reference_s: float, hypothesis_s: float, differ: bool
) -> None:
    assert Lengths(reference_s, hypothesis_s).differ is differ


def test_strict_refuses_unequal_lengths_before_scoring(tmp_path: Path) -> None:
    write_audio(tmp_path / "ref.wav", speech(), RATE)
    write_audio(tmp_path / "hyp.wav", speech()[: 2 * RATE], RATE)
    inputs = ScoreInputs(hypothesis=tmp_path / "hyp.wav", reference=tmp_path / "ref.wav")
    with pytest.raises(InputError, match=r"1 pair\(s\) differ in length by more than 2%.*Mel"):
        score_inputs(inputs, ["mel"], strict=True)
    assert len(score_inputs(inputs, ["mel"]).flags) == 1
    files = ("--hyp", tmp_path / "hyp.wav", "--ref", tmp_path / "ref.wav", "--metrics", "mel")
    refused = latentspeech("score", *files, "--strict")
    assert refused.returncode == 2
    assert b"(2.00 s, 3.00 s)" in refused.stderr
    write_audio(tmp_path / "hyp.wav", speech(), RATE)
    assert latentspeech("score", *files, "--strict").returncode == 0


class Ear(SpeakerModel):
    """Hears two numbers in a recording."""

    name = label = "ear"

    def prepare(self) -> None:
        """Nothing to load."""

    def describe(self) -> dict[str, Any]:
        return {"model": "ear"}

    def _embed(self, audio: Tensor) -> Tensor:
        return torch.stack((audio.abs().mean(), audio.std()))


def test_telephone_speech_is_said_where_voices_are_compared(tmp_path: Path) -> None:
    scorer = SpeakerSimilarity("ge2e")
    scorer.__dict__["_model"] = Ear()
    wide, telephone = speech(), resample(resample(speech(), RATE, 8000), 8000, RATE)
    for reference, hypothesis, narrow in (
        (wide, wide, None),
        (wide, telephone, ["the hypothesis"]),
        (telephone, telephone, ["a reference recording", "the hypothesis"]),
    ):
        details = scorer.score(reference, hypothesis, RATE, None).details
        assert details.get("narrow_band") == narrow
    for name, audio in (("ref", wide), ("hyp", telephone)):
        write_audio(tmp_path / f"{name}.wav", audio, RATE)
    report = evaluate([EvalPair("u", tmp_path / "hyp.wav", tmp_path / "ref.wav")], [scorer])
    reason = "the hypothesis holds nothing above 4 kHz, as telephone calls do"
    assert report.flags == [Flag("u", scorer.name, reason)]
