"""RESULTS.md: the paper's rows first, ours below, nothing in a column that is not its own."""

from pathlib import Path

import pytest

from latentspeech.codec.config import CodecConfig, ConvNeXtConfig
from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import save_codec
from latentspeech.core.errors import ConfigError
from latentspeech.core.eval.paper_tables.table import load_paper_table
from latentspeech.core.eval.report import EvalReport, MetricResult
from latentspeech.core.eval.report_markdown import write_report
from latentspeech.core.storage.files import write_json
from recipes.codec_benchmark.results import mel_table, quality_table, speed_table
from recipes.tts.pack_model import parse_scores
from recipes.tts.published_rows import published_rows


def metric(key: str, name: str, value: float, unit: str = "") -> MetricResult:
    return MetricResult(
        key=key,
        name=name,
        unit=unit,
        higher_is_better=True,
        held_against="reference",
        value=value,
        interval=(value - 0.1, value + 0.1),
        group_interval=None,
        num_scored=2,
        num_failed=0,
        totals={},
        description={},
    )


def report(*metrics: MetricResult) -> EvalReport:
    return EvalReport(list(metrics), [], [], {})


@pytest.fixture
def codec_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "codec"
    folder.mkdir()
    side = ConvNeXtConfig(strides=(2, 4, 5, 5, 8), base_channels=1, depths=(0, 0, 0, 0, 0, 1))
    save_codec(Codec(CodecConfig(latent_dim=4, encoder=side, decoder=side)), folder, "card")
    return folder


def row_of(text: str, start: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {start} |"))
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_a_tts_runs_results_have_both_tables(tmp_path: Path, codec_dir: Path) -> None:
    check, scores = tmp_path / "check", tmp_path / "scores"
    check.mkdir()
    scores.mkdir()
    found = report(metric("pesq", "PESQ-WB", 1.5), metric("si-sdr", "SI-SDR", 3.0, "dB"))
    write_report(found, check / "scores.json")
    spoken = report(metric("wer-w", "WER-W", 5.0, "%"), metric("wer-h", "WER-H", 4.0, "%"))
    values = {kind: spoken.to_dict() for kind in ("synthesis", "recordings")}
    write_json(scores / "scores.json", values)
    text = published_rows(codec_dir, check, {"reference": scores})
    copies = row_of(text, "sigma-VAE 4-d of this run")
    assert copies[:5] == ["sigma-VAE 4-d of this run", "this run", "1", "15", "1600"]
    assert copies[6] == "1.500 (1.400 to 1.600)"
    assert copies[-1] == "3.000 (2.900 to 3.100)"  # SI-SDR is not of the paper
    synthesis = row_of(text, "synthesis of this run")
    assert synthesis[2] == "15"
    assert synthesis[5] == "4.0 (3.9 to 4.1)"  # WER-H after a reference utterance
    assert synthesis[8].startswith("- [")  # and not after a prefix
    assert synthesis[-1] == "5.000 (4.900 to 5.100)"  # WER-W is not WER-C
    assert row_of(text, "recordings of this run")[2].startswith("- [")
    assert text.index("| MELLE |") < text.index("| synthesis of this run |")
    assert published_rows(codec_dir, None, {}) == ""


def test_what_the_paper_does_not_do_has_a_row_of_its_own(tmp_path: Path, codec_dir: Path) -> None:
    folders = {}
    for number, setting in enumerate(("reference", "prefix", "reference_ours", "prefix_ours")):
        folders[setting] = tmp_path / setting
        folders[setting].mkdir()
        spoken = report(metric("wer-h", "WER-H", 1.0 + number, "%"))
        values = {kind: spoken.to_dict() for kind in ("synthesis", "recordings")}
        write_json(folders[setting] / "scores.json", values)
    text = published_rows(codec_dir, None, folders)
    found = {}
    for ending in (
        "",
        ", 3 s prefix",
        ", reference utterance, in this project's way",
        ", 3 s prefix, in this project's way",
    ):
        found[ending] = row_of(text, f"synthesis of this run{ending}")
    assert [row[5 if "prefix" not in name else 8][:3] for name, row in found.items()] == [
        "1.0",
        "2.0",
        "3.0",
        "4.0",
    ]
    assert text.count("| recordings of this run") == 2
    for setting in ("reference utterance, in this project's way", "3 s prefix"):
        assert f"- {setting}, of this run: " in text


def test_scores_are_named_by_their_setting() -> None:
    found = parse_scores(["reference=a", "prefix_ours=b=c"])
    assert found == {"reference": Path("a"), "prefix_ours": Path("b=c")}
    assert parse_scores(["exp/scores"]) == {"reference_ours": Path("exp/scores")}
    for wrong in (["other=a"], ["reference="], ["reference=a", "reference=b"]):
        with pytest.raises(ConfigError, match="expected SETTING=FOLDER"):
            parse_scores(wrong)


def fact(name: str, hole: str | None) -> dict[str, object]:
    speed = {"encode_rtf": 0.5, "decode_rtf": 0.25, "encode_x_anchor": 2.0, "decode_x_anchor": None}
    return {
        "title": "Encodec",
        "num_quantizers": 8,
        "frame_rate": 75.0,
        "token_reduction_ratio": 40.0,
        "latent_dim": None,
        "causal": True,
        "hole": hole,
        "sizes": {"encoder": 1e6, "quantizer": 2e6, "decoder": 3e6, "total": 6e6},
        "speeds": [speed, speed],
    }


def test_tables_of_the_codec_benchmark() -> None:
    facts = {"here": fact("here", None), "absent": fact("absent", "fetch it")}
    facts["bare"] = {"name": "bare", "left_out": "needs a package; run: pip install it"}
    reports = {
        "here": report(metric("mel-dac-class", "Mel", 1.0), metric("mel", "Mel", 0.2)),
    }
    quality = quality_table(load_paper_table(5), facts, reports)
    assert len(quality.rows) == 13 + 3
    assert len(quality.headings) == 2 + 8  # the mel variants have a table of their own
    assert quality.rows[-3][5] == "1.000 (0.900 to 1.100)"
    assert quality.rows[-2][2] == "8"
    assert quality.rows[-2][5].startswith("- [")
    assert quality.rows[-1][2].startswith("- [")
    assert any("not run: needs a package" in note for note in quality.notes)
    assert any("no copies: fetch it" in note for note in quality.notes)
    speed = speed_table(facts)
    assert len(speed.rows) == 2
    assert speed.rows[0][-1] == "published"
    assert speed.rows[1][-1] == "random"
    assert speed.rows[0][9:11] == ["0.500 (2.00x)", "0.250"]
    variants = mel_table(reports)
    assert variants is not None
    assert variants.rows == [
        ["here", "0.200 (0.100 to 0.300)", "1.000 (0.900 to 1.100)", "not measured", "not measured"]
    ]
    assert mel_table({}) is None
