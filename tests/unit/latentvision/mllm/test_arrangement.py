import pytest
from PIL import Image

from latentspeech.core.errors import DataError
from latentvision.mllm.documents.arrangement import ArrangementConfig, arrange, with_pictures
from latentvision.mllm.documents.page import Page, Picture, Text
from tests.tiny_pictures import encoded

LEAVE_OUT = ArrangementConfig(missing_pictures="leave_out")
SHOWN = Picture("shown", encoded(0))
LOST = Picture("lost", None)
DAMAGED = Picture("damaged", encoded(1)[:70])


def pair(key: str, caption: str = "a cat") -> Page:
    return Page(key, "pair", (SHOWN, Text(caption)))


def same(picture: Image.Image) -> Image.Image:
    return picture


def orders(config: ArrangementConfig, epoch: int, seed: int = 0) -> list[str]:
    """How each of 2000 pairs is arranged: cp, pc, or p without its caption."""
    pages = [arrange(pair(str(n)), config, seed, epoch) for n in range(2000)]
    return [
        "".join("c" if isinstance(p, Text) else "p" for p in page.parts) for page in pages if page
    ]


def test_the_shares_of_directions_and_dropped_captions() -> None:
    found = orders(ArrangementConfig(caption_first=0.8, caption_drop=0.1), epoch=0)
    assert len(found) == 2000
    # Five standard deviations of each share.
    assert found.count("pc") / 2000 == pytest.approx(0.2, abs=0.045)
    assert found.count("p") / 2000 == pytest.approx(0.08, abs=0.031)
    assert found.count("cp") / 2000 == pytest.approx(0.72, abs=0.051)


def test_the_direction_depends_on_key_epoch_and_seed_alone() -> None:
    config = ArrangementConfig()
    first = orders(config, epoch=0)
    assert orders(config, epoch=0) == first
    assert orders(config, epoch=1) != first
    assert orders(config, epoch=0, seed=1) != first
    assert set(orders(ArrangementConfig(caption_first=0), 0)) == {"pc"}
    assert set(orders(ArrangementConfig(caption_first=1, caption_drop=0), 0)) == {"cp"}
    assert set(orders(ArrangementConfig(caption_first=1, caption_drop=1), 0)) == {"p"}


@pytest.mark.parametrize("text", ["", "  \n"])
def test_empty_text(text: str) -> None:
    assert arrange(pair("a", text), LEAVE_OUT, 0, 0) is None
    asked = (SHOWN, Text("What?", "question"), Text(text, "answer"))
    assert arrange(Page("a", "questions", asked), LEAVE_OUT, 0, 0) is None
    assert arrange(Page("a", "text", (Text(""),)), LEAVE_OUT, 0, 0) is None
    assert arrange(Page("a", "interleaved", ()), LEAVE_OUT, 0, 0) is None
    mixed = Page("a", "interleaved", (Text(""), SHOWN, Text("b")))
    arranged = arrange(mixed, LEAVE_OUT, 0, 0)
    assert arranged is not None
    assert arranged.parts == (SHOWN, Text("b"))


@pytest.mark.parametrize("bad", [LOST, DAMAGED])
def test_missing_and_damaged_pictures(bad: Picture) -> None:
    mixed = Page("a", "interleaved", (Text("a"), bad, SHOWN, Text("b")))
    with pytest.raises(DataError, match=f"{bad.name}.*or set missing_pictures"):
        with_pictures(mixed, ArrangementConfig(), same)
    found = with_pictures(mixed, LEAVE_OUT, same)
    assert found is not None
    assert [part.text if isinstance(part, Text) else part.name for part in found.parts] == [
        "a",
        "shown",
        "b",
    ]
    assert with_pictures(Page("a", "pair", (bad, Text("a"))), LEAVE_OUT, same) is None
    asked = (bad, Text("What?", "question"), Text("That.", "answer"))
    assert with_pictures(Page("a", "questions", asked), LEAVE_OUT, same) is None
