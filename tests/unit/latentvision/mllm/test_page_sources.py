import pickle
from pathlib import Path

import numpy as np
import pytest

from latentspeech.core.config import parse_config
from latentspeech.core.errors import DataError
from latentvision.mllm.documents.config import (
    CaptionedPagesConfig,
    JsonLinesPagesConfig,
    ParquetPagesConfig,
    open_pages,
)
from latentvision.mllm.documents.page import Page, Picture, Text, size_of
from latentvision.mllm.documents.source import PageSource
from tests.tiny_pages import TEXTS, make_pictures, url, write_lines, write_parquet
from tests.tiny_pictures import encoded, make_emoji, make_tars, picture


def pages_of(source: PageSource) -> list[Page]:
    """All pages; on the way, that sizes agree and that a copy reads the same."""
    copy = pickle.loads(pickle.dumps(source))
    pages = []
    for number in range(source.num_shards):
        for index in source.shard(number):
            pages.append(source.page(index))
            assert source.size(index) == size_of(pages[-1])
            assert copy.page(index).key == pages[-1].key
    return pages


def lines(tmp_path: Path, *rows: dict[str, object]) -> PageSource:
    folder = write_lines(tmp_path / "pages", rows)
    pictures = make_pictures(tmp_path / "pictures")
    return open_pages(JsonLinesPagesConfig(location=str(folder), pictures=pictures))


def parquet(tmp_path: Path, columns: dict[str, list[object]]) -> PageSource:
    folder = write_parquet(tmp_path / "pages", columns)
    pictures = make_pictures(tmp_path / "pictures")
    return open_pages(ParquetPagesConfig(location=str(folder), pictures=pictures))


def shows(part: Text | Picture, number: int) -> bool:
    assert isinstance(part, Picture)
    return np.array_equal(np.asarray(part.decode()), np.asarray(picture(number)))


def test_lines_of_every_kind(tmp_path: Path) -> None:
    source = lines(
        tmp_path,
        {"text": TEXTS[1], "key": "second"},
        {"picture": "1.png", "caption": "one"},
        {"parts": [{"text": "a"}, {"picture": "2.png"}, {"picture": "3.png"}, {"text": "b"}]},
        {"parts": [{"picture": "0.png"}, {"question": "What?"}, {"answer": "That."}]},
    )
    text, pair, interleaved, questions = pages_of(source)
    assert text == Page("second", "text", (Text(TEXTS[1]),))
    assert (pair.key, pair.kind, pair.parts[1]) == ("0.jsonl/1", "pair", Text("one"))
    assert shows(pair.parts[0], 1)
    assert interleaved.kind == "interleaved"
    assert (interleaved.parts[0], interleaved.parts[3]) == (Text("a"), Text("b"))
    assert shows(interleaved.parts[1], 2)
    assert shows(interleaved.parts[2], 3)
    assert questions.kind == "questions"
    assert questions.parts[1:] == (Text("What?", "question"), Text("That.", "answer"))


def test_mmc4_pictures_come_before_their_sentences(tmp_path: Path) -> None:
    infos = [
        {"image_name": "2.png", "matched_text_index": 1, "raw_url": "x", "matched_sim": 0.3},
        {"image_name": "1.png", "matched_text_index": 0, "raw_url": "y", "matched_sim": 0.2},
    ]
    (page,) = pages_of(lines(tmp_path, {"text_list": ["One.", "Two."], "image_info": infos}))
    first, one, second, two = page.parts
    assert shows(first, 1)
    assert shows(second, 2)
    assert (one, two) == (Text("One. "), Text("Two."))


def test_empty_lines_and_files_are_left_out(tmp_path: Path) -> None:
    source = lines(tmp_path, {"text": "a"})
    folder = tmp_path / "pages"
    (folder / "0.jsonl").write_text('\n{"text": "a"}\n\n  \n{"text": "b"}')
    (folder / "1.jsonl").write_text("")
    assert [page.key for page in pages_of(source)] == ["0.jsonl/0", "0.jsonl/1"]


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[1]",
        "{}",
        '{"text": 3}',
        '{"picture": "1.png"}',
        '{"parts": [{"film": "a"}]}',
        '{"parts": [{"text": "a", "picture": "b"}]}',
        '{"picture": "../a", "caption": ""}',
        "\xff",
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    source = lines(tmp_path, {"text": "a"})
    (tmp_path / "pages" / "0.jsonl").write_bytes(b'{"text": "a"}\n' + line.encode("latin-1"))
    with pytest.raises(DataError, match=r"page 1 cannot be read|names the picture"):
        source.page(source.shard(0)[1])


