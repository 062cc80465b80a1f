"""What holds for all models of pages: one data path, no peeking, reading in parts, drawing."""

from collections.abc import Sequence

import pytest
import torch
from torch import nn

from latentspeech.core.lm.mixed_batch import MixedBatch, pack
from latentspeech.core.lm.mixed_sequence import MixedSequence
from latentvision.mllm.documents.page import Page, Picture, Text
from latentvision.mllm.models.build import build_page_model
from latentvision.mllm.models.code_lm import CodeLMConfig
from latentvision.mllm.models.latent_lm import MultimodalLMConfig
from latentvision.mllm.models.page_model import PageModel, PictureSpace
from latentvision.mllm.models.sampling import PageSampling
from latentvision.mllm.models.transfusion import TransfusionConfig
from latentvision.mllm.sequence import PageSequences
from latentvision.mllm.tokens.cl100k import SIZE
from tests.tiny_page_models import KINDS, model_of, sequences_of
from tests.tiny_pictures import picture


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pages(kind: str, sequences: PageSequences) -> PageSequences:
    return sequences_of(kind, sequences)


def page(sequences: PageSequences, plan: str, ends: bool = True) -> MixedSequence:
    """p and P are two pictures, t a text, q a question, a an answer."""
    texts = {
        "t": Text("the cat"),
        "q": Text("What?", "question"),
        "a": Text("a mat", "answer"),
        "p": Picture("p", sequences.encoder.shrink(picture(0))),
        "P": Picture("P", sequences.encoder.shrink(picture(1))),
    }
    parts = tuple(texts[letter] for letter in plan)
    generator = torch.Generator().manual_seed(0)
    return sequences.sequence(Page(plan, "interleaved", parts), generator, ends)


def batch_of(model: PageModel, rows: Sequence[MixedSequence], row_length: int = 200) -> MixedBatch:
    dims = (model.space.latent_dim,) if model.space.latent_dim else ()
    batch = pack(rows, dims, row_length)
    batch.latents = tuple(latents.double() for latents in batch.latents)
    return batch


def test_packed_pages_do_not_see_each_other(kind: str, pages: PageSequences) -> None:
    model = model_of(kind, pages)
    rows = [page(pages, "pqa"), page(pages, "tP")]
    together, _ = model.nats(batch_of(model, rows))
    alone = [model.nats(batch_of(model, [row]))[0][0] for row in rows]
    assert len(together) == 1
    torch.testing.assert_close(together[0], torch.cat(alone), rtol=1e-5, atol=1e-5)


def test_reading_in_parts_equals_reading_the_whole(kind: str, pages: PageSequences) -> None:
    """Prefill and steps give the forward pass; the picture is whole within a part."""
    model = model_of(kind, pages)
    first, rest = page(pages, "tp", ends=False), page(pages, "qa", ends=False)[1:]
    batch = model.batch([[*first, *rest]])
    batch.latents = tuple(latents.double() for latents in batch.latents)
    x, block_ids = model.inputs(batch)
    whole = model.lm.backbone(x, None, block_ids)[0]
    read = model.read(rest, model.read(first))
    assert read.length == len(whole)
    assert read.prefix is not None
    torch.testing.assert_close(read.prefix.hidden, whole[-2], rtol=1e-5, atol=1e-5)


def test_text_goes_on_as_the_whole_page_says(kind: str, pages: PageSequences) -> None:
    """Greedy tokens of the session are those of forward passes over the page so far."""
    model = model_of(kind, pages)
    begun = page(pages, "pq", ends=False)
    end = frozenset([model.vocabulary.page_end])
    steps = model.write(
        [model.read(begun)], end, PageSampling(), 5, [torch.Generator().manual_seed(0)]
    )
    written = [token for (token,) in steps if token is not None]
    allowed = torch.full((model.vocabulary.size,), -torch.inf)
    allowed[: model.vocabulary.text_size] = 0
    allowed[model.vocabulary.page_end] = 0
    spans = list(begun)
    for token in written:
        batch = model.batch([spans])
        batch.latents = tuple(latents.double() for latents in batch.latents)
        x, block_ids = model.inputs(batch)
        logits = model.lm.token_logits(model.lm.backbone(x, None, block_ids)[0, -1])
        assert token == int((logits + allowed).argmax())
        spans.append(type(begun[0])(torch.tensor([token]), False))  # type: ignore[call-arg]


def test_drawing(kind: str, pages: PageSequences) -> None:
    """A seed decides a picture, whatever is drawn beside it; guidance changes it."""
    model = model_of(kind, pages)
    boi = page(pages, "p", ends=False)[1]
    read = [model.read([*page(pages, plan, ends=False), boi]) for plan in ("t", "Pt")]
    without = model.read([page(pages, "", ends=False)[0], boi])

    def draw(chosen: Sequence[int], cfg_scale: float = 3.0) -> torch.Tensor:
        generators = [torch.Generator().manual_seed(number) for number in chosen]
        sampling = PageSampling(num_steps=3, cfg_scale=cfg_scale)
        return model.draw([read[number] for number in chosen], without, sampling, generators)

    both = draw([0, 1])
    shape = (2, 16) if kind == "vq" else (2, 16, 5)
    assert both.shape == shape
    assert (both.double() - draw([1])[0]).abs().amax(dim=tuple(range(1, both.dim())))[1] < 1e-4
    assert not torch.equal(draw([0])[0], draw([0], cfg_scale=1.0)[0])
    if kind == "vq":
        assert 0 <= int(both.min()) <= int(both.max()) < model.space.num_codes


def test_the_twins_have_the_papers_sizes() -> None:
    """One backbone, and heads of about the same size (5.2): 1,309M, 395M and 327M."""

    def millions(module: nn.Module) -> float:
        return sum(parameter.numel() for parameter in module.parameters()) / 1e6

    latents = PictureSpace(num_latents=256, latent_dim=16)
    codes = PictureSpace(num_latents=256, num_codes=16_384)
    with torch.device("meta"):
        lm = build_page_model(SIZE, latents, MultimodalLMConfig())
        twin = build_page_model(SIZE, latents, TransfusionConfig())
        coded = build_page_model(SIZE, codes, CodeLMConfig())
    for model in (lm, twin, coded):
        assert millions(model.lm.backbone) == pytest.approx(1309, abs=1)
    for model in (lm, twin):
        assert millions(model.lm.token_embedding) == pytest.approx(205.4, abs=0.1)
    assert millions(lm.lm.diffusions) == pytest.approx(394.9, abs=15)
    assert millions(twin.get_submodule("head")) == pytest.approx(327, abs=1)
    assert coded.vocabulary.size == -(-(SIZE + 7 + 16_384) // 64) * 64


def test_all_models_train_on_the_same_batches(sequences: PageSequences) -> None:
    """Places of text and pictures agree; only what stands at a picture differs."""
    coded = sequences_of("vq", sequences)
    latents = batch_of(model_of("latent_lm", sequences), [page(sequences, "tpqa")])
    codes = batch_of(model_of("vq", coded), [page(coded, "tpqa")])
    assert latents.kinds.shape == codes.kinds.shape
    is_picture = latents.kinds == 1
    assert torch.equal(codes.token_ids >= coded.vocabulary.codes, is_picture)
    assert torch.equal(latents.token_ids[~is_picture], codes.token_ids[~is_picture])
    assert torch.equal(latents.targets, codes.targets)
