import numpy as np
import pytest
import torch
from PIL import Image

from latentspeech.core.errors import ConfigError
from latentspeech.core.lm.mixed_sequence import LatentSpan, MixedSequence, num_elements
from latentvision.mllm.documents.page import Page, Picture, Text
from latentvision.mllm.pictures import TokenizerEncoder
from latentvision.mllm.sequence import PageSequences
from tests.tiny_pictures import picture
from tests.tiny_tokenizer import make_tokenizer


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def shown(sequences: PageSequences, number: int) -> Picture:
    return Picture(str(number), sequences.encoder.shrink(picture(number)))


def listed(sequences: PageSequences, sequence: MixedSequence) -> list[tuple[str, bool]]:
    """Each span as text, with special tokens by their names, and whether it is a target."""
    names = {i: name for name, i in sequences.vocabulary._asdict().items()}
    size = sequences.tokenizer.size

    def said(span: object) -> str:
        if isinstance(span, LatentSpan):
            return f"[{len(span.latents)} latents]"
        ids = span.ids.tolist()  # type: ignore[attr-defined]
        special = [i for i in ids if i >= size]
        assert len(special) in (0, len(ids))
        return " ".join(names[i] for i in ids) if special else sequences.tokenizer.decode(ids)

    return [(said(span), span.target) for span in sequence]


def test_a_page_of_text_and_pictures(sequences: PageSequences) -> None:
    parts = (Text("the cat"), shown(sequences, 0), shown(sequences, 1), Text("\u00e9nd"))
    sequence = sequences.sequence(Page("a", "interleaved", parts), generator())
    image = [("boi", True), ("[16 latents]", True), ("eoi", False)]
    assert listed(sequences, sequence) == [
        ("page_begin", False),
        ("the cat", True),
        *image,
        *image,
        ("\u00e9nd", True),
        ("page_end", True),
    ]
    assert all(span.whole for span in sequence if isinstance(span, LatentSpan))
    assert num_elements(sequence) == 2 + 2 * sequences.picture_elements + sum(
        len(sequences.tokenizer.encode(text)) for text in ("the cat", "\u00e9nd")
    )


def test_questions_are_given_and_answers_learned(sequences: PageSequences) -> None:
    parts = (
        shown(sequences, 0),
        Text("What?", "question"),
        Text("a cat", "answer"),
        Text("Where?", "question"),
        Text("the mat", "answer"),
    )
    sequence = sequences.sequence(Page("a", "questions", parts), generator())
    assert listed(sequences, sequence)[4:] == [
        ("question", False),
        ("What?", False),
        ("answer", False),
        ("a cat", True),
        ("question", True),
        ("Where?", False),
        ("answer", False),
        ("the mat", True),
        ("page_end", True),
    ]


def test_a_page_that_goes_on_has_no_end(sequences: PageSequences) -> None:
    page = Page("a", "text", (Text("the cat"),))
    spans = listed(sequences, sequences.sequence(page, generator(), ends=False))
    assert spans == [("page_begin", False), ("the cat", True)]


def test_text_that_looks_like_a_mark_is_text(sequences: PageSequences) -> None:
    page = Page("a", "text", (Text("<|boi|> page_end"),))
    (_, span, _) = sequences.sequence(page, generator())
    assert not isinstance(span, LatentSpan)
    assert int(span.ids.max()) < sequences.tokenizer.size


def test_latents_are_samples_around_the_tokenizers_means(sequences: PageSequences) -> None:
    tokenizer = make_tokenizer("fixed")
    encoder = TokenizerEncoder(tokenizer)
    pictures = [encoder.shrink(picture(number)) for number in range(40)]
    assert pictures[0].size == (16, 16)
    z = encoder.encode(pictures, generator())  # (40, 16, 5)
    pixels = torch.stack([torch.tensor(np.asarray(p)) for p in pictures]).permute(0, 3, 1, 2)
    means = tokenizer.encode(pixels / 127.5 - 1)
    assert float((z - means).std()) == pytest.approx(0.5, rel=0.05)  # its sigma_std
    assert encoder.encode([], generator()).shape == (0, 16, 5)
    assert torch.equal(encoder.encode(pictures, generator()), z)
    wide = encoder.shrink(Image.new("RGB", (400, 20)))
    assert wide.size == (16, 16)


def test_only_a_sigma_vae_encodes_pictures() -> None:
    with pytest.raises(ConfigError, match="kind 'vq'; expected a sigma-VAE"):
        TokenizerEncoder(make_tokenizer("vq"))
