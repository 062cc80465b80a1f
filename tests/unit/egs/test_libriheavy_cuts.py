"""Libriheavy's published manifests to cuts, on a small one made of real recordings."""

import gzip
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import lhotse
import pytest

from latentspeech.core.errors import DataError
from latentspeech.data.utterances import load_utterance, read_utterances
from tests.small_corpus import small_corpus
from tests.unit.recipes.shell import ROOT

KEYS = {"id", "start", "duration", "channel", "supervisions", "recording", "custom", "type"}


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    return small_corpus(tmp_path_factory.mktemp("corpus"), 4, 3)


@pytest.fixture
def published(libriheavy, corpus, tmp_path):
    """The fixture: two training speakers, one in small and one in medium."""
    fixture = libriheavy("make_fixture")
    assert fixture.make_fixture(corpus, tmp_path, ["small", "medium"], 12.0) == {
        "missing": [],
        "truncated": [],
    }
    return tmp_path


def manifest(folder: Path, name: str) -> list[dict]:
    with gzip.open(folder / f"libriheavy_cuts_{name}.jsonl.gz", "rt") as lines:
        return [json.loads(line) for line in lines]


def write_manifest(folder: Path, name: str, cuts: list[dict]) -> None:
    with gzip.open(folder / f"libriheavy_cuts_{name}.jsonl.gz", "wt") as lines:
        lines.writelines(json.dumps(cut) + "\n" for cut in cuts)


def convert(libriheavy, folder: Path, subset: str = "small", check_audio: bool = False) -> dict:
    """Runs make_cuts into folder/data; corpus.json."""
    module = libriheavy("make_cuts")
    out = folder / "data"
    out.mkdir(exist_ok=True)
    inventory = module.Inventory(folder / "librilight", check_audio)
    module.make_cuts(inventory, folder, subset, out, 0)
    return json.loads((out / "corpus.json").read_text())


def speakers(folder: Path, part: str) -> set[str]:
    return {u.speaker for u in read_utterances(folder / "data" / f"cuts_{part}.jsonl.gz")}


def test_the_fixture_has_the_published_format(published):
    cuts = manifest(published, "small")
    for cut in cuts:
        assert set(cut) == KEYS
        spoken = cut["supervisions"][0]
        assert set(spoken["custom"]) == {"texts", "pre_texts", "begin_byte", "end_byte"}
        cased, capitals = spoken["custom"]["texts"]
        assert capitals == capitals.upper()
        assert spoken["custom"]["end_byte"] - spoken["custom"]["begin_byte"] == len(cased.encode())
        subset, speaker, book, chapter = cut["recording"]["id"].split("/")
        assert (subset, speaker) == ("small", spoken["speaker"])
        source = cut["recording"]["sources"][0]["source"]
        assert source == f"download/librilight/small/{speaker}/{book}/{chapter}.flac"
    recordings = {cut["recording"]["id"] for cut in cuts}
    assert 1 < len(recordings) < len(cuts)  # several cuts of one recording
    # lhotse, which publishes such manifests, reads them as they are.
    first = next(iter(lhotse.CutSet.from_jsonl_lazy(published / "libriheavy_cuts_small.jsonl.gz")))
    assert first.supervisions[0].custom["texts"][0]
    assert first.recording.sampling_rate == 16000


def test_cuts_have_cased_text_and_the_audio_of_their_utterance(published, corpus, libriheavy):
    counts = convert(libriheavy, published, "medium")
    found = read_utterances(published / "data/cuts_train.jsonl.gz")
    lines = [json.loads(line) for line in (corpus / "manifest.jsonl").read_text().splitlines()]
    by_text = {line["text"]: line for line in lines}
    for utterance in found:
        assert not utterance.is_whole_file
        original = by_text[utterance.text]
        assert utterance.duration_s == pytest.approx(original["duration_s"], abs=1e-6)
        audio = load_utterance(utterance, 16000)
        assert len(audio) == round(original["duration_s"] * 16000)
        assert float(audio.abs().max()) > 0.05
    assert counts["parts"]["train"]["cuts"] == len(found) == 6
    assert counts["parts"]["train"]["from"] == "small, medium"


