"""The tables of egs/imagenet/RESULTS.md: empty until an experiment fills them, and by FID alone."""

from pathlib import Path

import pytest

from latentspeech.core.errors import ConfigError
from latentspeech.core.eval.paper_tables.table import POSTER, load_paper_table
from latentspeech.core.eval.report import EvalReport, MetricResult
from latentspeech.core.storage.files import write_json
from recipes.image.paper_results import main_row, measured, named_folders, poster_row
from tests.unit.recipes.shell import ROOT


def metric(key: str, name: str, value: float) -> MetricResult:
    return MetricResult(key, name, "", False, "pictures", value, None, None, 50_000, 0, {}, {})


def experiment(folder: Path, values: dict[str, tuple[str, float]]) -> Path:
    """The scores of a finished run whose best scale is 1.5."""
    metrics = [metric(key, name, value) for key, (name, value) in values.items()]
    scores = folder / "scores"
    scores.mkdir(parents=True)
    write_json(scores / "cfg_1.5.json", EvalReport(metrics, [], [], {}).to_dict())
    names = {name: {"1.5": value} for name, value in values.values()}
    sweep = {"best_cfg_scale": 1.5, "decided_by": "FID", "values": names, "holes": {}}
    write_json(scores / "sweep.json", sweep)
    return folder


def test_published_columns_hold_only_their_own_metrics(tmp_path: Path) -> None:
    table = load_paper_table(1)
    found = experiment(
        tmp_path, {"fid": ("FID", 2.5), "is": ("IS", 250.0), "fd-efficientnet": ("FD-Eff", 9.0)}
    )
    cells = measured(table, found)
    assert {key: cell.value for key, cell in cells.items()} == {"fid": 2.5, "is": 250.0}
    other = experiment(tmp_path / "other", {"fd-efficientnet": ("FD-Eff", 9.0)})
    assert measured(table, other) == {}
    assert measured(table, None) == {}
    assert set(main_row(table, None).cells) == {"params"}


def test_the_poster_has_a_column_for_each_model(tmp_path: Path) -> None:
    table = load_paper_table(POSTER)
    lm = experiment(tmp_path / "lm", {"fid": ("FID", 4.0)})
    dit = experiment(tmp_path / "dit", {"fid": ("FID", 7.0)})
    cells = poster_row(table, {"lm": lm, "dit": dit}).cells
    assert (cells["latentlm_fid"].value, cells["dit_fid"].value) == (4.0, 7.0)


def test_experiments_are_named() -> None:
    assert named_folders(["256=a", "384=b"], ("256", "384")) == {"256": Path("a"), "384": Path("b")}
    for word in ("a", "512=a", "256="):
        with pytest.raises(ConfigError, match="expected NAME=DIR with 256 or 384"):
            named_folders([word], ("256", "384"))


def test_results_have_the_papers_rows_and_empty_ones_of_ours() -> None:
    text = (ROOT / "egs/imagenet/RESULTS.md").read_text(encoding="utf-8")
    assert "| LatentLM-L (causal continuous) | paper | 479M | 400 | 2.24 | 253.8 |" in text
    assert "| LatentLM 1.82B, egs/imagenet | this run | 384 | - [1] |" in text
