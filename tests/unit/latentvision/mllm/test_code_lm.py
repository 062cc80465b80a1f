"""The twin of codes: pictures are tokens of the vocabulary, on the same pages and batches."""

from pathlib import Path

import pytest
import torch

from latentspeech.core.errors import ConfigError
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.loss import latent_lm_loss
from latentspeech.core.lm.mixed_sequence import LatentSpan, num_elements
from latentvision.images.transforms import to_tensor
from latentvision.mllm.batches import PageBatchConfig, PageBatches
from latentvision.mllm.documents.config import JsonLinesPagesConfig, open_pages
from latentvision.mllm.documents.page import Page, Picture, Text
from latentvision.mllm.models.code_lm import code_lm_config
from latentvision.mllm.pictures import CodeEncoder
from latentvision.mllm.sequence import PageSequences
from tests.tiny_multimodal import TINY
from tests.tiny_pages import make_pictures, write_lines
from tests.tiny_pictures import picture
from tests.tiny_tokenizer import make_tokenizer


@pytest.fixture(scope="module")
def coded(sequences: PageSequences) -> PageSequences:
    return PageSequences(sequences.tokenizer, CodeEncoder(make_tokenizer("vq")))


def test_the_codes_of_a_page(sequences: PageSequences, coded: PageSequences) -> None:
    shown = Picture("p", coded.encoder.shrink(picture(0)))
    page = Page("a", "interleaved", (Text("the cat"), shown))
    generator = torch.Generator().manual_seed(0)
    spans = coded.sequence(page, generator)
    _, _, boi, codes, eoi, _ = spans
    assert not any(isinstance(span, LatentSpan) for span in (boi, codes, eoi))
    assert (boi.target, codes.target, eoi.target) == (True, True, False)
    assert codes.whole
    first = coded.vocabulary.codes
    assert not isinstance(codes, LatentSpan)
    image = to_tensor(coded.encoder.shrink(picture(0)))
    expected = make_tokenizer("vq").encode_codes(image[None])[0]
    assert torch.equal(codes.ids - first, expected)
    assert coded.encoder.encode([], generator).shape == (0, 16)
    assert num_elements(spans) == num_elements(sequences.sequence(page, generator))


def test_batches_and_loss(coded: PageSequences, tmp_path: Path) -> None:
    rows = [
        {"parts": [{"text": f"the mat {n} "}, {"picture": "0.png"}, {"picture": "1.png"}]}
        for n in range(8)
    ]
    folder = write_lines(tmp_path / "pages", rows)
    pictures = make_pictures(tmp_path / "pictures")
    source = open_pages(JsonLinesPagesConfig(location=str(folder), pictures=pictures))
    config = PageBatchConfig(batch_elements=200, row_length=30)
    data = PageBatches(source, coded, config, seed=0)
    torch.manual_seed(0)
    model = LatentLM(code_lm_config(coded.vocabulary, TINY.backbone))
    first, num_codes = coded.vocabulary.codes, 0
    for items in data.plan(0, 0):
        batch = data.load(items, seed=0)
        assert batch.latents == ()
        is_code = batch.token_ids >= first
        for row in is_code.tolist():
            runs = "".join("x" if here else " " for here in row).split()
            assert all(len(run) == 16 for run in runs), "a picture was cut"
            num_codes += 16 * len(runs)
        loss = latent_lm_loss(model, batch, torch.Generator().manual_seed(0))
        assert loss.num_tokens == int(batch.targets.sum())
        loss.total.backward()
    assert num_codes == 8 * 2 * 16
    gradient = model.token_embedding.weight.grad
    assert gradient is not None
    assert bool(gradient.isfinite().all())


def test_only_a_vq_tokenizer_has_codes() -> None:
    with pytest.raises(ConfigError, match="kind 'per_example' has no codes"):
        CodeEncoder(make_tokenizer())
