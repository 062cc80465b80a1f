import json
from dataclasses import replace

import pytest

from latentspeech.core.errors import DataError, InputError
from latentspeech.core.eval.report import (
    Bucket,
    EvalReport,
    Failure,
    ItemResult,
    MetricResult,
)
from latentspeech.core.eval.report_markdown import render, write_report
from latentspeech.core.eval.scorer import Score


@pytest.fixture
def report():
    mel = MetricResult(
        key="mel",
        name="Mel",
        unit="log10",
        higher_is_better=False,
        held_against="reference",
        value=1.25,
        interval=(1.0, 1.5),
        group_interval=None,
        num_scored=2,
        num_failed=1,
        totals={"pooled_words": 3},
        description={"metric": "Mel", "sample_rate": 24000, "windows": [32, 64]},
        buckets=[
            Bucket("duration", "2 to 4 s", 1.0, None, 1),
            Bucket("duration", "4 to 6 s", 1.5, (1.4, 1.6), 1),
            Bucket("speaker", "anna", 1.25, None, 2),
        ],
        beside={"mean_of_utterances": 1.125},
    )
    hole = replace(
        mel,
        key="pesq",
        name="PESQ-WB",
        value=None,
        interval=None,
        num_scored=0,
        num_failed=0,
        totals={},
        buckets=[],
        beside={},
        hole="PESQ-WB needs a package;\nrun: pip install pesq",
    )
    items = [
        ItemResult(
            "a", "h/a.wav", "r/a.wav", "Hi there.", "anna", {"sex": "female", "num_words": 2}
        ),
        ItemResult(
            "b", "h/b.wav", facts={"duration_s": 4.5}, scores={"Mel": Score(1.5, {"x": [1, 2]})}
        ),
    ]
    failures = [Failure(f"u{n}", "Mel", "no\nsamples") for n in range(25)]
    settings = {"seed": 0, "list": {"sha256": "ab", "protocol": "cuts"}}
    run = {
        "command": "latentspeech score",
        "commit": "c0ffee",
        "date": "today",
        "hardware": "one machine",
        "seconds": 1.5,
        "jobs": 2,
        "peak_memory_bytes": 3 << 20,
    }
    return EvalReport([mel, hole], items, failures, settings, run, "utterance", "speaker")


def test_what_is_written_is_read_back_equal(tmp_path, report):
    write_report(report, tmp_path / "r.json")
    assert EvalReport.read(tmp_path / "r.json") == report
    assert json.loads((tmp_path / "r.json").read_text())["schema_version"] == 3
    assert (tmp_path / "r.md").read_text() == render(report)
    assert {path.name for path in tmp_path.iterdir()} == {"r.json", "r.md"}


def test_the_table_names_values_holes_parts_methods_and_failures(report):
    text = render(report)
    assert text.startswith("| metric | value | 95% over utterances |")
    assert "| Mel | 1.250 log10 | 1.000 to 1.500 | none | lower | 2 | 1 |" in text
    assert "| PESQ-WB | none | none | none | lower | 0 | 0 |" in text
    assert "- PESQ-WB: PESQ-WB needs a package; run: pip install pesq" in text
    assert "| 4 to 6 s | 1.500 | 1 |" in text
    assert "anna" not in text  # voices are in the JSON file and on the page
    assert "windows [32, 64]" in text
    assert "(pooled: 3 pooled words)" in text
    assert "(beside: mean of utterances 1.125)" in text
    assert "list: sha256 ab; protocol cuts" in text
    assert "1.5 s, 2 process(es), at most 3 MiB" in text
    assert "- u19, Mel: no samples" in text
    assert "u20" not in text
    assert "and 5 more" in text


def test_metrics_are_found_by_either_name(report):
    assert report.metric("mel") is report.metric("MEL") is report.metrics[0]
    assert report.metric("pesq").hole is not None
    assert report.holes == {"PESQ-WB": report.metrics[1].hole}
    assert [bucket.label for bucket in report.metrics[0].buckets_by("speaker")] == ["anna"]
    with pytest.raises(InputError, match=r"no metric 'wer'.*mel, pesq"):
        report.metric("wer")


def test_a_report_of_version_2_is_read_in_the_words_of_version_3(tmp_path):
    interval = {"interval": [1.0, 3.0]}
    bucket = {"group": "sex", "label": "male", "value": 2.0, "num_scored": 2, "interval": None}
    metric = {"key": "mel", "name": "Mel", "unit": "", "higher_is_better": False, "value": 2.0}
    counts = {"num_scored": 2, "num_failed": 0, "totals": {}, "description": {}, "hole": None}
    metric |= interval | counts | {"speaker_interval": [0.5, 4.0], "held_against": "reference"}
    row = {"id": "a", "hypothesis": "a.wav", "reference": None, "prompt": "p.wav"}
    row |= {"transcript": "Hi.", "speaker": "anna", "sex": "male", "duration_s": 2.5}
    row |= {"num_words": None, "fingerprint": "f", "scores": {"Mel": {"value": 2.0, "details": {}}}}
    old = {"schema_version": 2, "failures": [], "settings": {"seed": 0}, "run": {}}
    old |= {"metrics": [{**metric, "buckets": [bucket], "beside": {}}], "utterances": [row]}
    path = tmp_path / "old.json"
    path.write_text(json.dumps(old))
    report = EvalReport.read(path)
    facts = {"prompt": "p.wav", "sex": "male", "duration_s": 2.5}
    scores = {"Mel": Score(2.0)}
    item = ItemResult("a", "a.wav", None, "Hi.", "anna", facts, "f", scores)
    assert report.items == [item]
    assert (report.item_name, report.group_name) == ("utterance", "speaker")
    assert report.metrics[0].group_interval == (0.5, 4.0)
    assert report.metrics[0].buckets == [Bucket("sex", "male", 2.0, None, 2)]
    assert EvalReport.from_dict(report.to_dict()) == report
    del old["utterances"]
    path.write_text(json.dumps(old))
    with pytest.raises(DataError, match="damaged"):
        EvalReport.read(path)


def test_a_report_names_its_items_and_groups_in_the_words_of_its_modality(report):
    text = render(replace(report, item_name="image", group_name="set"))
    assert "| 95% over images | 95% over sets |" in text


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"schema_version": 1}, "schema version 1; expected 3"),
        ({"metrics": [{"name": "x"}]}, "damaged"),
        ({"items": [{"id": "a", "hypothesis": "b", "colour": 1, "scores": {}}]}, "colour"),
        ({"failures": 3}, "damaged"),
    ],
)
def test_files_that_are_no_report_are_refused(tmp_path, report, change, found):
    path = tmp_path / "r.json"
    path.write_text(json.dumps({**report.to_dict(), **change}))
    with pytest.raises(DataError, match=found):
        EvalReport.read(path)


def test_unreadable_files_are_refused(tmp_path):
    for content, found in ((b"{", "no report"), (b"[]", "version None"), (b"\xff", "no report")):
        (tmp_path / "r.json").write_bytes(content)
        with pytest.raises(DataError, match=found):
            EvalReport.read(tmp_path / "r.json")
    with pytest.raises(DataError, match="not found"):
        EvalReport.read(tmp_path / "none.json")
