"""A text-only twin: it learns the same pages without their pictures, and is asked without them."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from latentspeech.core.config import parse_config
from latentspeech.core.errors import ConfigError
from latentspeech.core.eval.report_markdown import write_report
from latentspeech.core.lm.mixed_sequence import TOKEN
from latentvision.mllm.page_writer import PageWriter
from latentvision.mllm.scores.page_scores import PageScoringConfig, score_pages
from latentvision.training.mllm_data import training_data
from latentvision.training.mllm_run import PageRunConfig, open_tokenizers, run_pages
from latentvision.training.pack_mllm import pack_page_model
from recipes.mllm import text_twin
from recipes.mllm.page_set import page_source, write_pages
from tests.tiny_page_models import tiny_run
from tests.tiny_pages import make_pictures


def twin_of(run: PageRunConfig, folder: Path) -> PageRunConfig:
    values = run.model_dump()
    values["data"]["arrangement"]["pictures"] = "left_out"
    return parse_config(PageRunConfig, values | {"exp_dir": folder / "exp-twin"})


def questions(pages: Path) -> None:
    pages.mkdir()
    make_pictures(pages / "pictures")
    rows = [
        {"parts": [{"picture": f"{n}.png"}, {"question": "what?"}, {"answer": "the cat"}]}
        for n in range(4)
    ]
    write_pages(pages, "valid", "questions", rows)


def test_the_twin_learns_the_same_text(tmp_path: Path) -> None:
    run = tiny_run(tmp_path, "latent_lm")
    twin = twin_of(run, tmp_path)
    texts = []
    for one in (run, twin):
        sequences = open_tokenizers(one).sequences
        data = training_data(one.data, sequences, seed=0)
        batches = [data.load(items, 0) for w in range(2) for items in data.plan(0, w)]
        found = set()
        for batch in batches:
            text = (batch.kinds == TOKEN) & (batch.token_ids < sequences.tokenizer.size)
            found |= set(batch.token_ids[text].tolist())
            if one is twin:
                assert not bool((batch.token_ids == sequences.vocabulary.boi).any())
                assert not bool((batch.kinds > TOKEN).any())
        texts.append(found)
    assert texts[0] == texts[1]


def test_the_lead_over_the_twin(tmp_path: Path) -> None:
    run = tiny_run(tmp_path, "latent_lm", max_steps=2)
    twin, pages = twin_of(run, tmp_path), tmp_path / "pages"
    questions(pages)
    for one in (run, twin):
        run_pages(one)
    pack_page_model(run.exp_dir, tmp_path / "model")
    writer = PageWriter.from_directory(tmp_path / "model")
    assert writer.description.reads_pictures
    source = page_source(pages, "valid", "questions")
    report = score_pages(writer, PageScoringConfig(questions=source, max_pages=4))
    write_report(report, tmp_path / "scores.json")
    arguments = ["--run", twin.exp_dir, "--scores", tmp_path / "scores.json", "--pages", pages]
    arguments += ["--max_pages", 4, "--device", "cpu", "--out", tmp_path / "out"]
    with mock.patch.object(sys, "argv", ["text_twin", *map(str, arguments)]):
        text_twin.main()
    rows = json.loads((tmp_path / "out/twin.json").read_text())
    row = rows["answers-right"]
    assert row["questions"] == 4
    assert row["lead"] == row["model"] - row["twin"]
    blind = PageWriter.from_directory(tmp_path / "out/model")
    assert not blind.description.reads_pictures
    (answer,) = blind.answers([None], ["what?"], max_tokens=3)
    with mock.patch.object(blind, "picture_spans", side_effect=AssertionError):
        found = score_pages(blind, PageScoringConfig(questions=source, max_pages=4, max_tokens=3))
    assert {item.text for item in found.items} == {answer}
    with pytest.raises(ConfigError, match="learned with pictures"):
        text_twin.score_twin(run.exp_dir, pages, 4, tmp_path / "other", "cpu")
    fewer = [replace(metric, num_scored=3) for metric in report.metrics]
    with pytest.raises(ConfigError, match="3 questions and its twin 4"):
        text_twin.side_by_side(replace(report, metrics=fewer), found)
