"""The check of a codec by groups of cuts, and the pictures of what it made."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from latentspeech.audio.io import load_audio, write_audio
from latentspeech.codec.model_directory import load_codec_module
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.eval.report import EvalReport
from latentspeech.data.cuts import cuts_from_manifest, write_cuts
from latentspeech.data.manifest import CorpusUtterance
from latentspeech.data.utterances import read_utterances
from recipes.codec import check
from recipes.codec import plot as plot_codec
from recipes.codec.check import (
    METRICS,
    OF_ORIGINALS,
    copy_batch,
    copy_group,
    draw_latents,
    parse_groups,
)
from recipes.lib import plot_training
from recipes.tts.test_set.test_items import held_out_items
from tests.tiny_codec import make_codec_directory
from tests.tiny_models import voice_like


def write_list(folder: Path, group: str, speakers: Sequence[str], seconds: float) -> Path:
    """Two utterances of each speaker as cuts; their path."""
    utterances = []
    for seed, speaker in enumerate(sorted([*speakers, *speakers])):
        name = f"{group}-{speaker}-{seed}"
        write_audio(folder / f"{name}.wav", voice_like(seconds, seed=seed), 24_000)
        made = CorpusUtterance(name, f"{name}.wav", speaker, "Hi.", "made", "CC0-1.0", seconds)
        utterances.append(made)
    path = folder / f"{group}.jsonl.gz"
    write_cuts(cuts_from_manifest(utterances, folder), path)
    return path


@pytest.fixture
def human(tmp_path: Path) -> Path:
    return write_list(tmp_path, "human", ["a", "b"], 1.2)


@pytest.fixture
def synthetic(tmp_path: Path) -> Path:
    return write_list(tmp_path, "synthetic", ["x", "y"], 1.5)


@pytest.fixture
def codec(tmp_path: Path) -> Path:
    return make_codec_directory(tmp_path)


def run_check(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    # The mel distance stands for what needs no reference: the others need models.
    monkeypatch.setattr(check, "OF_ORIGINALS", ("mel",))
    words = [str(word) for word in arguments]
    command = ["check.py", "--device", "cpu", "--metrics", "mel,si-sdr", *words]
    monkeypatch.setattr(sys, "argv", command)
    check.main()


def test_the_metrics_are_those_that_a_codec_is_judged_by() -> None:
    judged = {"mel-dac-class", "pesq", "stoi", "visqol", "wer-w", "dnsmos", "distillmos"}
    judged |= {"sim-ge2e", "sim-campplus"}
    assert judged < set(METRICS)
    assert set(OF_ORIGINALS) == {"distillmos", "dnsmos", "wer-w"}


def test_groups_are_checked_apart(
    tmp_path: Path, codec: Path, human: Path, synthetic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    cuts = ("--cuts", f"human={human}", "--cuts", f"synthetic={synthetic}")
    run_check(monkeypatch, "--codec", codec, "--out", out, *cuts, "--max_items", 3)
    assert not (out / "scores.json").exists()
    reports = {name: EvalReport.read(out / name / "scores.json") for name in ("human", "synthetic")}
    for name, report in reports.items():
        # Speakers take turns.
        assert len({utterance.group for utterance in report.items}) == 2
        assert [utterance.id.split("-")[0] for utterance in report.items] == [name] * 3
        originals = EvalReport.from_dict(json.loads((out / name / "originals.json").read_text()))
        assert [metric.key for metric in originals.metrics] == ["mel"]
        assert originals.metric("mel").value == pytest.approx(0.0, abs=1e-6)
        lines = (out / name / "scores.md").read_text().splitlines()
        value = report.metric("mel").value
        assert lines[2].startswith(f"| Mel | {value:.3f} log10 |")
        beside = lines[lines.index("Beside the originals:") :]
        assert f"| {value:.3f} log10 | +{value:.3f} |" in beside[4]
    table = (out / "groups.md").read_text().splitlines()
    assert table[0] == "| audio | Mel log10 | SI-SDR dB | utterances |"
    assert [line.split(" | ")[0] for line in table[2:]] == [
        "| human copies",
        "| human originals",
        "| synthetic copies",
        "| synthetic originals",
    ]
    assert " | - | 3 |" in table[3]  # SI-SDR of an original is nothing


def test_one_plain_list_stays_where_it_was(
    tmp_path: Path, codec: Path, human: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    run_check(monkeypatch, "--codec", codec, "--out", out, "--cuts", human)
    assert len(EvalReport.read(out / "scores.json").items) == 4
    assert (out / "items.jsonl").is_file()
    assert not (out / "groups.md").exists()
    own = [load_audio(path) for path in sorted((out / "hyp").glob("*.wav"))]
    assert len(own) == 4
    # Another decoder's copies take the place of these.
    mirrored = ("--decoder", "mirrored")
    run_check(monkeypatch, "--codec", codec, "--out", out, "--cuts", human, *mirrored)
    others = [load_audio(path) for path in sorted((out / "hyp").glob("*.wav"))]
    assert not any(torch.equal(*pair) for pair in zip(own, others, strict=True))


def test_librispeech_is_a_group_of_its_own(
    tmp_path: Path, codec: Path, human: Path, synthetic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def items(folder: Path, setting: str, max_items: int) -> object:
        assert (folder, setting) == (tmp_path / "LibriSpeech", "reference")
        return held_out_items(human, "reference", max_items)

    monkeypatch.setattr(check, "librispeech_items", items)
    out, corpus = tmp_path / "out", tmp_path / "LibriSpeech"
    plain = ("--cuts", synthetic, "--librispeech_dir", corpus)
    run_check(monkeypatch, "--codec", codec, "--out", out, *plain)
    ids = [u.id for u in EvalReport.read(out / "librispeech/scores.json").items]
    assert ids
    assert all(name.startswith("human") for name in ids)
    assert all(u.id.startswith("synthetic") for u in EvalReport.read(out / "scores.json").items)


def test_copies_are_made_on_the_codecs_device(
    tmp_path: Path, codec: Path, human: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_codec_module(codec).to("meta")  # holds no numbers: they cannot come back
    heard: list[str] = []

    def encode(audio: torch.Tensor) -> torch.Tensor:
        heard.append(audio.device.type)
        return audio[:, :32].reshape(1, 1, 32)

    def decode(latents: torch.Tensor) -> torch.Tensor:
        heard.append(latents.device.type)
        return latents.new_zeros(1, 1600)

    monkeypatch.setattr(model, "encode", encode)
    monkeypatch.setattr(model, "decode", decode)
    with pytest.raises(NotImplementedError, match="meta"):
        copy_batch(model, read_utterances(human)[:1], tmp_path / "out", sampled=1)
    assert heard == ["meta", "meta"]


@pytest.mark.parametrize("sampled", [None, 3])
def test_copies_made_at_once_are_those_made_alone(
    tmp_path: Path, codec: Path, sampled: int | None
) -> None:
    cuts = [write_list(tmp_path, f"{seconds}s", ["a"], seconds) for seconds in (0.5, 1.23, 2.0)]
    utterances = [one for path in cuts for one in read_utterances(path)]
    model = load_codec_module(codec)
    for one in utterances:
        copy_batch(model, [one], tmp_path / "alone", sampled)
    copy_batch(model, utterances, tmp_path / "at_once", sampled)
    for one in utterances:
        alone, at_once = (
            load_audio(tmp_path / folder / f"hyp/{one.id}.wav") for folder in ("alone", "at_once")
        )
        assert alone.norm() > 0
        torch.testing.assert_close(at_once, alone, atol=1e-3 * float(alone.abs().max()), rtol=0)


def test_a_list_says_the_same_for_any_batch_size(tmp_path: Path, codec: Path, human: Path) -> None:
    test, model = held_out_items(human, "reference", 0), load_codec_module(codec)
    lists = [
        copy_group(model, test, tmp_path / str(size), None, size).path.read_bytes()
        for size in (1, 3)
    ]
    assert lists[0] == lists[1]


def test_a_gpu_that_is_not_there_is_refused_before_the_work(
    tmp_path: Path, codec: Path, human: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match=r"finds 0 GPU\(s\); use --device cpu"):
        run_check(monkeypatch, "--codec", codec, "--out", out, "--cuts", human, "--device", "cuda")
    assert not out.exists()


def test_sampled_latents_are_the_posteriors_and_repeat(
    tmp_path: Path, codec: Path, human: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = {}
    for name, options in {"means": (), "one": (1,), "again": (1,), "two": (2,)}.items():
        seed = [word for option in options for word in ("--sampled", option)]
        out = tmp_path / name
        run_check(monkeypatch, "--codec", codec, "--out", out, "--cuts", human, *seed)
        copies[name] = load_audio(out / "hyp/human-a-0.wav")
    assert torch.equal(copies["one"], copies["again"])
    assert not torch.equal(copies["one"], copies["two"])
    assert not torch.equal(copies["one"], copies["means"])
    means = torch.zeros(1, 2000, 4)
    model = load_codec_module(codec)
    stds = [float(draw_latents(model, means, str(number), 0).std()) for number in range(200)]
    # One sigma an utterance, E|sigma| = 0.5.
    assert sum(stds) / len(stds) == pytest.approx(0.5, abs=0.07)
    assert max(stds) > 1.0 > 0.1 > min(stds)


def test_groups_are_named_on_the_command_line() -> None:
    groups = parse_groups(["human=a/b.jsonl.gz", "c/d=e.jsonl.gz"])
    assert [(group.name, str(group.path)) for group in groups] == [
        ("human", "a/b.jsonl.gz"),
        ("", "c/d=e.jsonl.gz"),
    ]
    for bad in (["a", "b"], ["x=a", "x=b"], ["hyp=a"], ["x y=a"]):
        with pytest.raises(ConfigError, match="--cuts"):
            parse_groups(bad)


def test_copies_are_drawn_below_their_originals(
    tmp_path: Path, codec: Path, human: Path, synthetic: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cuts = ("--cuts", f"human={human}", "--cuts", f"synthetic={synthetic}")
    for name, decoder in {"own": (), "mirrored": ("--decoder", "mirrored")}.items():
        run_check(monkeypatch, "--codec", codec, "--out", tmp_path / name, *cuts, *decoder)
    options = ["--check", f"fast={tmp_path / 'own'}", f"mirrored={tmp_path / 'mirrored'}"]
    options += ["--out", str(tmp_path / "pictures"), "--number", "1", "--min_s", "1"]
    monkeypatch.setattr(sys, "argv", ["plot_codec.py", *options])
    plot_codec.main()
    found = sorted((tmp_path / "pictures").iterdir())
    assert [path.name for path in found] == ["human_1.png", "synthetic_1.png"]
    for path in found:
        assert path.read_bytes().startswith(b"\x89PNG")
        assert 5_000 < path.stat().st_size <= plot_codec.MAX_BYTES
    monkeypatch.setattr(sys, "argv", ["plot_codec.py", *options, "--min_s", "3"])
    with pytest.raises(DataError, match="change --min_s"):
        plot_codec.main()
    monkeypatch.setattr(plot_codec, "MAX_BYTES", 1000)
    with pytest.raises(DataError, match="more than 1000"):
        plot_codec.draw([("x", voice_like(1.0))], "x", tmp_path / "x.png")


def test_a_tone_is_drawn_at_its_frequency() -> None:
    t = torch.arange(24_000) / 24_000
    picture = plot_codec.spectrogram_db((2 * torch.pi * 3000 * t).sin())
    peak = int(picture[:, 50].argmax()) / (len(picture) - 1)
    assert peak * plot_codec.MAX_HZ == pytest.approx(3000, abs=15)


def test_runs_are_drawn_one_after_another_with_scores(
    tmp_path: Path, codec: Path, human: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, losses in {"first": [3.0, 2.0], "second": [1.5]}.items():
        lines = [{"step": 10 * (i + 1), "train/mel_l1": x} for i, x in enumerate(losses)]
        lines.append({"step": lines[-1]["step"], "valid/log_std_mu_over_sigma": 0.5})
        (tmp_path / name).mkdir()
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (tmp_path / name / "metrics.jsonl").write_text(text)
    folders = [tmp_path / "first", tmp_path / "second"]
    curves, starts = plot_training.join_runs(folders)
    assert curves["mel_l1"]["train"] == [(10, 3.0), (20, 2.0), (30, 1.5)]
    assert curves["log_std_mu_over_sigma"]["valid"] == [(20, 0.5), (30, 0.5)]
    assert [(start.name, start.step) for start in starts] == [("first", 0), ("second", 20)]
    run_check(monkeypatch, "--codec", codec, "--out", tmp_path / "out", "--cuts", f"human={human}")
    scores = plot_training.score_curves([f"20={tmp_path / 'out'}"])
    value = EvalReport.read(tmp_path / "out/human/scores.json").metric("mel").value
    assert scores["Mel log10"] == {"human": [(20, value)]}
    picture = tmp_path / "curves.png"
    command = ["--exp_dir", *map(str, folders), "--scores", f"20={tmp_path / 'out'}"]
    command += ["--quantities", "mel_l1", "--out", str(picture)]
    monkeypatch.setattr(sys, "argv", ["plot_training.py", *command])
    plot_training.main()
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(DataError, match="no run logged adversarial"):
        plot_training.choose(curves, ["adversarial"])
    with pytest.raises(ConfigError, match="STEP=FOLDER"):
        plot_training.score_curves([str(tmp_path / "out")])
