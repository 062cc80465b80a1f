import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from latentspeech.core.data.mixture import MixedData, MixtureConfig
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.lm.mixed_batch import PADDING, MixedBatch
from latentspeech.core.lm.mixed_sequence import TOKEN
from latentspeech.core.train.batches import Plan, load_batches
from latentvision.mllm.batches import PageBatchConfig, PageBatches
from latentvision.mllm.documents.arrangement import ArrangementConfig
from latentvision.mllm.documents.config import JsonLinesPagesConfig, open_pages
from latentvision.mllm.sequence import PageSequences
from tests.tiny_pages import make_pictures, write_lines

ROW = 64
LEAVE_OUT = ArrangementConfig(missing_pictures="leave_out")
Rows = Sequence[dict[str, Any]]


def batches_of(
    folder: Path, sequences: PageSequences, files: Sequence[Rows], **settings: Any
) -> PageBatches:
    for number, rows in enumerate(files):
        write_lines(folder / "pages", rows, f"{number}.jsonl")
    pictures = make_pictures(folder / "pictures")
    source = open_pages(JsonLinesPagesConfig(location=str(folder / "pages"), pictures=pictures))
    values = {"batch_elements": 256, "row_length": ROW, "window_shards": 2} | settings
    return PageBatches(source, sequences, PageBatchConfig(**values), seed=0)


def texts(count: int, file: int = 0) -> Rows:
    return [{"text": f"page {n} of file {file} " * (1 + n % 3)} for n in range(count)]


def pairs(count: int) -> Rows:
    return [{"picture": f"{n % 4}.png", "caption": f"the cat {n}"} for n in range(count)]


def pages(count: int) -> Rows:
    parts = [{"text": "the "}, {"picture": "0.png"}, {"text": " mat"}, {"picture": "1.png"}]
    return [{"parts": [*parts, {"text": f" {n}"}]} for n in range(count)]


def loaded(data: PageBatches) -> list[MixedBatch]:
    return [
        data.load(items, seed=1)
        for window in range(data.num_windows())
        for items in data.plan(0, window)
    ]


def num_spans(batch: MixedBatch, sequences: PageSequences, name: str) -> int:
    wanted = getattr(sequences.vocabulary, name)
    return int(((batch.kinds == TOKEN) & (batch.token_ids == wanted)).sum())


def test_every_page_once_an_epoch_in_packed_rows(tmp_path: Path, sequences: PageSequences) -> None:
    data = batches_of(tmp_path, sequences, [texts(20, file) for file in range(5)])
    assert data.num_windows() == 3
    planned = [p for window in range(3) for items in data.plan(0, window) for p in items]
    assert len({item.page for item in planned}) == len(planned) == 100
    assert data.plan(0, 0) != data.plan(1, 0)
    batches = loaded(data)
    assert sum(num_spans(batch, sequences, "page_begin") for batch in batches) >= 100
    assert sum(num_spans(batch, sequences, "page_end") for batch in batches) == 100
    assert any(batch.segment_ids is not None for batch in batches)
    assert all(batch.kinds.shape[1] <= ROW for batch in batches)


def test_pictures_are_never_cut(tmp_path: Path, sequences: PageSequences) -> None:
    batches = loaded(batches_of(tmp_path, sequences, [pages(12)]))
    total = 0
    for batch in batches:
        for row in (batch.kinds == 1).tolist():
            runs = "".join("x" if here else " " for here in row).split()
            assert all(len(run) == 16 for run in runs)
            total += len(runs)
        assert len(batch.latents[0]) == 16 * num_spans(batch, sequences, "eoi")
    assert total == 24


def test_alike_pages_fill_their_rows(tmp_path: Path, sequences: PageSequences) -> None:
    """Nine of these pages fit a row; nineteen are within two rows' elements, but need a third."""
    rows = [{"parts": [{"picture": "0.png"}]}] * 51
    for batch in loaded(
        batches_of(tmp_path, sequences, [rows], batch_elements=392, row_length=196)
    ):
        assert batch.kinds.shape[0] == 2
        assert float((batch.kinds != PADDING).float().mean()) > 0.9


def test_a_hundred_pictures(tmp_path: Path, sequences: PageSequences) -> None:
    row = {"parts": [{"picture": f"{n % 4}.png"} for n in range(100)] + [{"text": "end"}]}
    (batch,) = loaded(batches_of(tmp_path, sequences, [[row]], batch_elements=2000))
    assert num_spans(batch, sequences, "eoi") == 100
    assert num_spans(batch, sequences, "page_end") == 1
    assert batch.latents[0].shape == (1600, 5)
    assert batch.kinds.shape[1] <= ROW
    # What does not fit a batch is left out, and the page does not end.
    (batch,) = loaded(batches_of(tmp_path, sequences, [[row]], batch_elements=200))
    assert num_spans(batch, sequences, "eoi") == (200 - 2) // 18
    assert num_spans(batch, sequences, "page_end") == 0


