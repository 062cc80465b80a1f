import json
import logging
from dataclasses import replace

import pytest
import torch

from latentspeech.audio.io import write_audio
from latentspeech.core.errors import ConfigError, DataError, InputError
from latentspeech.core.eval.scorer import Score
from latentspeech.eval.metrics.mel_distance import MelDistance
from latentspeech.eval.metrics.speed import RealTimeFactor
from latentspeech.eval.scoring.files import (
    ScoreInputs,
    check_request,
    read_transcripts,
    select_pairs,
)
from latentspeech.eval.scoring.run import score_inputs
from latentspeech.eval.scoring.score_store import ScoreStore
from tests.tiny_scorers import Peak


@pytest.fixture
def folders(tmp_path):
    """Originals a, b, c in a sub-folder; hypotheses for a, b (another format) and an extra x."""
    original, tested = tmp_path / "ref", tmp_path / "hyp"
    for folder in (original, tested):
        (folder / "spk").mkdir(parents=True)
    generator = torch.Generator().manual_seed(0)
    for name in "abc":
        write_audio(original / "spk" / f"{name}.wav", audio(generator), 24000)
    for name in "abx":
        write_audio(tested / "spk" / f"{name}.flac", audio(generator), 24000)
    (tested / "notes.txt").write_text("not audio")
    return tested, original


def audio(generator):
    return 0.1 * torch.randn(9600, generator=generator)


def test_one_file_against_one_file(folders):
    tested, original = folders
    inputs = ScoreInputs(tested / "spk" / "a.flac", original / "spk" / "b.wav")
    report = score_inputs(inputs, ["mel"])
    assert [u.id for u in report.items] == ["a"]
    assert report.metrics[0].value > 0


def test_folders_are_paired_by_relative_name_and_lost_partners_are_named(folders):
    report = score_inputs(ScoreInputs(*folders), ["mel"])
    assert [u.id for u in report.items] == ["spk/a", "spk/b", "spk/c", "spk/x"]
    reasons = {failure.id: failure.reason for failure in report.failures}
    assert reasons.keys() == {"spk/c", "spk/x"}
    assert "spk/c.wav not found" in reasons["spk/c"]
    assert "none was given" in reasons["spk/x"]
    assert report.metrics[0].num_scored == 2


def test_one_reference_or_prompt_serves_a_folder_and_folders_go_by_id(folders):
    tested, original = folders
    one = original / "spk" / "a.wav"
    assert score_inputs(ScoreInputs(tested, one), ["mel"]).metrics[0].num_scored == 3
    pairs = select_pairs(ScoreInputs(tested, prompt=original, codec_prompt=one)).pairs
    prompts = {pair.id: (pair.prompt_path, pair.codec_prompt_path) for pair in pairs}
    assert prompts["spk/b"] == (original / "spk/b.wav", one)
    assert prompts["spk/x"][0] == original / "spk/x.wav"  # is not there: the metric says so


def test_the_hash_of_a_request_is_of_its_utterances_not_of_its_folders(folders, tmp_path):
    tested, original = folders
    first = select_pairs(ScoreInputs(tested)).source["sha256"]
    moved = tmp_path / "elsewhere"
    tested.rename(moved)
    assert select_pairs(ScoreInputs(moved)).source["sha256"] == first
    assert select_pairs(ScoreInputs(original)).source["sha256"] != first


def test_transcripts_come_as_a_manifest_or_as_tab_separated_lines(tmp_path):
    manifest = tmp_path / "m.jsonl"
    rows = [
        {"id": "a", "text": "One.", "speaker": "s", "sex": "male", "duration_s": 2},
        {"id": "b", "text": "Two.\u2028Lines."},
    ]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    manifest.write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    expected = {
        "a": {"text": "One.", "speaker": "s", "sex": "male"},
        "b": {"text": "Two.\u2028Lines."},
    }
    assert read_transcripts(manifest) == expected
    table = tmp_path / "t.tsv"
    table.write_text("a\tOne.\nb\tTwo, with\ttab.\n")
    assert read_transcripts(table)["b"] == {"text": "Two, with\ttab."}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"a One.", "line 1 has no tab"),
        (b'{"id": "a"', "line 1 is not valid JSON"),
        (b'\n{"id": "a"}', "line 2 lacks"),
        (b"a\tx\na\ty", "line 2: id 'a' occurs twice"),
        (b"\xff\xfe\x00", "not UTF-8"),
    ],
)
def test_bad_transcripts_are_explained(tmp_path, content, found):
    path = tmp_path / "t.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=found):
        read_transcripts(path)
    with pytest.raises(DataError, match="not found"):
        read_transcripts(tmp_path / "none.txt")


