"""The lm-eval model against log-probabilities computed directly, and a task of a local file."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from latentspeech.core.errors import InputError
from latentvision.mllm.page_writer import PageWriter
from latentvision.training.pack_mllm import pack_page_model
from tests.tiny_page_models import train_tiny

pytest.importorskip("lm_eval", reason="package lm-eval (the extra `language`) is not installed")

from latentvision.mllm.lm_eval_model import EvalModel


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> PageWriter:
    folder = tmp_path_factory.mktemp("lm_eval")
    pack_page_model(train_tiny(folder, "latent_lm", max_steps=2).exp_dir, folder / "model")
    return PageWriter.from_directory(folder / "model")


def requests(*arguments: Any) -> list[Any]:
    return [SimpleNamespace(args=one) for one in arguments]


@torch.inference_mode()
def direct(writer: PageWriter, before: list[int], tested: list[int]) -> tuple[float, bool]:
    """One token after the other, each by a pass of its own."""
    total, greedy = 0.0, True
    known = [writer.vocabulary.page_begin, *before]
    for token in tested:
        x = writer.model.lm.embed_tokens(torch.tensor([known]), None)
        logits = writer.model.lm.token_logits(writer.model.lm.backbone(x))[0, -1]
        total += float(logits.log_softmax(0)[token])
        greedy &= int(logits.argmax()) == token
        known.append(token)
    return total, greedy


def test_loglikelihoods_are_those_of_single_passes(writer: PageWriter) -> None:
    encode = writer.sequences.tokenizer.encode
    pairs = [
        ("the cat", " sat"),
        ("", "the mat"),
        ("the ", "cat"),
        ("on the mat the cat sat", " on"),
    ]
    found = EvalModel(writer, batch_size=3).loglikelihood(requests(*pairs))
    for (context, continuation), (value, greedy) in zip(pairs, found, strict=True):
        before = encode(context.rstrip())
        tested = encode(context + continuation)[len(before) :]
        expected, is_greedy = direct(writer, before, tested)
        assert value == pytest.approx(expected, rel=1e-4)
        assert greedy == is_greedy


def test_the_greedy_continuation_is_known_as_such(writer: PageWriter) -> None:
    page = writer.model.read([*writer.begin(), *writer.text_spans("the cat")])
    end = frozenset([writer.vocabulary.page_end])
    streams = [torch.Generator()]
    ids = [t for (t,) in writer.model.write([page], end, writer.sampling(), 1, streams)]
    text = writer.sequences.tokenizer.decode([i for i in ids if i is not None])
    encode = writer.sequences.tokenizer.encode
    if encode("the cat" + text) == [*encode("the cat"), *ids]:
        ((_, greedy),) = EvalModel(writer).loglikelihood(requests(("the cat", text)))
        assert greedy


def test_a_long_context_keeps_its_end(writer: PageWriter) -> None:
    model, row = EvalModel(writer), writer.description.row_length
    encode = writer.sequences.tokenizer.encode
    ((value, _),) = model.loglikelihood(requests(("the cat sat on the mat " * 20, " the")))
    tested = encode("mat the")[len(encode("mat")) :]
    whole = encode(("the cat sat on the mat " * 20).rstrip())
    # A space at the context's end belongs to the continuation.
    both = encode("the cat sat on the mat " * 20 + " the")[len(whole) :]
    expected, _ = direct(writer, whole[-(row - 1 - len(both)) :], both)
    assert len(tested) >= 1
    assert value == pytest.approx(expected, rel=1e-4)
    with pytest.raises(InputError, match="expected 1 to 39"):
        model.loglikelihood(requests(("the", "the cat sat on the mat " * 20)))


def test_rolling_counts_each_token_once(writer: PageWriter) -> None:
    encode, row = writer.sequences.tokenizer.encode, writer.description.row_length
    text = "the cat sat on the mat. " * 20
    ids = encode(text)
    assert len(ids) > 2 * row
    (value,) = EvalModel(writer).loglikelihood_rolling(requests((text,)))
    expected, place = 0.0, 0
    whole = [writer.vocabulary.page_begin, *ids]
    start, room = 1, row - 1
    while start < len(whole):
        piece = whole[start : start + room]
        known = torch.tensor([[whole[start - 1], *piece]])
        with torch.inference_mode():
            x = writer.model.lm.embed_tokens(known, None)
            logits = writer.model.lm.token_logits(writer.model.lm.backbone(x))[0, :-1]
            chosen = logits.log_softmax(1).gather(1, known[0, 1:, None])
        expected, start, place = expected + float(chosen.sum()), start + room, place + 1
    assert place > 2
    assert value == pytest.approx(expected, rel=1e-4)


def test_generation_stops_at_a_string(writer: PageWriter) -> None:
    model = EvalModel(writer)
    (whole,) = model.generate_until(requests(("the cat", {"until": [], "max_gen_toks": 12})))
    assert len(whole) > 0
    stop = whole[len(whole) // 2]
    settings = {"until": [stop], "max_gen_toks": 12}
    (cut,) = model.generate_until(requests(("the cat", settings)))
    assert cut == whole[: whole.index(stop)]


def test_a_task_of_a_local_file(writer: PageWriter, tmp_path: Path) -> None:
    for package in ("datasets", "evaluate", "sacrebleu"):
        pytest.importorskip(package, reason=f"package {package}, which lm-eval needs for tasks")
    from recipes.mllm.language_tasks import run_tasks

    rows = [{"query": f"the cat {n}", "choices": [" sat", " mat"], "gold": n % 2} for n in range(4)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "toy.yaml").write_text(
        "task: toy\ndataset_path: json\ndataset_name: null\n"
        f"dataset_kwargs: {{data_files: {{test: {tmp_path}/rows.jsonl}}}}\n"
        "output_type: multiple_choice\ntest_split: test\ndoc_to_text: '{{query}}'\n"
        "doc_to_choice: '{{choices}}'\ndoc_to_target: '{{gold}}'\n"
        "metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]\n"
    )
    (score,) = run_tasks(writer, ["toy"], tmp_path, None)["toy"]
    model = EvalModel(writer)
    hits = [
        values.index(max(values)) == row["gold"]
        for row in rows
        if (
            values := [
                model.loglikelihood(requests((row["query"], c)))[0][0] for c in row["choices"]
            ]
        )
    ]
    assert score.value == pytest.approx(sum(hits) / 4)
    assert score.num_items == 4
