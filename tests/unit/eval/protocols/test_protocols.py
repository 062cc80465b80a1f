from dataclasses import replace
from pathlib import Path

import pytest

from latentspeech.core.errors import ConfigError, DataError, InputError
from latentspeech.eval.protocols.table import PROTOCOLS, make_testset
from latentspeech.eval.protocols.testset import Options, with_previous
from latentspeech.eval.scoring.evaluate import evaluate
from latentspeech.eval.scoring.lists import read_list, write_list
from tests.published_layouts import (
    SPEECH,
    librispeech,
    librispeech_pc_list,
    libritts,
    seed_tts,
    speech_path,
)
from tests.tiny_scorers import Peak


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    return librispeech(tmp_path_factory.mktemp("librispeech"))


def prompts(found):
    return {row.id: Path(row.prompt_path).stem for row in found.rows}


def test_librispeech_takes_4_to_10_s_and_the_utterance_before_of_the_speaker(speech):
    found = make_testset("librispeech-4-10", speech, Options())
    assert list(prompts(found).items()) == [
        ("61-70968-0001", "61-70970-0000"),  # the first takes the last
        ("61-70968-0002", "61-70968-0001"),
        ("61-70970-0000", "61-70968-0002"),
        ("908-157963-0000", "908-31957-0000"),  # ids in the order of text, not of numbers
        ("908-31957-0000", "908-157963-0000"),
    ]
    first = found.rows[0]
    assert first.reference_path == "61/70968/61-70968-0001.flac"
    assert first.transcript == SPEECH[first.id][1]
    assert first.prompt_text == SPEECH["61-70970-0000"][1]
    assert (first.speaker, first.sex, first.duration_s, first.prefix_s) == ("61", "male", 4.0, 0.0)
    assert found.missing.keys() == {"121-121726-0000"}
    assert "no other utterance of speaker 121" in found.missing["121-121726-0000"]
    assert found.info.protocol == "librispeech-4-10/reference"


def test_the_prefix_task_continues_the_first_3_s_of_the_utterance_itself(speech, tmp_path):
    found = make_testset("librispeech-4-10", speech, Options(task="prefix"))
    assert [row.id for row in found.rows][:2] == ["121-121726-0000", "61-70968-0001"]
    assert all((row.prompt_path, row.prefix_s) == (row.reference_path, 3.0) for row in found.rows)
    write_list(tmp_path / "l.jsonl", found.rows, found.info)
    pair = read_list(tmp_path / "l.jsonl").pairs(speech)[1]
    held = Peak()
    held.held_against = "prompt"
    held.prefix = "excluded"
    spoken = replace(pair, hypothesis_path=pair.reference_path)
    details = evaluate([spoken], [held]).items[0].scores["Peak"].details
    assert (details["samples"], details["reference_samples"]) == (16000, 3 * 16000)


def test_a_list_has_the_same_bytes_wherever_the_corpus_lies(speech, tmp_path):
    found = make_testset("librispeech-4-10", speech, Options())
    again = make_testset("librispeech-4-10", speech / "test-clean", Options())
    moved = librispeech(tmp_path / "elsewhere")
    other = make_testset("librispeech-4-10", moved.parent, Options())
    hashes = {
        write_list(tmp_path / f"{number}.jsonl", one.rows, one.info)
        for number, one in enumerate((found, again, other))
    }
    assert len(hashes) == 1
    pairs = read_list(tmp_path / "2.jsonl").pairs(tmp_path)
    assert all(pair.reference_path.is_file() and pair.prompt_path.is_file() for pair in pairs)
    assert pairs[0].reference_path.is_relative_to(moved)


def test_audio_that_is_missing_or_damaged_is_named(tmp_path):
    corpus = librispeech(tmp_path)
    speech_path(corpus, "61-70968-0002").unlink()
    damaged = speech_path(corpus, "908-31957-0000")
    damaged.write_bytes(damaged.read_bytes()[:3000])
    found = make_testset("librispeech-4-10", corpus, Options())
    assert found.missing.keys() >= {"61-70968-0002", "908-31957-0000"}
    assert "not found" in found.missing["61-70968-0002"]
    assert prompts(found) == {
        "61-70968-0001": "61-70970-0000",
        "61-70970-0000": "61-70968-0001",
    }
    assert found.info.left_out == tuple(sorted(found.missing))


def test_the_list_of_f5_is_read_in_its_order(speech, tmp_path):
    source = librispeech_pc_list(tmp_path)
    found = make_testset("librispeech-pc", speech, Options(source=source))
    assert prompts(found) == {
        "61-70970-0000": "61-70968-0000",
        "908-157963-0000": "908-31957-0000",
        "61-70968-0002": "61-70968-0000",
    }
    last = found.rows[-1]
    assert (last.transcript, last.prompt_text) == ('A golden " fortune', 'He began "!')
    assert (last.speaker, last.sex, last.duration_s) == ("61", "male", 7.25)
    text = source.read_text()
    source.write_text(text + text.splitlines()[0].replace("61-70970-0000", "61-70970-0009") + "\n")
    missing = make_testset("librispeech-pc", speech, Options(source=source)).missing
    assert list(missing) == ["61-70970-0009"]
    source.write_text(text.replace("\t10\t", "\t9.5\t"))
    missing = make_testset("librispeech-pc", speech, Options(source=source)).missing
    assert "lasts 10.000 s, the list says 9.500" in missing["61-70970-0000"]