def test_texts_are_found_by_name_and_unused_ones_are_counted(folders, tmp_path, caplog):
    table = tmp_path / "t.tsv"
    table.write_text("a\tby name\nspk/b\tby id\nelsewhere\tnot here\n")
    with caplog.at_level(logging.WARNING):
        pairs = select_pairs(ScoreInputs(folders[0], transcripts=table)).pairs
    assert [pair.transcript for pair in pairs] == ["by name", "by id", None]
    assert "1 ids of" in caplog.text


def test_cuts_name_the_originals_and_the_folder_the_audio_under_test(tmp_path, folders):
    lhotse = pytest.importorskip("lhotse")
    tested, original = folders
    cuts = []
    for name, gender in (("a", "F"), ("b", None)):
        path = original / "spk" / f"{name}.wav"
        recording = lhotse.Recording.from_file(path, recording_id=name)
        spoken = lhotse.SupervisionSegment(
            name, name, 0.0, recording.duration, text="Hello.", speaker="anna", gender=gender
        )
        cuts.append(lhotse.MonoCut(name, 0.0, recording.duration, 0, [spoken], recording=recording))
    path = tmp_path / "cuts.jsonl.gz"
    lhotse.CutSet.from_cuts(cuts).to_file(path)
    inputs = ScoreInputs(tested / "spk", cuts=path)
    pairs = select_pairs(inputs).pairs
    assert [(p.id, p.transcript, p.speaker, p.sex) for p in pairs] == [
        ("a", "Hello.", "anna", "female"),
        ("b", "Hello.", "anna", None),
    ]
    assert score_inputs(inputs, ["mel"]).metrics[0].num_scored == 2
    with pytest.raises(ConfigError, match="folder of the audio under test"):
        select_pairs(replace(inputs, hypothesis=None))
    with pytest.raises(ConfigError, match="their own originals"):
        select_pairs(replace(inputs, reference=original))
    piece = cuts[0].truncate(offset=0.1, duration=0.2)
    lhotse.CutSet.from_cuts([piece]).to_file(path)
    with pytest.raises(DataError, match=r"piece of .*latentspeech testset cuts --corpus"):
        select_pairs(inputs)


def test_requests_that_cannot_be_met_are_refused(folders, tmp_path):
    tested, original = folders
    one = tested / "spk" / "a.flac"
    with pytest.raises(ConfigError, match=r"unknown metric 'pesk'; did you mean pesq"):
        score_inputs(ScoreInputs(one), ["pesk"])
    with pytest.raises(ConfigError, match="one transcript is for one file"):
        select_pairs(ScoreInputs(tested, original, transcript="text"))
    with pytest.raises(InputError, match="not found"):
        select_pairs(ScoreInputs(tmp_path / "none", original))
    with pytest.raises(InputError, match="two of a kind"):
        select_pairs(ScoreInputs(one, original))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no audio"):
        select_pairs(ScoreInputs(tmp_path / "empty", original))
    with pytest.raises(ConfigError, match="nothing to score"):
        select_pairs(ScoreInputs())
    with pytest.raises(ConfigError, match="--corpus is where a list's paths start"):
        select_pairs(ScoreInputs(one, corpus=tmp_path))
    write_audio(tested / "spk" / "a.wav", torch.ones(10), 24000)
    with pytest.raises(InputError, match="share a name"):
        select_pairs(ScoreInputs(tested, original))


def test_what_no_utterance_has_is_refused_before_anything_is_scored(folders):
    tested, original = folders
    pairs = select_pairs(ScoreInputs(tested)).pairs
    reading = Peak()
    reading.needs_transcript = True
    prompted = Peak()
    prompted.held_against = "codec_prompt"
    with pytest.raises(ConfigError, match=r"with a reference recording .*give --ref"):
        check_request([MelDistance()], pairs)
    with pytest.raises(ConfigError, match=r"copy of the prompt .*--codec-prompt"):
        check_request([prompted], pairs)
    with pytest.raises(ConfigError, match="needs the text"):
        check_request([reading], pairs)
    with pytest.raises(ConfigError, match="needs the times"):
        check_request([RealTimeFactor()], pairs)
    check_request([MelDistance()], select_pairs(ScoreInputs(tested, original)).pairs)


def test_an_interrupted_run_says_where_its_scores_are(folders, tmp_path, monkeypatch, caplog):
    calls = []

    def interrupted(self, *arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return Score(1.0)

    monkeypatch.setattr(MelDistance, "score", interrupted)
    with pytest.raises(KeyboardInterrupt):
        score_inputs(ScoreInputs(*folders), ["mel"], out=tmp_path / "r.json")
    partial = tmp_path / "r.json.partial.jsonl"
    assert f"interrupted; 1 scores are kept in {partial}" in caplog.text
    assert len(ScoreStore(partial)) == 1