def test_dev_and_test_are_the_published_ones_and_kept_apart(published, libriheavy):
    # Somebody put a dev speaker's cut into the training manifest.
    write_manifest(
        published, "small", manifest(published, "small") + manifest(published, "dev")[:1]
    )
    counts = convert(libriheavy, published, "medium")
    assert [counts["parts"][part]["from"] for part in ("dev", "test")] == ["dev", "test_clean"]
    assert counts["cuts_of_held_out_speakers"] == 1
    parts = [speakers(published, part) for part in ("train", "dev", "test")]
    assert [len(part) for part in parts] == [2, 1, 1]
    assert len(set.union(*parts)) == 4


def test_speakers_are_held_out_where_dev_has_no_audio(published, libriheavy, monkeypatch):
    """The published dev set lies partly in large/, which who trains on small does not have."""
    dev = manifest(published, "dev")[0]["supervisions"][0]["speaker"]
    shutil.rmtree(published / "librilight/small" / dev)
    module = libriheavy("make_cuts")
    chosen = manifest(published, "small")[0]["supervisions"][0]["speaker"]
    monkeypatch.setattr(module, "part_of", lambda name: "dev" if name == chosen else "test")
    counts = convert(libriheavy, published, "medium")
    assert counts["parts"]["dev"]["from"] == "2% of the speakers of small, medium"
    assert counts["parts"]["test"]["from"] == "test_clean"
    assert speakers(published, "dev") == {chosen}
    assert not speakers(published, "train") & (speakers(published, "dev") | {dev})


def test_missing_and_truncated_audio_is_named_counted_and_left_out(corpus, libriheavy, tmp_path):
    fixture = libriheavy("make_fixture")
    damaged = fixture.make_fixture(corpus, tmp_path, ["small"], 5.0, {"missing": 1, "truncated": 1})
    missing, truncated = damaged["missing"][0], damaged["truncated"][0]
    counts = convert(libriheavy, tmp_path, check_audio=True)
    assert (counts["files_missing"], counts["files_damaged"]) == (1, 1)
    assert (tmp_path / "data/missing_audio.txt").read_text() == f"{missing}\n"
    assert (tmp_path / "data/damaged_audio.txt").read_text().startswith(f"{truncated}: ")
    all_cuts = len(manifest(tmp_path, "small"))
    assert counts["parts"]["train"]["cuts"] + counts["cuts_without_audio"] == all_cuts
    kept = {str(u.path) for u in read_utterances(tmp_path / "data/cuts_train.jsonl.gz")}
    assert not {path for path in kept if path.endswith((missing, truncated))}
    # Without the check the file counts as there, and who decodes it says so.
    counts = convert(libriheavy, tmp_path)
    assert counts["files_damaged"] == 0
    found = read_utterances(tmp_path / "data/cuts_train.jsonl.gz")
    last = [utterance for utterance in found if str(utterance.path).endswith(truncated)][-1]
    with pytest.raises(DataError, match="truncated"):
        load_utterance(last, 24000)


def test_without_any_audio_or_manifest_it_is_refused(published, libriheavy):
    shutil.rmtree(published / "librilight/small")
    with pytest.raises(DataError, match="have no audio under"):
        convert(libriheavy, published)
    assert not (published / "data/cuts_train.jsonl.gz").exists()
    with pytest.raises(DataError, match="libriheavy_cuts_large"):
        convert(libriheavy, published, "large")


def test_a_broken_manifest_names_its_line(published, libriheavy):
    cuts = manifest(published, "small")
    del cuts[1]["supervisions"]
    write_manifest(published, "small", cuts)
    with pytest.raises(DataError, match=r"small.jsonl.gz line 2 is not a Libriheavy cut"):
        convert(libriheavy, published)


@pytest.mark.slow
def test_a_killed_conversion_leaves_nothing_half_written(published, libriheavy):
    convert(libriheavy, published)
    expected = (published / "data/cuts_train.jsonl.gz").read_bytes()
    shutil.rmtree(published / "data")
    (published / "data").mkdir()
    command = [sys.executable, "-m", "egs.libriheavy.local.make_cuts", "--subset", "small"]
    command += ["--audio_dir", str(published / "librilight"), "--manifest_dir", str(published)]
    command += ["--out", str(published / "data")]
    slow = published / "libriheavy_cuts_dev.jsonl.gz"
    kept = slow.read_bytes()
    write_manifest(published, "dev", manifest(published, "dev")[:1] * 200_000)
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not list((published / "data").glob(".tmp-*")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list((published / "data").glob(".tmp-*"))
    assert not list((published / "data").glob("cuts_*"))
    slow.write_bytes(kept)
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert not list((published / "data").glob(".tmp-*"))
    assert (published / "data/cuts_train.jsonl.gz").read_bytes() == expected
