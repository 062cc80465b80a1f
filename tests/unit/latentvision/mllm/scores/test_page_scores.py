"""Scores of pages: text losses by token and byte, captions, answers beside text alone."""

from pathlib import Path
from typing import Any

import pytest
import torch

from latentspeech.core.config import parse_config
from latentspeech.core.eval.report import EvalReport
from latentspeech.core.eval.report_markdown import write_report
from latentspeech.core.lm.mixed_batch import collate
from latentvision.mllm.documents.config import JsonLinesPagesConfig, open_pages
from latentvision.mllm.documents.page import Page, Picture, Text
from latentvision.mllm.page_writer import PageWriter
from latentvision.mllm.scores.answers import TextOnly, normalized, questions_of
from latentvision.mllm.scores.page_scores import PageScoringConfig, score_pages
from latentvision.mllm.scores.text_losses import text_losses
from latentvision.training.pack_mllm import pack_page_model
from tests.tiny_page_models import train_tiny
from tests.tiny_pages import write_lines


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scores")
    run = train_tiny(folder, "latent_lm", max_steps=1)
    pack_page_model(run.exp_dir, folder / "model")
    rows: list[dict[str, Any]] = [
        {
            "parts": [
                {"picture": f"{number % 4}.png"},
                *({"question": "Is it a cat?"}, {"answer": ("Yes.", "No.")[number % 3 == 0]}),
                *({"question": "What is it?"}, {"answer": "a mat"}),
            ]
        }
        for number in range(9)
    ]
    write_lines(folder / "questions", rows)
    return folder


@pytest.fixture(scope="module")
def writer(folder: Path) -> PageWriter:
    return PageWriter.from_directory(folder / "model")


def source(folder: Path, name: str) -> JsonLinesPagesConfig:
    return JsonLinesPagesConfig(location=str(folder / name), pictures=folder / "pictures")


def test_text_losses_are_those_of_the_whole_page(folder: Path, writer: PageWriter) -> None:
    losses = text_losses(writer, open_pages(source(folder, "text")), 10)
    assert len(losses) == 10
    first = losses[0]
    text = "the cat 0 sat on the mat"
    ids = writer.sequences.tokenizer.encode(text)
    assert (first.num_tokens, first.num_bytes) == (len(ids), len(text))
    vocabulary = writer.vocabulary
    whole = torch.tensor([[vocabulary.page_begin, *ids]])
    with torch.no_grad():
        x = writer.model.lm.embed_tokens(whole, None)
        logits = writer.model.lm.token_logits(writer.model.lm.backbone(x))[0, :-1]
        expected = torch.nn.functional.cross_entropy(logits, whole[0, 1:], reduction="sum")
    assert first.nats == pytest.approx(float(expected), rel=1e-4)


def test_a_caption_is_scored_after_its_picture(folder: Path, writer: PageWriter) -> None:
    pairs = open_pages(source(folder, "pairs"))
    described = text_losses(writer, pairs, 4, "described")
    assert [loss.num_bytes for loss in described] == [len(f"the cat {n}") for n in range(4)]
    sequences = writer.sequences
    page = pairs.page(0)
    picture = page.parts[0]
    assert isinstance(picture, Picture)
    shown = Picture("p", sequences.encoder.shrink(picture.decode()))
    other = Picture("p", sequences.encoder.shrink(picture.decode().rotate(90)))
    costs = []
    for one in (shown, other):
        whole = Page(page.key, "pair", (one, page.parts[1]))
        sequence = sequences.sequence(whole, torch.Generator().manual_seed(0))
        nats, _ = writer.model.nats(collate([sequence], (5,)))
        costs.append(float(nats[0, 19:-1].sum().detach()))
    assert costs[0] != costs[1]
    interleaved = text_losses(writer, open_pages(source(folder, "interleaved")), 12, "described")
    assert {loss.num_bytes for loss in interleaved} == {len(" mat 0"), len(" mat 10")}


def test_long_pages_are_cut_and_count_every_token(
    tmp_path: Path, folder: Path, writer: PageWriter
) -> None:
    text = "the cat sat on the mat. " * 20
    write_lines(tmp_path / "long", [{"text": text}])
    (loss,) = text_losses(writer, open_pages(source(tmp_path, "long")), 1)
    assert loss.num_tokens == len(
        writer.sequences.tokenizer.encode("the cat sat on the mat. " * 20)
    )


def test_the_report(folder: Path, writer: PageWriter, tmp_path: Path) -> None:
    names = ("text", "pairs", "interleaved", "questions")
    config = parse_config(
        PageScoringConfig,
        {
            **{name: source(folder, name).model_dump() for name in names},
            "train_questions": source(folder, "questions").model_dump(),
            "max_pages": 9,
            "max_tokens": 2,
        },
    )
    report = score_pages(writer, config)
    keys = [metric.key for metric in report.metrics]
    assert keys[:2] == ["text-nats-token", "text-nats-byte"]
    assert "cider-d" in keys
    assert report.metric("answers-right").num_scored == 18
    yes_no = report.metric("answers-right-by-text-alone-yes-no")
    assert (yes_no.num_scored, yes_no.value) == (9, pytest.approx(6 / 9))
    assert report.metric("answers-right-by-text-alone").value == pytest.approx(15 / 18)
    text = report.metric("text-nats-token")
    assert text.value is not None
    assert text.interval is not None
    assert text.interval[0] < text.value < text.interval[1]
    write_report(report, tmp_path / "scores.json")
    assert EvalReport.read(tmp_path / "scores.json").metric("cider-d").num_scored == 9
    assert "Picture to text, nats a byte" in (tmp_path / "scores.md").read_text()


def test_text_alone_gives_the_most_frequent_answer() -> None:
    def page(question: str, answer: str) -> Page:
        parts = (Picture("p", None), Text(question, "question"), Text(answer, "answer"))
        return Page(question, "questions", parts)

    blind = TextOnly(
        [page("Red?", "Yes."), page("Red?", "no"), page("Red?", "no"), page("A?", "x")]
    )
    assert [blind.answer(text) for text in ("Red?", "A?", "New?")] == ["no", "x", "no"]
    assert TextOnly([]).answer("Red?") == ""
    assert normalized(" Yes. ") == "yes"
    assert [q.answer for q in questions_of([page("A?", "x")])] == ["x"]
    assert [*questions_of([Page("", "questions", page("A?", "x").parts[1:])])] == []
