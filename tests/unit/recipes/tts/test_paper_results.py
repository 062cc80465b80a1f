"""RESULTS.md of egs/libriheavy: empty where nothing was run, measured where it was."""

from pathlib import Path

import pytest

from latentspeech.core.errors import ConfigError
from latentspeech.core.eval.report_markdown import write_report
from latentspeech.core.storage.files import write_json
from recipes.tts.paper_results import paper_results, parse_ablations, parse_experiments
from tests.unit.recipes.tts.test_published_rows import metric, report


def cells(text: str, start: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith(f"| {start}")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_rows_are_empty_until_they_were_measured(tmp_path: Path) -> None:
    text = paper_results({})
    ours = cells(text, "LatentLM, egs/libriheavy")
    assert [row[2] for row in ours] == ["15", "7.5", "3.75"]
    assert all(cell.startswith("- [") for row in ours for cell in row[3:])
    assert "not measured in this run" in text
    for folder, wer in (("scores", 4.0), ("scores_prefix", 6.0)):
        (tmp_path / folder).mkdir()
        spoken = report(metric("wer-h", "WER-H", wer, "%"), metric("wer-w", "WER-W", 1.0, "%"))
        write_json(tmp_path / folder / "scores.json", {"synthesis": spoken.to_dict()})
    (tmp_path / "codec_check").mkdir()
    found = report(metric("pesq", "PESQ-WB", 1.5))
    write_report(found, tmp_path / "codec_check/scores.json")
    text = paper_results(parse_experiments([f"3200={tmp_path}"]))
    first, measured, last = cells(text, "LatentLM, egs/libriheavy")
    assert measured[5] == "4.0 (3.9 to 4.1)"
    assert measured[8] == "6.0 (5.9 to 6.1)"
    assert measured[3].startswith("- [")  # SIM was not measured
    assert first[5].startswith("- [")
    assert last[8].startswith("- [")
    assert cells(text, "sigma-VAE 64-d, egs/libriheavy")[0][6] == "1.500 (1.400 to 1.600)"
    for folder in ("scores_reference_ours", "scores_prefix_ours"):
        (tmp_path / folder).mkdir()
        values = {"synthesis": report(metric("wer-h", "WER-H", 2.0, "%")).to_dict()}
        write_json(tmp_path / folder / "scores.json", values)
    text = paper_results(parse_experiments([f"3200={tmp_path}"]))
    plain, ours = cells(text, "LatentLM, egs/libriheavy")[1:3]
    assert (plain[5], ours[5]) == ("4.0 (3.9 to 4.1)", "2.0 (1.9 to 2.1)")
    assert ours[0] == "LatentLM, egs/libriheavy, with retries, shortest length and equalizer"
    with pytest.raises(ConfigError, match="expected one of"):
        parse_experiments(["640=x"])


def test_table_8_joins_copies_and_synthesis_of_one_codec(tmp_path: Path) -> None:
    sim = metric("sim-wavlm-tdnn", "SIM", 0.81)
    told = {
        "table8_check": report(metric("mel-dac-class", "Mel", 0.9), sim),
        "table8_check/librispeech": report(metric("mel-dac-class", "Mel", 0.7), sim),
    }
    for folder, found in told.items():
        (tmp_path / folder).mkdir(parents=True)
        write_report(found, tmp_path / folder / "scores.json")
    spoken = report(metric("sim-wavlm-tdnn-o", "SIM-o", 0.55), metric("wer-c", "WER-C", 1.5, "%"))
    (tmp_path / "scores").mkdir()
    write_json(tmp_path / "scores/scores.json", {"synthesis": spoken.to_dict()})
    text = paper_results({}, parse_ablations([f"1600x16={tmp_path}"]))
    first, ours, last = cells(text, "sigma-VAE, egs/libriheavy")
    assert [row[2:5] for row in (first, ours, last)] == [
        ["640", "37.5", "16"],
        ["1600", "15", "16"],
        ["1600", "15", "32"],
    ]
    assert ours[5].startswith("0.900 ")  # of the corpus' own cuts, not of LibriSpeech
    assert ours[6].startswith("0.810 ")
    assert ours[7].startswith("- [")  # the copies' WER-C was not measured
    assert ours[8].startswith("0.550 ")
    assert ours[9] == "1.5 (1.4 to 1.6)"
    assert all(cell.startswith("- [") for cell in last[5:])
    with pytest.raises(ConfigError, match="640x16, 1600x16, 1600x32"):
        parse_ablations([f"3200x64={tmp_path}"])
