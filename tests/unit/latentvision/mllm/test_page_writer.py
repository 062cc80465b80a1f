"""Drawing, describing, answering, and an open page: the calls that users make."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import latentvision
from latentspeech.core.errors import CheckpointError, ConfigError, InputError
from latentspeech.core.lm.mixed_sequence import LatentSpan
from latentvision.generation.painter import Pictures
from latentvision.images.reading import read_picture
from latentvision.images.writing import read_provenance
from latentvision.mllm.loading import find_page_model
from latentvision.mllm.open_page import OpenPage
from latentvision.mllm.page_writer import PageWriter
from latentvision.training.pack_mllm import pack_page_model
from tests.tiny_page_models import KINDS, train_tiny
from tests.tiny_pictures import picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("writers")
    for kind in KINDS:
        run = train_tiny(folder, kind, max_steps=1)
        pack_page_model(run.exp_dir, folder / kind)
    return folder


@pytest.fixture
def writer(folder: Path) -> PageWriter:
    return latentvision.load_multimodal(folder / "latent_lm")


@pytest.mark.parametrize("kind", KINDS)
def test_draw_caption_and_ask(folder: Path, kind: str, tmp_path: Path) -> None:
    writer = latentvision.load_multimodal(folder / kind)
    told: list[tuple[int, int]] = []
    two = writer.draw("the cat", num=2, seed=4, advance=lambda *done: told.append(done))
    assert two.pixels.shape == (2, 3, 16, 16)
    assert told[-1][0] == told[-1][1]
    one = writer.draw("the cat", seed=4)
    torch.testing.assert_close(one.pixels[0], two.pixels[0], rtol=1e-3, atol=1e-3)
    assert not torch.equal(two.pixels[0], two.pixels[1])
    two.save(tmp_path / "cats.png")
    assert (
        f"drawn by model {kind} from 'the cat', seed 4"
        in read_provenance(tmp_path / "cats.png")["Comment"]
    )
    shown = [picture(number) for number in range(3)]
    captions = writer.captions(shown, max_tokens=4)
    assert captions == [writer.caption(one, max_tokens=4) for one in shown]
    hot = [writer.caption(shown[0], text_temperature=1.0, seed=seed) for seed in (1, 1, 2)]
    assert hot[0] == hot[1] != hot[2]
    assert isinstance(writer.ask(shown[0], "What?", max_tokens=3), str)


def test_a_page_in_turns(writer: PageWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Text, a picture of the model's and text; the cache holds what reading it all would give."""
    vocabulary, encode = writer.vocabulary, writer.sequences.tokenizer.encode
    written = [*encode("\u00e4"), vocabulary.boi, *encode("sat"), vocabulary.page_end]
    rooms: list[int] = []

    def script(pages: Any, ends: frozenset[int], sampling: Any, room: int, _: Any) -> Iterator[Any]:
        rooms.append(room)
        while written:
            token = written.pop(0)
            yield [token]
            if token in ends:
                return

    monkeypatch.setattr(writer.model, "write", script)
    page = OpenPage(writer, seed=1, num_steps=2)
    page.add_text("the cat")
    pieces = list(page.go_on())
    texts = [piece for piece in pieces if isinstance(piece, str)]
    assert "".join(texts) == "\u00e4sat"
    assert texts[0] == "\u00e4"  # two bytes, one piece
    (drawn,) = [piece for piece in pieces if isinstance(piece, Pictures)]
    assert drawn.pixels.shape == (1, 3, 16, 16)
    first = 1 + len(encode("the cat"))
    assert rooms[0] == 40 - first
    page.add_text("mat")
    length = first + len(encode("\u00e4")) + 18 + len(encode("sat")) + len(encode("mat"))
    assert page.length == length
    written.append(vocabulary.page_end)
    assert [*page.go_on()] == []
    assert page._read is not None
    assert page._read.length == length
    assert rooms[-1] == 40 - length


def test_a_picture_is_read_once(writer: PageWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[int] = []
    encoder = type(writer.sequences.encoder)
    encode = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda *a: encoded.append(len(a[1])) or encode(*a))
    lengths: list[int] = []
    step = writer.model.lm.backbone.step

    def counted(x: torch.Tensor, *rest: Any, **more: Any) -> Any:
        lengths.append(x.shape[1])
        return step(x, *rest, **more)

    monkeypatch.setattr(writer.model.lm.backbone, "step", counted)
    page = OpenPage(writer)
    page.add_picture(picture(0))
    for _ in range(2):
        page.ask("a")
        assert all(isinstance(piece, str) for piece in page.go_on(max_tokens=1))
    assert sum(encoded) == 1
    assert sum(length >= 16 for length in lengths) == 1


def test_the_unconditional_page_and_the_condition_differ(writer: PageWriter) -> None:
    assert writer.blank.length == 2
    assert writer.before_picture("the cat").length > 2
    spans = writer.picture_spans(picture(0))
    (latents,) = [span for span in spans if isinstance(span, LatentSpan)]
    again = next(s for s in writer.picture_spans(picture(0)) if isinstance(s, LatentSpan))
    assert torch.equal(latents.latents, again.latents)


def test_wrong_input_says_so(writer: PageWriter, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the text is empty"):
        writer.draw(" ")
    with pytest.raises(InputError, match=r"the text has \d+ tokens; expected at most 21"):
        writer.draw("0123456789" * 9)
    with pytest.raises(ConfigError, match="num is 0; expected at least 1"):
        writer.draw("the cat", num=0)
    with pytest.raises(ConfigError, match="max_tokens is 0; expected at least 1"):
        writer.caption(picture(0), max_tokens=0)
    with pytest.raises(ConfigError, match="cfg_scale = -1"):
        writer.draw("the cat", cfg_scale=-1)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"bad\.png is not a picture"):
        writer.caption(bad)
    page = OpenPage(writer)
    page.add_picture(picture(0))
    page.add_picture(picture(1))
    before = page.length
    with pytest.raises(InputError, match=r"the page would have \d+ elements, and the model has"):
        page.add_picture(picture(1))
    assert page.length == before
    page.add_text("abc")
    with pytest.raises(InputError, match="begin another page"):
        [*page.go_on(100), page.add_text("the cat"), *page.go_on(100)]
    with pytest.raises(CheckpointError, match="holds a model of kind 'image_tokenizer'"):
        latentvision.load_multimodal(folder / "tokenizer-vq-0")


def test_no_model(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.delenv("LATENTVISION_MODEL", raising=False)
    monkeypatch.setattr("latentvision.mllm.loading.builtin_models", dict)
    with pytest.raises(CheckpointError, match="no model given, and no model of text and pictures"):
        find_page_model()
    monkeypatch.setenv("LATENTVISION_MODEL", str(folder / "vq"))
    assert find_page_model() == folder / "vq"
    assert read_picture(folder / "pictures" / "0.png").size == (20, 20)
