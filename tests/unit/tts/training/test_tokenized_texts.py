"""Token ids are made once, are those of the tokenizer, and never those of another."""

import pickle
from multiprocessing import get_context
from pathlib import Path

import pytest

from latentspeech.core.data.latent_shards import LatentShards
from latentspeech.data.speech_latents import speech_item
from latentspeech.text.tokenizers import CharacterTokenizer, CharacterTokenizerConfig
from latentspeech.tts.training import tokenized_texts
from latentspeech.tts.training.tokenized_texts import TokenizedTexts
from tests.unit.tts.training.test_training_data import write_shards

TOKENIZER = CharacterTokenizer(CharacterTokenizerConfig())


class OtherTokenizer(CharacterTokenizer):
    def encode_batch(self, texts):
        return [[7] for _ in texts]


@pytest.fixture
def shards(tmp_path: Path) -> LatentShards:
    items = [speech_item(f"u{i}", "anna", f"text number {i}", 3, 0.2) for i in range(9)]
    return write_shards(tmp_path / "latents", items)


def test_ids_are_the_tokenizers(shards: LatentShards) -> None:
    texts = TokenizedTexts(shards, TOKENIZER)
    for index in (8, 0, 5):
        assert texts[index] == TOKENIZER.encode(shards.item(index).text)


def test_they_are_made_once(shards: LatentShards, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [TokenizedTexts(shards, TOKENIZER)[index] for index in range(9)]
    monkeypatch.setattr(CharacterTokenizer, "encode_batch", None)
    texts = pickle.loads(pickle.dumps(TokenizedTexts(shards, TOKENIZER)))
    assert [texts[index] for index in range(9)] == expected
    other = TokenizedTexts(shards, OtherTokenizer(CharacterTokenizerConfig()))
    assert other[3] == [7]


def test_damaged_ids_are_made_again(shards: LatentShards) -> None:
    expected = TokenizedTexts(shards, TOKENIZER)[2]
    (path,) = shards.local_folder.glob("tokens-*/00000.npy")
    for content in (path.read_bytes()[:-4], b"", path.read_bytes()[:140]):
        path.write_bytes(content)
        assert TokenizedTexts(shards, TOKENIZER)[2] == expected


def test_other_code_makes_its_own(shards: LatentShards, monkeypatch: pytest.MonkeyPatch) -> None:
    assert TokenizedTexts(shards, TOKENIZER)[2]
    monkeypatch.setattr(tokenized_texts.latentspeech.text, "__path__", ["."])
    assert TokenizedTexts(shards, TOKENIZER)[2]
    assert len(list(shards.local_folder.glob("tokens-*"))) == 2


def test_a_text_without_words_has_no_ids(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    items = [
        speech_item(f"u{i}", "anna", text, 3, 0.2) for i, text in enumerate(("one", "*", "two"))
    ]
    texts = TokenizedTexts(write_shards(tmp_path, items), TOKENIZER)
    assert [texts[0], texts[1], texts[2]] == [
        TOKENIZER.encode("one"),
        None,
        TOKENIZER.encode("two"),
    ]
    assert "1 of 3 texts hold nothing that can be spoken" in caplog.text


def _all(texts: TokenizedTexts) -> list[list[int] | None]:
    return [texts[index] for index in range(9)]


def test_processes_share_them(shards: LatentShards) -> None:
    texts = TokenizedTexts(shards, TOKENIZER)
    with get_context("fork").Pool(3) as pool:
        found = pool.map(_all, [texts] * 6, chunksize=1)
    assert found == [_all(texts)] * 6
