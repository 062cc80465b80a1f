"""Tokenizers: round trips, saving, damaged files, and what all kinds share."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from latentspeech.core.errors import CheckpointError, ConfigError, DataError, InputError
from latentspeech.text.normalizer import normalize
from latentspeech.text.tokenizers import (
    PAD_ID,
    UNK_ID,
    BPETokenizer,
    BPETokenizerConfig,
    CharacterTokenizer,
    CharacterTokenizerConfig,
    PhonemeTokenizer,
    PhonemeTokenizerConfig,
    Tokenizer,
    TokenizerConfig,
    build_tokenizer,
    load_tokenizer,
)

TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "Pack my box with five dozen liquor jugs!",
    "How vexingly quick daft zebras jump; don't they?",
    "Sphinx of black quartz, judge my vow: now.",
]
needs_espeak = pytest.mark.skipif(
    shutil.which("espeak-ng") is None, reason="needs `apt-get install espeak-ng`"
)
KINDS = ["bpe", "character", "misaki", pytest.param("phoneme", marks=needs_espeak)]


def make(kind: str, **changes: str) -> Tokenizer:
    settings = {"kind": kind} | ({"vocab_size": 80} if kind == "bpe" else {}) | changes
    return build_tokenizer(TypeAdapter(TokenizerConfig).validate_python(settings), TEXTS)


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_in_range_and_a_saved_tokenizer_gives_the_same(kind: str, tmp_path: Path) -> None:
    tokenizer = make(kind)
    ids = tokenizer.encode_batch(TEXTS)
    assert all(UNK_ID < i < tokenizer.vocab_size for row in ids for i in row)
    assert ids == [tokenizer.encode(text) for text in TEXTS]
    tokenizer.save(tmp_path / "new" / "folder")
    again = load_tokenizer(tmp_path / "new" / "folder")
    assert type(again) is type(tokenizer)
    assert again.vocab_size == tokenizer.vocab_size
    assert again.encode_batch(TEXTS) == ids
    assert again.decode(ids[0]) == tokenizer.decode(ids[0])
    assert sorted(p.name for p in (tmp_path / "new" / "folder").iterdir()) == (
        ["tokenizer.json", "tokenizer.model"] if kind == "bpe" else ["tokenizer.json"]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_pad_is_left_out_and_unknown_ids_are_refused(kind: str) -> None:
    tokenizer = make(kind)
    ids = tokenizer.encode("zebras jump")
    assert tokenizer.decode([*ids, PAD_ID, PAD_ID]) == tokenizer.decode(ids)
    assert tokenizer.decode([PAD_ID]) == ""
    for bad in (-1, tokenizer.vocab_size):
        with pytest.raises(ValueError, match=f"token id {bad} is outside"):
            tokenizer.decode([bad])


def test_misaki_knows_the_flap_and_leaves_out_what_is_not_heard() -> None:
    tokenizer = make("misaki")
    assert tokenizer.decode(tokenizer.encode("Water.")) == "w\u02c8\u0254T\u0259\u0279."
    plain = tokenizer.encode("He said no, really.")
    assert tokenizer.encode('He said "no", (really).') == plain
    assert tokenizer.encode("He said \u201cno\u201d, (really).") == plain


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["", "  \n", "...", "\U0001f600"])
def test_empty_text_is_an_input_error(kind: str, text: str) -> None:
    with pytest.raises(InputError, match="text is empty after normalisation"):
        make(kind).encode(text)


@pytest.mark.parametrize("kind", ["bpe", "character"])
def test_decode_gives_the_normalised_text(kind: str) -> None:
    tokenizer = make(kind)
    for text in [*TEXTS, "box  box,judge", "The fox \u2014 the dog\u2026"]:
        assert tokenizer.decode(tokenizer.encode(text)) == normalize(text)


@given(st.text(alphabet="abc XYZ.,'?!-5$", max_size=40))
@settings(max_examples=200, deadline=None)
def test_characters_round_trip(text: str) -> None:
    tokenizer = CharacterTokenizer(CharacterTokenizerConfig())
    spoken = normalize(text)
    if spoken:
        assert tokenizer.decode(tokenizer.encode(text)) == spoken


def test_characters_lose_accents_before_they_become_unknown() -> None:
    tokenizer = CharacterTokenizer(CharacterTokenizerConfig(case="lower"))
    assert tokenizer.vocab_size == 2 + 1 + 9 + 26
    assert tokenizer.decode(tokenizer.encode("Caf\u00c9 \u0434a")) == "cafe <unk>a"
    assert tokenizer.table.unknown == {"\u0434": 1}


def test_bpe_marks_unknown_characters_and_is_reproducible() -> None:
    tokenizer = BPETokenizer.train(TEXTS, vocab_size=80)
    assert UNK_ID in tokenizer.encode("jump \u0434")
    assert UNK_ID not in tokenizer.encode("XYZ: - 'W' \"k\"?"), "letters missing in the corpus"
    assert len(tokenizer.encode("quick jump")) < len("quick jump")
    again = BPETokenizer.train(TEXTS, vocab_size=80)
    assert again.encode_batch(TEXTS) == tokenizer.encode_batch(TEXTS)
    unigram = BPETokenizer.train(TEXTS, vocab_size=80, model_type="unigram")
    assert unigram.decode(unigram.encode(TEXTS[0])) == TEXTS[0]


@pytest.mark.parametrize("kind", ["bpe", "character"])
@pytest.mark.parametrize(
    "text",
    [
        "He hoped there would be stew for dinner",
        "Mister John met Doctor B",
        "Mr. John met Dr. B at St. John's in Elm St.",
        "Henry VIII saw the BBC",
        "Is it us? I'm a man. O lord!",
    ],
)
def test_case_lower_gives_one_id_sequence_whatever_the_case(kind: str, text: str) -> None:
    lower = make(kind, case="lower")
    assert lower.encode(text.upper()) == lower.encode(text)
    assert lower.encode(normalize(text).lower()) == lower.encode(text)
    assert lower.decode(lower.encode(text)) == normalize(text).lower()
    keep = make(kind)
    assert keep.encode(normalize(text).lower()) != keep.encode(text)


def test_pieces_of_small_letters_are_as_long_for_a_transcript_in_capitals() -> None:
    tokenizer = make("bpe", case="lower")
    assert len(tokenizer.encode("THE QUICK BROWN FOX")) < 0.7 * len("the quick brown fox")


@pytest.mark.parametrize("kind", ["bpe", "character"])
def test_the_case_is_recorded_and_directories_without_it_keep_case(
    kind: str, tmp_path: Path
) -> None:
    for case in ("keep", "lower"):
        make(kind, case=case).save(tmp_path / case)
        assert load_tokenizer(tmp_path / case).config.case == case  # type: ignore[attr-defined]
    path = tmp_path / "keep" / "tokenizer.json"
    values = json.loads(path.read_text())
    assert values.pop("case") == "keep"
    path.write_text(json.dumps(values))
    assert load_tokenizer(tmp_path / "keep").encode("Jump") == make(kind).encode("Jump")


def test_character_directories_of_the_first_version_are_read(tmp_path: Path) -> None:
    for lowercase in (False, True):
        tokenizer = make("character", case="lower" if lowercase else "keep")
        tokenizer.save(tmp_path)
        path = tmp_path / "tokenizer.json"
        values = json.loads(path.read_text())
        del values["case"]
        path.write_text(json.dumps(values | {"lowercase": lowercase}))
        assert load_tokenizer(tmp_path).encode("Jump") == tokenizer.encode("Jump")


def test_bpe_says_why_it_cannot_be_trained() -> None:
    with pytest.raises(DataError, match="no text to train"):
        BPETokenizer.train(["", "..."], vocab_size=80)
    with pytest.raises(DataError, match="cannot train 5000 pieces on 4 texts"):
        BPETokenizer.train(TEXTS, vocab_size=5000)
    with pytest.raises(ConfigError, match=r"vocab_size = 9: .*72"):
        BPETokenizer.train(TEXTS, vocab_size=9)


def test_the_config_is_told_apart_by_kind() -> None:
    adapter: TypeAdapter[TokenizerConfig] = TypeAdapter(TokenizerConfig)
    assert isinstance(adapter.validate_python({"kind": "phoneme"}), PhonemeTokenizerConfig)
    assert isinstance(adapter.validate_python({"kind": "bpe"}), BPETokenizerConfig)
    with pytest.raises(ValidationError):
        adapter.validate_python({"kind": "character", "vocab_size": 5})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "not found"),
        ("", "is damaged"),
        ('{"kind": "bp', "is damaged"),
        ("[1]", "holds a list"),
        ("{}", "kind = None; expected bpe, misaki, phoneme or character"),
        ('{"kind": "word"}', "kind = 'word'"),
        ('{"kind": "character"}', "symbols"),
        ('{"kind": "character", "symbols": ["a", "a"]}', "each once"),
        ('{"kind": "phoneme", "symbols": ["ab"]}', "single characters"),
        ('{"kind": "bpe", "vocab_size": 80}', "sha256"),
    ],
)
def test_a_damaged_tokenizer_json_is_a_checkpoint_error(
    content: str | None, message: str, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_tokenizer(tmp_path)
    assert "\n" not in str(caught.value)


def test_binary_rubbish_in_place_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(CheckpointError, match="is damaged"):
        load_tokenizer(tmp_path)
    with pytest.raises(CheckpointError, match="not found"):
        load_tokenizer(tmp_path / "tokenizer.json")


def test_a_damaged_sentencepiece_model_is_a_checkpoint_error(tmp_path: Path) -> None:
    make("bpe").save(tmp_path)
    path = tmp_path / "tokenizer.model"
    whole = path.read_bytes()
    for broken in (b"", whole[: len(whole) // 2], whole[:-1] + bytes([whole[-1] ^ 1])):
        path.write_bytes(broken)
        with pytest.raises(CheckpointError, match="SHA-256 differs"):
            load_tokenizer(tmp_path)
    path.unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_tokenizer(tmp_path)


def test_a_vocabulary_of_another_size_is_a_checkpoint_error(tmp_path: Path) -> None:
    make("bpe").save(tmp_path)
    values = json.loads((tmp_path / "tokenizer.json").read_text())
    (tmp_path / "tokenizer.json").write_text(json.dumps(values | {"vocab_size": 81}))
    with pytest.raises(CheckpointError, match="80 pieces, expected 81"):
        load_tokenizer(tmp_path)


def test_an_old_inventory_stays_as_it_was_saved(tmp_path: Path) -> None:
    PhonemeTokenizer(PhonemeTokenizerConfig(), symbols=["a", " "]).save(tmp_path)
    assert load_tokenizer(tmp_path).vocab_size == 4
