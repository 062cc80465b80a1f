"""Reading a manifest: what is wrong is named with its line; splits keep speakers apart."""

import json
from pathlib import Path

import pytest

from latentspeech.core.errors import DataError
from latentspeech.data.manifest import CorpusUtterance, read_manifest, split_by_speaker


def row(number: int, **changes) -> dict:
    return {
        "id": f"u{number}",
        "audio": f"spk/u{number}.flac",
        "speaker": "spk",
        "text": f"Sentence {number}.",
        "source": "test",
        "licence": "CC0",
        "duration_s": 1.5,
        **changes,
    }


def write(folder: Path, lines: list) -> Path:
    (folder / "spk").mkdir(exist_ok=True)
    for number in range(20):
        (folder / "spk" / f"u{number}.flac").write_bytes(b"x")
    text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    (folder / "manifest.jsonl").write_text(text, encoding="utf-8")
    return folder


def test_reads_lines_in_order_and_ignores_other_keys(tmp_path):
    corpus = write(tmp_path, [row(1, text="Caf\u00e9\u2028here"), "", row(0, wer=0.1)])
    first, second = read_manifest(corpus)
    assert first == CorpusUtterance(
        "u1", "spk/u1.flac", "spk", "Caf\u00e9\u2028here", "test", "CC0", 1.5
    )
    assert second.id == "u0"


def without(key: str) -> dict:
    return {name: value for name, value in row(1).items() if name != key}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"id": "u1", "aud', ["line 2", "not JSON", "character"]),
        ("[1, 2]", ["line 2", "list", "JSON object"]),
        (without("speaker"), ["line 2", "no 'speaker'"]),
        (without("licence"), ["line 2", "no 'licence'"]),
        (row(0), ["line 2", "'u0'", "line 1"]),
        (row(1, duration_s=-1), ["line 2", "duration_s", "-1"]),
        (row(1, duration_s="2"), ["line 2", "duration_s", "'2'"]),
        ('{"id": "u1", "audio": "spk/u1.flac", "speaker": "s", "text": "t", "source": "s", '
         '"licence": "l", "duration_s": NaN}', ["line 2", "nan"]),
        (row(1, speaker=""), ["line 2", "speaker"]),
        (row(1, audio="/etc/passwd"), ["line 2", "/etc/passwd", "relative"]),
        (row(1, audio="../u1.flac"), ["line 2", "../u1.flac", "inside"]),
    ],
)  # fmt: skip
def test_a_bad_line_is_named(tmp_path, line, words):
    with pytest.raises(DataError) as caught:
        read_manifest(write(tmp_path, [row(0), line]))
    for word in words:
        assert word in str(caught.value)


def test_bytes_that_are_no_text_are_named(tmp_path):
    corpus = write(tmp_path, [row(0), row(1)])
    with (corpus / "manifest.jsonl").open("ab") as file:
        file.write(b"\xff\xfe\n")
    with pytest.raises(DataError, match="line 3 is not UTF-8"):
        read_manifest(corpus)


def test_missing_audio_is_counted_and_listed(tmp_path):
    corpus = write(tmp_path, [row(number) for number in range(10)])
    for number in range(2, 10):
        (corpus / "spk" / f"u{number}.flac").unlink()
    with pytest.raises(DataError) as caught:
        read_manifest(corpus)
    message = str(caught.value)
    assert "8 of the 10" in message
    assert "spk/u2.flac" in message
    assert "spk/u6.flac, ..." in message
    assert "u7" not in message


def test_missing_and_empty_manifests(tmp_path):
    with pytest.raises(DataError, match=r"no manifest.jsonl"):
        read_manifest(tmp_path)
    with pytest.raises(DataError, match="holds no utterances"):
        read_manifest(write(tmp_path, []))


def test_a_default_licence_stands_in(tmp_path):
    corpus = write(tmp_path, [without("licence"), row(2)])
    assert [item.licence for item in read_manifest(corpus, "unstated")] == ["unstated", "CC0"]


def utterances(speakers: int, each: int) -> list[CorpusUtterance]:
    return [
        CorpusUtterance(f"s{s}-{n}", "a.flac", f"s{s}", "Text.", "test", "CC0", 2.0)
        for n in range(each)
        for s in range(speakers)
    ]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("test_speakers", [0.2, ["s3", "s7"]])
def test_a_split_loses_nothing_and_keeps_test_speakers_apart(seed, test_speakers):
    everything = utterances(10, 8)
    split = split_by_speaker(everything, test_speakers, 0.1, seed)
    ids = [item.id for part in split for item in part]
    assert sorted(ids) == sorted(item.id for item in everything)
    tested = {item.speaker for item in split.test}
    trained = {item.speaker for item in split.train}
    assert len(tested) == 2
    assert not tested & trained
    assert {item.speaker for item in split.dev} <= trained
    assert len(trained) == 8
    assert len(split.dev) == 6  # a tenth of 64
    order = {item.id: place for place, item in enumerate(everything)}
    for part in split:
        places = [order[item.id] for item in part]
        assert places == sorted(places)


def test_a_split_depends_on_the_seed_and_on_nothing_else():
    everything = utterances(10, 8)
    first = split_by_speaker(everything, 0.2, 0.1, 1)
    assert first == split_by_speaker(everything, 0.2, 0.1, 1)
    others = [split_by_speaker(everything, 0.2, 0.1, seed) for seed in range(2, 8)]
    assert any({u.speaker for u in first.test} != {u.speaker for u in o.test} for o in others)
    assert any(first.dev != other.dev for other in others)


def test_speakers_with_one_utterance_are_neither_drawn_for_test_nor_lost_from_train():
    everything = utterances(2, 6) + [
        CorpusUtterance(f"one-{n}", "a.flac", f"one-{n}", "Text.", "test", "CC0", 2.0)
        for n in range(20)
    ]
    for seed in range(5):
        split = split_by_speaker(everything, 0.05, 0.3, seed)
        assert {item.speaker for item in split.test} <= {"s0", "s1"}
        assert {f"one-{n}" for n in range(20)} <= {item.speaker for item in split.train}


@pytest.mark.parametrize(
    ("test_speakers", "dev_fraction", "words"),
    [
        (["s0", "nobody"], 0.1, "no test speaker nobody"),
        (["s0", "s1"], 0.1, "all 2 speakers"),
        (1.5, 0.1, "1.5"),
        (0.5, 0.0, "dev_fraction"),
    ],
)
def test_splits_that_cannot_be_made(test_speakers, dev_fraction, words):
    with pytest.raises(DataError, match=words):
        split_by_speaker(utterances(2, 4), test_speakers, dev_fraction, 0)


def test_no_speaker_can_be_tested_with_one_utterance_each():
    with pytest.raises(DataError, match="two utterances"):
        split_by_speaker(utterances(5, 1), 0.2, 0.1, 0)


def test_dev_is_never_empty():
    everything = utterances(1, 4) + [
        CorpusUtterance(f"one-{n}", "a.flac", f"one-{n}", "Text.", "test", "CC0", 2.0)
        for n in range(3)
    ]
    with pytest.raises(DataError, match="dev would be empty"):
        split_by_speaker(everything, ["s0"], 0.1, 0)
