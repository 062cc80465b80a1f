"""Cuts say what the manifest and the audio files say, and are written whole or not at all."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from latentspeech.core.errors import DataError
from latentspeech.data.cuts import cuts_from_manifest, read_cuts, write_cuts
from latentspeech.data.manifest import CorpusUtterance
from latentspeech.data.utterances import load_utterance, read_utterances


@pytest.fixture
def corpus(tmp_path: Path) -> list[CorpusUtterance]:
    rng = np.random.default_rng(0)
    result = []
    for number, length in enumerate([24000, 31007]):
        (tmp_path / f"u{number}.flac").parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / f"u{number}.flac", 0.1 * rng.standard_normal(length), 24000)
        # The stated length is a little off on purpose: the file's counts.
        result.append(
            CorpusUtterance(
                f"u{number}", f"u{number}.flac", f"s{number}", f"Text {number}.", "flite", "BSD",
                round(length / 24000, 1),
            )
        )  # fmt: skip
    return result


def test_a_cut_holds_text_speaker_source_and_the_length_of_the_file(corpus, tmp_path):
    first, second = cuts_from_manifest(corpus, tmp_path)
    assert (first.num_samples, second.num_samples) == (24000, 31007)
    assert second.sampling_rate == 24000
    (spoken,) = second.supervisions
    assert (spoken.text, spoken.speaker) == ("Text 1.", "s1")
    assert spoken.custom == {"source": "flite", "licence": "BSD"}
    samples, _ = soundfile.read(tmp_path / "u1.flac", dtype="float32")
    np.testing.assert_array_equal(second.load_audio()[0], samples)


def test_a_relative_root_gives_cuts_that_load_from_anywhere(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cuts = cuts_from_manifest(corpus, Path())
    monkeypatch.chdir("/")
    assert next(iter(cuts)).load_audio().shape == (1, 24000)


def test_written_cuts_are_read_again_also_by_the_rest_of_the_package(corpus, tmp_path):
    path = tmp_path / "cuts_train.jsonl.gz"
    cuts = cuts_from_manifest(corpus, tmp_path)
    write_cuts(cuts, path)
    assert list(read_cuts(path)) == list(cuts)
    assert not [item for item in tmp_path.iterdir() if item.name.startswith(".tmp")]
    read = read_utterances(path)
    assert [(item.id, item.speaker, item.text) for item in read] == [
        ("u0", "s0", "Text 0."),
        ("u1", "s1", "Text 1."),
    ]
    assert load_utterance(read[1], 24000).shape == (31007,)


def test_a_failed_write_leaves_the_old_cuts(corpus, tmp_path):
    path = tmp_path / "cuts_train.jsonl.gz"
    write_cuts(cuts_from_manifest(corpus, tmp_path), path)
    old = path.read_bytes()

    class Broken:
        def to_file(self, target):
            Path(target).write_bytes(b"half")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        write_cuts(Broken(), path)
    assert path.read_bytes() == old
    assert not list(tmp_path.glob(".tmp*"))


def test_missing_cuts_and_broken_audio_are_named(corpus, tmp_path):
    with pytest.raises(DataError, match=r"cuts_dev\.jsonl\.gz"):
        read_cuts(tmp_path / "cuts_dev.jsonl.gz")
    (tmp_path / "u1.flac").write_bytes(b"no audio")
    with pytest.raises(DataError, match=r"utterance u1: .*u1\.flac"):
        cuts_from_manifest(corpus, tmp_path)
