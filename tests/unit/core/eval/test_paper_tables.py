"""The published numbers are the paper's, and ours never stand in a column that is not theirs."""

import pytest

from latentspeech.core.errors import ConfigError
from latentspeech.core.eval.paper_tables.beside import (
    NOT_MEASURED,
    Cell,
    OurRow,
    render_beside,
    row_from_report,
)
from latentspeech.core.eval.paper_tables.table import (
    PaperTable,
    load_paper_table,
    paper_table_numbers,
)
from latentspeech.core.eval.report import EvalReport, MetricResult
from latentspeech.eval.metrics.catalogue import METRICS

# Table: rows, columns, and some cells as (row, column key, value), read off the paper by eye.
PRINTED = {
    1: (11, 4, [(0, "fid", 3.60), (4, "fid", 1.78), (9, "is", None), (10, "is", 253.8)]),
    2: (2, 2, [(0, "fid", 3.19), (1, "resolution", 384), (1, "fid", 2.51)]),
    3: (3, 5, [(0, "cider", 37.4), (1, "vqa", 35.36), (2, "ppl", 2.73), (2, "fid", 14.54)]),
    4: (
        7,
        7,
        [
            (0, "frame_rate", None),
            (0, "prefix_sim", 0.668),
            (2, "reference_wer_c", None),
            (4, "reference_sim", 0.697),
            (6, "prefix_wer_h", 4.5),
        ],
    ),
    5: (
        13,
        8,
        [
            (1, "visqol", 4.914),
            (5, "pesq", 2.269),
            (7, "mel", 0.987),
            (8, "stoi", 0.826),
            (11, "mel", 0.798),
            (12, "utmos", 3.460),
        ],
    ),
    6: (4, 4, [(1, "kv_cache", "no"), (2, "attention", "bidirectional"), (3, "unified", "yes")]),
    7: (3, 7, [(0, "average", 54.76), (1, "arc_e", 64.86), (2, "winogrande", 53.39)]),
    8: (3, 8, [(0, "copy_mel", 0.929), (1, "copy_sim", 0.700), (2, "tts_wer_c", 1.5)]),
    "poster": (2, 3, [(0, "latentlm_fid", 9.64), (1, "dit_fid", 7.35), (1, "latentlm_fid", 4.10)]),
}


def metric(key: str, name: str, value: float | None, **more: object) -> MetricResult:
    values = {
        "key": key,
        "name": name,
        "unit": "",
        "higher_is_better": True,
        "held_against": "reference",
        "value": value,
        "interval": (1.0, 2.0),
        "group_interval": None,
        "num_scored": 2,
        "num_failed": 0,
        "totals": {},
        "description": {},
    }
    return MetricResult(**{**values, **more})


def report(*metrics: MetricResult) -> EvalReport:
    return EvalReport(list(metrics), [], [], {})


def test_all_tables_of_the_issue_are_there():
    assert paper_table_numbers() == [number for number in PRINTED if number != "poster"]


@pytest.mark.parametrize("number", PRINTED)
def test_a_table_has_the_printed_cells(number):
    table = load_paper_table(number)
    num_rows, num_columns, cells = PRINTED[number]
    assert (len(table.rows), len(table.columns)) == (num_rows, num_columns)
    keys = [column.key for column in table.columns]
    for row, key, value in cells:
        assert table.rows[row].values[keys.index(key)] == value


@pytest.mark.parametrize("number", [4, 5, 8])
def test_speech_columns_name_metrics_that_exist(number):
    names = {c.metric for c in load_paper_table(number).columns if c.metric is not None}
    assert names
    assert names <= METRICS.keys()


def test_the_ratio_of_table_5_is_the_papers_definition():
    for row in load_paper_table(5).rows:
        num_quantizers, frame_rate, ratio = row.values[:3]
        assert 24000 / (num_quantizers * frame_rate) == ratio