def test_text_beyond_the_context_and_the_batch(tmp_path: Path, sequences: PageSequences) -> None:
    text = "the cat sat on the mat. " * 20
    ids = sequences.tokenizer.encode(text)
    assert len(ids) > 2 * ROW
    (batch,) = loaded(batches_of(tmp_path, sequences, [[{"text": text}]], batch_elements=2000))
    # Each token is a target once; a piece begins with the last token of the one before.
    assert int(batch.targets.sum()) == len(ids) + 1
    assert len(batch.kinds) == -(-(len(ids) + 1) // (ROW - 1))
    data = batches_of(tmp_path, sequences, [[{"text": text * 50}]], batch_elements=100)
    (batch,) = loaded(data)
    assert int((batch.kinds != PADDING).sum()) < 400 + 10
    assert num_spans(batch, sequences, "page_end") == 0


def test_missing_pictures_and_empty_captions(tmp_path: Path, sequences: PageSequences) -> None:
    rows = [
        {"picture": "lost.png", "caption": "the cat"},
        {"picture": "0.png", "caption": ""},
        {"parts": [{"text": "the mat"}, {"picture": "lost.png"}]},
    ]
    data = batches_of(tmp_path, sequences, [rows], arrangement=LEAVE_OUT)
    (batch,) = loaded(data)
    assert num_spans(batch, sequences, "page_begin") == 1
    assert batch.latents[0].shape == (0, 5)
    with pytest.raises(DataError, match=r"lost\.png is missing"):
        loaded(batches_of(tmp_path, sequences, [rows]))
    data = batches_of(tmp_path, sequences, [rows[:2]], arrangement=LEAVE_OUT)
    with pytest.raises(DataError, match="none of the 2 pages"):
        loaded(data)


def test_rows_without_room_for_a_picture(tmp_path: Path, sequences: PageSequences) -> None:
    batches_of(tmp_path, sequences, [pairs(1)], row_length=19)
    for name in ("row_length", "batch_elements"):
        with pytest.raises(ConfigError, match="take 19 elements; make both at least 19"):
            batches_of(tmp_path, sequences, [pairs(1)], **{name: 18})


def test_validation_is_the_same_in_every_epoch(tmp_path: Path, sequences: PageSequences) -> None:
    data = batches_of(tmp_path, sequences, [texts(20, 0), texts(20, 1)])
    config = PageBatchConfig(batch_elements=256, row_length=ROW, max_valid=30)
    valid = PageBatches(data._source, sequences, config, seed=0, valid=True)
    assert valid.num_windows() == 1
    assert valid.plan(0, 0) == valid.plan(7, 0)
    assert sum(map(len, valid.plan(0, 0))) == 30


def mixture(folder: Path, sequences: PageSequences) -> MixedData:
    kinds = {"texts": texts(60), "pairs": pairs(60), "pages": pages(60)}
    sources = []
    for name, rows in kinds.items():
        (folder / name).mkdir(exist_ok=True)
        sources.append(batches_of(folder / name, sequences, [rows]))
    return MixedData(sources, MixtureConfig(weights=(2, 1, 1), rounds=3, num_windows=2), seed=0)


def test_a_mixture_counts_elements(tmp_path: Path, sequences: PageSequences) -> None:
    data = mixture(tmp_path, sequences)
    batches = [items for window in range(2) for items in data.plan(0, window)]
    sources = [items[0].source for items in batches]
    assert [sources.count(n) for n in range(3)] == [12, 6, 6]
    elements = [0, 0, 0]
    for source, items in zip(sources, batches, strict=True):
        elements[source] += int(data.load(items, seed=0).lengths.sum())
    # Each batch is near its budget by the estimate; the small BPE has fewer than 4 bytes a token.
    assert elements[1] == pytest.approx(elements[2], rel=0.3)
    assert elements[0] > 1.5 * max(elements[1:])


def test_resuming_repeats_nothing(tmp_path: Path, sequences: PageSequences) -> None:
    """The batches from the middle of an epoch on equal those of an uninterrupted run."""
    data = mixture(tmp_path, sequences)

    def run(start: tuple[int, int, int], count: int) -> list[MixedBatch]:
        plan = Plan(pickle.loads(pickle.dumps(data)), seed=3)
        plan.start_at(*start)
        stream = load_batches(data, plan, 0, torch.device("cpu"))
        return [batch for _, batch in (next(stream) for _ in range(count))]

    whole, resumed = run((0, 0, 0), 30), run((0, 1, 5), 13)
    assert len(whole) - 17 == len(resumed)
    for one, other in zip(whole[17:], resumed, strict=True):
        assert torch.equal(one.token_ids, other.token_ids)
        assert torch.equal(one.latents[0], other.latents[0])
