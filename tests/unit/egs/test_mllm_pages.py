"""The pages of egs/mllm, and the paper's size on the meta device."""

import json
import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from egs.mllm.local.make_pages import Emoji, interleaved, make_pages, pieces, questions
from latentspeech.core.errors import DataError
from latentvision.mllm.documents.config import open_pages
from recipes.mllm.dry_run import dry_run
from recipes.mllm.page_set import KINDS, SPLITS, page_source, survey, write_pages
from tests.tiny_pictures import make_emoji

ROOT = Path(__file__).parents[3]


def some_emoji(counts: dict[str, int]) -> list[Emoji]:
    return [
        Emoji(f"{kind}{n}.png", f"{kind} {n}", kind) for kind in counts for n in range(counts[kind])
    ]


def asked(pages: list[dict[str, Any]]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for page in pages:
        _, question, answer = page["parts"]
        found[question["question"]][answer["answer"]] += 1
    return found


def test_yes_and_no_are_equally_often_right() -> None:
    pages = questions(some_emoji({"a flag": 9, "food": 5, "a face": 4}), random.Random(0))
    by_question = asked(pages)
    assert by_question.pop("What kind of thing is it?") == {"a flag": 9, "food": 5, "a face": 4}
    assert by_question == {
        f"Is it {kind}?": {"yes": count, "no": count}
        for kind, count in (("a flag", 9), ("food", 5), ("a face", 4))
    }


def test_a_no_is_true() -> None:
    for page in questions(some_emoji({"a flag": 9, "food": 2}), random.Random(0)):
        picture, question, answer = (next(iter(part.values())) for part in page["parts"])
        if question.startswith("Is it"):
            kind = question.removeprefix("Is it ").removesuffix("?")
            assert (answer == "yes") == picture.startswith(kind)


def test_an_interleaved_page_has_one_kind() -> None:
    emoji = some_emoji({"a flag": 7, "food": 2})
    pages = interleaved(emoji, random.Random(0))
    pictures = [part["picture"] for page in pages for part in page["parts"] if "picture" in part]
    assert Counter(pictures) == dict.fromkeys([one.file for one in emoji], 3)
    for page in pages:
        files = [part["picture"] for part in page["parts"] if "picture" in part]
        assert len(files) <= 3
        assert len({file.rstrip("0123456789.png") for file in files}) == 1


def test_pieces_end_with_sentences_and_lose_nothing() -> None:
    text = "One sentence of some words. " * 300
    found = list(pieces(text))
    assert len(found) > 3
    assert " ".join(found) == text.strip()
    assert all(piece.endswith(".") and len(piece) < 2100 for piece in found)


def test_pages_from_packages(tmp_path: Path) -> None:
    """No emoji kept aside is in training; skin tones are left out."""
    make_emoji(tmp_path / "emoji-datasource-google", count=60)
    table = tmp_path / "emoji-datasource-google" / "emoji.json"
    rows = [
        row | {"category": row["category"].replace("Food", "Food & Drink")}
        for row in json.loads(table.read_text())
    ]
    table.write_text(json.dumps(rows))
    for name in ("datasets-sotu", "datasets-moby-dick"):
        (tmp_path / name / "data").mkdir(parents=True)
        text = json.dumps({"text": "We have met. " * 4000})
        (tmp_path / name / "data" / "1.json").write_text(text)
        (tmp_path / name / "data" / "stopwords.json").write_text("[]")
    make_pages(tmp_path, tmp_path / "pages")
    counts = survey(tmp_path / "pages")
    assert counts["train/text"]["pages"] > 10 * counts["valid/text"]["pages"] > 0
    files = {}
    for split in SPLITS:
        source = open_pages(page_source(tmp_path / "pages", split, "pairs"))
        files[split] = {source.page(index).parts[1] for index in source.shard(0)}
        assert counts[f"{split}/pairs"]["pages"] == len(files[split])
    assert not files["train"] & files["valid"]
    pictures = [path.name for path in (tmp_path / "pages").rglob("*.png")]
    assert not any("1f3fb" in name for name in pictures)


def test_pages_of_ones_own_are_checked(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        survey(tmp_path)
    for split in SPLITS:
        for kind in KINDS:
            write_pages(tmp_path, split, kind, [{"text": "a"}])
    assert survey(tmp_path)["valid/text"] == {"pages": 1, "pictures": 0, "text_bytes": 1}
    write_pages(tmp_path, "valid", "questions", [])
    with pytest.raises(DataError, match="has no pages; expected one or more for valid, questions"):
        survey(tmp_path)


@pytest.mark.parametrize(
    ("kind", "pictures", "vocabulary"),
    [("latent_lm", 394.9, 100_288), ("transfusion", 332.0, 100_288), ("vq", 0, 116_672)],
)
def test_the_papers_size(kind: str, pictures: float, vocabulary: int) -> None:
    found = dry_run(ROOT / f"egs/mllm/conf/paper/{kind}.yaml", processes=8)
    millions = {part: count / 1e6 for part, count in found["parameters"].items()}
    assert millions["backbone"] == pytest.approx(1309, abs=1)
    assert millions["pictures"] == pytest.approx(pictures, abs=1)
    assert found["vocabulary"] == vocabulary
    assert found["row_length"] == 4096
    assert found["elements_a_step"] == 2**22
    assert found["elements"] == pytest.approx(200e9, rel=0.05)
    assert found["rates"]["500"] == pytest.approx(3e-4)
