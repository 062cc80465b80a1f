import base64
import hashlib
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentspeech.core.errors import ConfigError, DataError, InputError
from latentvision.mllm.tokens.byte_bpe import ByteBPE
from latentvision.mllm.tokens.cl100k import SIZE, Cl100k
from latentvision.mllm.tokens.text_tokenizer import TextTokenizer
from latentvision.mllm.tokens.vocabulary import make_vocabulary

TEXTS = ["the cat sat on the mat", "the dog and the cat", "that hat is the cat's"] * 20
BPE = ByteBPE.train(TEXTS, 300)
MERGES = (b"th", b"the", b" the", b"at", b"cat", b" cat")


def ranks_file(folder: Path, merges: tuple[bytes, ...] = MERGES) -> tuple[Path, str]:
    """A small file in the layout of cl100k_base.tiktoken, and its hash."""
    tokens = [*(bytes([byte]) for byte in range(256)), *merges]
    lines = [base64.b64encode(token) + f" {rank}\n".encode() for rank, token in enumerate(tokens)]
    path = folder / "small.tiktoken"
    path.write_bytes(b"".join(lines))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Cl100k:
    pytest.importorskip("tiktoken")
    path, digest = ranks_file(tmp_path_factory.mktemp("ranks"))
    return Cl100k(path, digest, size=300)


HARD = [
    "",
    " ",
    "  two  spaces \n\n\r\n\t end ",
    "Don't stop: 12345 naïve façade",
    "e\u0301 \u00e9 \ufb01 \ufeff \u202e \x00 \x7f",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea",
    "\u4f60\u597d \u0645\u0631\u062d\u0628\u0627",
    "<|endoftext|><|boi|>",
]


def check_round_trip(tokenizer: TextTokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert all(0 <= i < tokenizer.size for i in ids)
    assert tokenizer.decode(ids) == text
    assert len(ids) <= len(text.encode())


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_text_returns_from_bpe(text: str) -> None:
    check_round_trip(BPE, text)


@pytest.mark.parametrize("text", HARD)
def test_hard_texts_return(text: str, ranks: Cl100k) -> None:
    check_round_trip(BPE, text)
    check_round_trip(ranks, text)


def test_any_text_returns_from_ranks(ranks: Cl100k) -> None:
    @given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
    def check(text: str) -> None:
        check_round_trip(ranks, text)

    check()


def test_training_makes_frequent_words_short() -> None:
    assert 256 < BPE.size <= 300
    assert len(BPE.encode("the cat")) < len(b"the cat") / 2
    assert ByteBPE.train(TEXTS, 300).encode("that cat") == BPE.encode("that cat")


def test_a_saved_bpe_gives_the_same_ids(tmp_path: Path) -> None:
    BPE.save(tmp_path / "bpe.json")
    for other in (ByteBPE.load(tmp_path / "bpe.json"), pickle.loads(pickle.dumps(BPE))):
        assert other.size == BPE.size
        assert [other.encode(text) for text in HARD] == [BPE.encode(text) for text in HARD]


def test_ranks_give_their_merges(ranks: Cl100k) -> None:
    assert ranks.encode("the cat") == [257, 261]
    assert pickle.loads(pickle.dumps(ranks)).encode("the cat") == [257, 261]


def test_bad_files_and_sizes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="255 tokens; expected 256"):
        ByteBPE.train(TEXTS, 255)
    with pytest.raises(InputError, match="no text tokenizer at"):
        ByteBPE.load(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(DataError, match="is no text tokenizer"):
        ByteBPE.load(tmp_path / "bad.json")


def test_a_wrong_file_of_ranks(tmp_path: Path) -> None:
    pytest.importorskip("tiktoken")
    path, _ = ranks_file(tmp_path)
    with pytest.raises(DataError, match="is not cl100k_base"):
        Cl100k(path)
    with pytest.raises(InputError, match="no file of cl100k"):
        Cl100k(tmp_path / "none")


def test_bad_texts_and_ids(ranks: Cl100k) -> None:
    for tokenizer in (BPE, ranks):
        with pytest.raises(InputError, match=r"U\+D800 at character 1"):
            tokenizer.encode("a\ud800")
        with pytest.raises(InputError, match=f"token {tokenizer.size} is none"):
            tokenizer.decode([tokenizer.size])


def test_half_a_character_decodes_as_a_replacement(ranks: Cl100k) -> None:
    assert ranks.decode(ranks.encode("\u00e9")[:1]) == "\ufffd"


def test_vocabulary_sizes() -> None:
    assert make_vocabulary(SIZE).size == 100_288
    small = make_vocabulary(BPE.size)
    special = small[1:8]
    assert len(set(special)) == 7
    assert all(BPE.size <= i < small.size for i in special)
    assert small.size % 64 == 0
    coded = make_vocabulary(BPE.size, num_codes=100)
    assert coded[:9] == small[:9]
    assert coded.codes == small.answer + 1
    assert coded.codes + 100 <= coded.size < coded.codes + 100 + 64