def test_pairs_by_url_as_in_laion_and_coyo(tmp_path: Path) -> None:
    for text, address in (("TEXT", "URL"), ("text", "url")):
        columns = {address: [url(0), url(9), url(2)], text: ["zero", "lost", None]}
        zero, lost, two = pages_of(parquet(tmp_path, columns))
        assert zero.kind == "pair"
        assert zero.parts[1] == Text("zero")
        assert shows(zero.parts[0], 0)
        assert lost.parts[0] == Picture(url(9), None)
        assert shows(two.parts[0], 2)
        assert two.parts[1] == Text("")


def test_pairs_with_their_pictures_as_img2dataset_writes_them(tmp_path: Path) -> None:
    columns = {"key": ["000", "001"], "caption": ["zero", "lost"], "jpg": [encoded(0), None]}
    zero, lost = pages_of(parquet(tmp_path, columns | {"url": [url(1), url(1)]}))
    assert (zero.key, zero.parts[1]) == ("000", Text("zero"))
    assert shows(zero.parts[0], 0)
    assert isinstance(lost.parts[0], Picture)
    with pytest.raises(DataError, match="is missing; expected a picture"):
        lost.parts[0].decode()


@pytest.mark.parametrize("embedded", [True, False])
def test_interleaved_rows_as_in_obelics(tmp_path: Path, embedded: bool) -> None:
    image = {"bytes": encoded(3), "path": "3.png"} if embedded else url(3)
    columns = {"texts": [["a", None, "b"], ["c"], []], "images": [[None, image, None], [None], []]}
    page, text, empty = pages_of(parquet(tmp_path, columns))
    assert [page.kind, text.kind, empty.parts] == ["interleaved", "interleaved", ()]
    assert (page.parts[0], page.parts[2]) == (Text("a"), Text("b"))
    assert shows(page.parts[1], 3)


def test_text_rows_and_unequal_lists(tmp_path: Path) -> None:
    assert [page.kind for page in pages_of(parquet(tmp_path, {"text": ["a", "b"]}))] == ["text"] * 2
    source = parquet(tmp_path, {"texts": [["a", None]], "images": [["b"]]})
    with pytest.raises(DataError, match="2 texts and 1 images"):
        source.page(0)


def test_captioned_pictures_are_pairs(tmp_path: Path) -> None:
    tars = {"kind": "tar", "location": str(make_tars(tmp_path / "tars"))}
    emoji = {"kind": "emoji", "folder": make_emoji(tmp_path / "emoji")}
    for source in (tars, emoji):
        config = parse_config(CaptionedPagesConfig, {"source": source})
        pages = pages_of(open_pages(config))
        assert len(pages) > 4
        assert {page.kind for page in pages} == {"pair"}
        captions = [part.text for page in pages for part in page.parts if isinstance(part, Text)]
        assert all(text.startswith(("number ", "name ")) for text in captions)


def test_a_captioned_picture_that_is_damaged_says_why(tmp_path: Path) -> None:
    folder = make_emoji(tmp_path / "emoji")
    config = parse_config(CaptionedPagesConfig, {"source": {"kind": "emoji", "folder": folder}})
    source = open_pages(config)
    for path in folder.glob("img/google/64/*.png"):
        path.write_bytes(path.read_bytes()[:60])
    lost = source.page(source.shard(0)[0]).parts[0]
    assert isinstance(lost, Picture)
    assert lost.content is None
    with pytest.raises(DataError, match=r"truncated or damaged.*missing_pictures"):
        lost.decode()


def test_missing_files(tmp_path: Path) -> None:
    tmp = str(tmp_path)
    with pytest.raises(DataError, match=r"holds no \.jsonl files"):
        open_pages(JsonLinesPagesConfig(location=tmp, pictures=tmp_path))
    with pytest.raises(DataError, match=r"holds no \.parquet files"):
        open_pages(ParquetPagesConfig(location=tmp, pictures=tmp_path))
    with pytest.raises(DataError, match="columns words; expected a caption"):
        parquet(tmp_path, {"words": ["a"]})
