"""Holds a model's answers against those of its text-only twin, which learned without pictures.

The twin is a run with the same settings but for `data.arrangement.pictures=left_out` (egs/mllm
README). This packs it, asks it the questions kept aside without their pictures, and writes both
shares of right answers with their difference.
"""

import argparse
from pathlib import Path
from typing import Any

from latentspeech.core.command import run_recipe
from latentspeech.core.config import load_config
from latentspeech.core.device import choose_device
from latentspeech.core.errors import ConfigError
from latentspeech.core.eval.report import EvalReport
from latentspeech.core.eval.report_markdown import write_report
from latentspeech.core.storage.files import write_json
from latentspeech.core.train.engine import CONFIG_NAME
from latentvision.mllm.page_writer import PageWriter
from latentvision.mllm.scores.page_scores import PageScoringConfig, score_pages
from latentvision.training.mllm_run import PageRunConfig
from latentvision.training.pack_mllm import pack_page_model
from recipes.mllm.page_set import page_source

TWIN, MODEL = "twin", "model"


def score_twin(run: Path, pages: Path, max_pages: int, out: Path, device: str) -> EvalReport:
    """The twin's answers; ConfigError if the run did learn with pictures."""
    config = load_config(PageRunConfig, run / CONFIG_NAME)
    if config.data.arrangement.pictures != "left_out":
        raise ConfigError(
            f"{run} learned with pictures; expected a text-only twin: train one with "
            "data.arrangement.pictures=left_out"
        )
    pack_page_model(run, out / MODEL)
    writer = PageWriter.from_directory(out / MODEL, choose_device(device))
    questions = page_source(pages, "valid", "questions")
    report = score_pages(writer, PageScoringConfig(questions=questions, max_pages=max_pages))
    write_report(report, out / "pages.json")
    return report


def side_by_side(model: EvalReport, twin: EvalReport) -> dict[str, Any]:
    """The scores of answers that both have, and the model's lead.

    Raises:
        ConfigError: they answered different questions.
    """
    of_model = {metric.key: metric for metric in model.metrics}
    rows: dict[str, Any] = {}
    for metric in twin.metrics:
        own = of_model.get(metric.key)
        if own is None or own.value is None or metric.value is None:
            continue
        if own.num_scored != metric.num_scored:
            raise ConfigError(
                f"{metric.name}: the model answered {own.num_scored} questions and its twin "
                f"{metric.num_scored}; expected the same ones: give the model's --max_pages"
            )
        rows[metric.key] = {
            MODEL: own.value,
            "model_interval": own.interval,
            TWIN: metric.value,
            "twin_interval": metric.interval,
            "lead": own.value - metric.value,
            "questions": metric.num_scored,
        }
    return rows


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of the twin's training")
    parser.add_argument("--scores", type=Path, required=True, help="the model's scores/pages.json")
    parser.add_argument("--pages", type=Path, required=True, help="folder of the pages")
    parser.add_argument("--max_pages", type=int, default=500)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, required=True, help="folder")
    a = parser.parse_args()
    a.out.mkdir(parents=True, exist_ok=True)
    twin = score_twin(a.run, a.pages, a.max_pages, a.out, a.device)
    write_json(a.out / "twin.json", side_by_side(EvalReport.read(a.scores), twin))


if __name__ == "__main__":
    run_recipe(main)