@pytest.mark.parametrize(
    ("line", "found"),
    [("a\tb", "line 1 has 2 columns"), ("x\t1\tt\ty\t1\tt", "no LibriSpeech id")],
)
def test_lists_that_are_not_f5s_are_refused(speech, tmp_path, line, found):
    source = tmp_path / "list.lst"
    source.write_text(line)
    with pytest.raises(DataError, match=found):
        make_testset("librispeech-pc", speech, Options(source=source))
    with pytest.raises(InputError, match="--from"):
        make_testset("librispeech-pc", speech, Options())


def test_seed_tts_eval_has_rows_of_four_and_of_five_columns(tmp_path):
    corpus = seed_tts(tmp_path)
    found = make_testset("seed-tts-eval", corpus, Options())
    assert [(row.id, row.reference_path) for row in found.rows] == [
        ("p1-u1", "wavs/p1-u1.wav"),
        ("p1-u2", "others/u2.wav"),
        ("p1-u3", None),
    ]
    assert found.rows[0].prompt_path == "prompt-wavs/p1.wav"
    assert found.rows[0].transcript == "Get the trust fund to the bank early."
    assert found.rows[0].prompt_text == "What was said."
    assert list(found.missing) == ["p9-u4"]
    (corpus / "meta.lst").write_text("a|b|c\n")
    with pytest.raises(DataError, match="line 1 has 3 columns"):
        make_testset("seed-tts-eval", corpus, Options())


def test_libritts_is_taken_whole_or_as_a_seeded_part(tmp_path):
    corpus = libritts(tmp_path)
    found = make_testset("libritts-test-other", corpus, Options())
    assert len(found.rows) == 7
    assert list(found.missing) == ["1688_142286_000003_000000"]
    assert found.rows[0].transcript == "Mister B paid two dollars."
    assert (found.rows[0].speaker, found.rows[0].sex) == ("1688", "female")
    assert found.rows[4].transcript is None
    parts = {}
    for seed in (0, 1, 2, 0):
        some = make_testset("libritts-test-other", corpus, Options(num=3, seed=seed))
        ids = [row.id for row in some.rows] + list(some.missing)
        assert len(ids) == 3
        assert parts.setdefault(seed, ids) == ids
    assert len({tuple(ids) for ids in parts.values()}) > 1
    assert "'0/<id>'" in some.info.rule


def test_cuts_give_a_list_and_pieces_of_recordings_their_own_audio(tmp_path):
    lhotse = pytest.importorskip("lhotse")
    corpus = librispeech(tmp_path)
    cuts = []
    for name in ("61-70968-0001", "61-70968-0002", "61-70970-0000"):
        path = speech_path(corpus, name)
        recording = lhotse.Recording.from_file(path, recording_id=name)
        spoken = lhotse.SupervisionSegment(
            name, name, 0.0, recording.duration, text=SPEECH[name][1], speaker="61", gender="M"
        )
        cuts.append(lhotse.MonoCut(name, 0.0, recording.duration, 0, [spoken], recording=recording))
    path = corpus / "cuts.jsonl.gz"
    lhotse.CutSet.from_cuts(cuts).to_file(path)
    found = make_testset("cuts", path, Options(num=2))
    assert prompts(found) == {"61-70968-0001": "61-70970-0000", "61-70968-0002": "61-70968-0001"}
    assert found.rows[0].reference_path == "test-clean/61/70968/61-70968-0001.flac"
    assert found.rows[0].sex == "male"
    pieces = [cut.truncate(offset=1.0, duration=2.0, preserve_id=True) for cut in cuts]
    lhotse.CutSet.from_cuts(pieces).to_file(path)
    with pytest.raises(InputError, match="pieces of recordings"):
        make_testset("cuts", path, Options())
    found = make_testset("cuts", path, Options(audio=tmp_path / "audio"))
    write_list(tmp_path / "list.jsonl", found.rows, found.info)
    held = Peak()
    held.held_against = "reference"
    pairs = read_list(tmp_path / "list.jsonl").pairs(tmp_path / "audio")
    report = evaluate(pairs, [held])
    assert [row.scores["Peak"].details["samples"] for row in report.items] == [32000] * 3


def test_prompts_are_the_utterance_before_of_the_same_speaker():
    items = ["b2", "a1", "b1", "c1", "a2", "a3"]
    found = with_previous(items, lambda item: item[0], lambda item: item)
    assert found == {
        "a": [("a1", "a3"), ("a2", "a1"), ("a3", "a2")],
        "b": [("b1", "b2"), ("b2", "b1")],
    }


def test_requests_that_cannot_be_met_are_refused(speech, tmp_path):
    with pytest.raises(ConfigError, match="unknown test set 'librispeech'; did you mean"):
        make_testset("librispeech", speech, Options())
    with pytest.raises(ConfigError, match="needs the corpus"):
        make_testset("librispeech-4-10", None, Options())
    with pytest.raises(InputError, match="not found"):
        make_testset("librispeech-4-10", tmp_path / "none", Options())
    with pytest.raises(InputError, match="no task 'all'; choose from reference, prefix"):
        make_testset("librispeech-4-10", speech, Options(task="all"))
    with pytest.raises(ConfigError, match="has no --num"):
        make_testset("librispeech-4-10", speech, Options(num=3))
    with pytest.raises(ConfigError, match="has no --from"):
        make_testset("libritts-test-other", speech, Options(source=tmp_path))
    empty = tmp_path / "empty"
    empty.mkdir()
    sources = {"librispeech-pc": librispeech_pc_list(tmp_path)}
    for name in PROTOCOLS.keys() - {"mini", "cuts"}:
        with pytest.raises(DataError, match=r"holds no|cannot be read"):
            make_testset(name, empty, Options(source=sources.get(name)))