def test_the_poster_names_itself_as_the_source():
    assert load_paper_table("poster").source == "the poster of arXiv 2412.08635"
    text = render_beside(load_paper_table("poster"), [])
    assert "| sigma-VAE | paper | 0.75 | 7.35 | 4.10 |" in text


def test_averages_of_table_7_follow_from_the_other_columns():
    for row in load_paper_table(7).rows:
        *values, average = row.values
        assert sum(values) / len(values) == pytest.approx(average, abs=0.006)


def test_the_second_version_of_table_5_has_eight_rows():
    kept = [row for row in load_paper_table(5).rows if not row.first_version_only]
    assert len(kept) == 8
    assert min(row.values[2] for row in kept) > 100


def test_a_metric_of_the_paper_stands_in_its_column_and_others_to_the_right():
    table = load_paper_table(4)
    found = report(
        metric("sim-wavlm-tdnn-o", "SIM", 0.5),
        metric("wer-w", "WER-W", 3.0, unit="%", higher_is_better=False),
        metric("sim-ge2e-o", "SIM-GE2E", 0.8),
    )
    row = row_from_report(table, "ours", found, {"frame_rate": 15.0}, "3 s prefix")
    assert set(row.cells) == {"frame_rate", "prefix_sim"}
    assert set(row.own) == {"WER-W % \u2193", "SIM-GE2E \u2191"}
    lines = render_beside(table, [row]).splitlines()
    heading = next(line for line in lines if line.startswith("| system"))
    assert heading.endswith("3 s prefix: WER-H % \u2193 | WER-W % \u2193 | SIM-GE2E \u2191 |")
    ours = next(line for line in lines if "| ours |" in line)
    cells = [cell.strip() for cell in ours.strip("|").split(" | ")]
    assert cells[6] == "0.500 (1.000 to 2.000)"
    assert cells[3].startswith("- [")  # SIM after a reference utterance was not measured
    assert cells[-1] == "0.800 (1.000 to 2.000)"


def test_a_hole_keeps_its_reason_and_an_interval_is_the_wider_one():
    table = load_paper_table(5)
    found = report(
        metric("utmos", "UTMOS", None, interval=None, hole="weights absent; run: fetch"),
        metric("stoi", "STOI", 0.9, interval=(0.89, 0.91), group_interval=(0.8, 0.95)),
    )
    text = render_beside(table, [row_from_report(table, "ours", found)])
    assert "weights absent; run: fetch" in text
    assert "0.900 (0.800 to 0.950)" in text
    assert NOT_MEASURED in text


def test_published_rows_come_first_with_their_decimals():
    lines = render_beside(load_paper_table(5), [OurRow("ours", {"mel": Cell(1.0)})]).splitlines()
    rows = [line for line in lines if line.startswith("| ")][1:]
    assert [("this run" in row) for row in rows] == [False] * 13 + [True]
    assert rows[8].startswith("| Mimi | paper | 4 | 12.5 | 480 | 1.458 | 1.568 | 0.826 | 3.390 |")
    assert "| 1.670 |" in rows[9]  # the zero is printed


def test_an_unknown_column_and_a_stolen_heading_are_refused():
    table = load_paper_table(5)
    with pytest.raises(ConfigError, match="no column 'mos'"):
        render_beside(table, [OurRow("ours", {"mos": Cell(3.0)})])
    with pytest.raises(ConfigError, match="PESQ"):
        render_beside(table, [OurRow("ours", own={table.column("pesq").heading: Cell(3.0)})])


def test_a_table_that_is_not_kept_is_named():
    with pytest.raises(ConfigError, match=r"Table 9 .* known: 1, 2, 3, 4"):
        load_paper_table(9)


def test_rows_must_fill_their_columns():
    column = {"key": "a", "title": "a", "direction": "none"}
    row = {"name": "x", "values": [1, 2]}
    with pytest.raises(ValueError, match="2 values; expected 1"):
        PaperTable.model_validate(
            {"table": 2, "title": "t", "data": "d", "columns": [column], "rows": [row]}
        )
