import errno
import json
import logging
import os

import pytest
import torch

from latentspeech.audio.io import write_audio
from latentspeech.core.errors import DataError, InputError
from latentspeech.core.eval.scorer import Score
from latentspeech.eval.scoring.evaluate import evaluate
from latentspeech.eval.scoring.pair import EvalPair
from latentspeech.eval.scoring.score_store import (
    ScoreStore,
    description_key,
    fingerprint,
    partial_path,
)
from tests.tiny_scorers import Peak


def test_scores_are_read_back_after_a_line_that_was_cut_short(tmp_path, caplog):
    path = tmp_path / "r.json.partial.jsonl"
    assert path == partial_path(tmp_path / "r.json")
    with ScoreStore(path) as store:
        assert store.put("u", "m", Score(0.1 + 0.2, {"pair": (1, 2)})).details == {"pair": [1, 2]}
        store.put("v", "m", Score(2.0))
    path.write_bytes(path.read_bytes()[:-20])
    with caplog.at_level(logging.WARNING), ScoreStore(path) as store:
        assert "1 damaged line(s)" in caplog.text
        assert store.get("u", "m") == Score(0.1 + 0.2, {"pair": [1, 2]})
        assert store.get("v", "m") is None
        store.put("w", "m", Score(3.0))
    with ScoreStore(path) as store:
        assert store.get("w", "m") == Score(3.0)
        store.remove()
    assert not path.exists()


def test_without_a_path_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with ScoreStore() as store:
        store.put("u", "m", Score(1.0))
        assert store.get("u", "m") == Score(1.0)
        with pytest.raises(DataError, match="no JSON"):
            store.put("u", "n", Score(1.0, {"what": object()}))
        store.remove()
    assert not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="does not exist"), ScoreStore(tmp_path / "no" / "r"):
        pass


class FullDisk:
    """A file that takes a few bytes and no more."""

    def __init__(self, file):
        self.file = file
        self.closed = False

    def write(self, data):
        if len(data) > 5:
            return self.file.write(data[:5])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self):
        self.closed = True
        self.file.close()


def test_a_full_disk_is_one_clear_line_and_the_earlier_scores_stay(tmp_path):
    path = tmp_path / "s.jsonl"
    message = r"s\.jsonl cannot be written \(No space left.*free space"
    with ScoreStore(path) as store:
        store.put("u", "m", Score(1.0))
        store._file = FullDisk(store._file)
        with pytest.raises(InputError, match=message):
            store.put("v", "m", Score(2.0))
    again = ScoreStore(path)
    assert again.get("u", "m") == Score(1.0)
    assert again.get("v", "m") is None


def test_a_fingerprint_sees_files_texts_and_times(tmp_path):
    path = tmp_path / "h.wav"
    write_audio(path, torch.zeros(100), 24000)
    pair = EvalPair("a", path, transcript="one")
    first = fingerprint(pair)
    assert fingerprint(EvalPair("a", path, transcript="one")) == first
    seen = {
        first,
        fingerprint(EvalPair("a", path, transcript="two")),
        fingerprint(EvalPair("a", path, transcript="one", prefix_s=1.0)),
        fingerprint(EvalPair("a", path, transcript="one", compute_s=1.0)),
        fingerprint(EvalPair("a", path, reference_path=path, transcript="one")),
    }
    os.utime(path, (0, 0))
    seen.add(fingerprint(pair))
    write_audio(path, torch.zeros(200), 24000)
    os.utime(path, (0, 0))
    seen.add(fingerprint(pair))
    path.unlink()
    seen.add(fingerprint(pair))
    assert len(seen) == 8


def test_scores_of_another_description_or_of_a_changed_file_are_not_reused(tmp_path):
    path = tmp_path / "h.wav"
    write_audio(path, torch.ones(100) / 2, 24000)
    pairs = [EvalPair("a", path)]
    store = tmp_path / "s.jsonl"
    evaluate(pairs, [Peak()], store=ScoreStore(store))

    class Other(Peak):
        def describe(self):
            return {**super().describe(), "package": "newer"}

    for kind, expected in ((Peak, 0), (Other, 1)):
        scorer = kind()
        evaluate(pairs, [scorer], store=ScoreStore(store))
        assert scorer.num_scored == expected
    write_audio(path, torch.ones(200) / 4, 24000)
    scorer = Peak()
    report = evaluate(pairs, [scorer], store=ScoreStore(store))
    assert scorer.num_scored == 1
    assert report.metrics[0].value == pytest.approx(0.25, abs=1e-3)
    assert description_key("Peak", Peak().describe()) != description_key("Peak", Other().describe())


def test_a_finished_report_can_be_taken_in(tmp_path):
    path = tmp_path / "h.wav"
    write_audio(path, torch.ones(100) / 2, 24000)
    report = evaluate([EvalPair("a", path)], [Peak()])
    store = ScoreStore()
    store.take_from(type(report).from_dict(json.loads(json.dumps(report.to_dict()))))
    scorer = Peak()
    again = evaluate([EvalPair("a", path)], [scorer], store=store)
    assert scorer.num_scored == 0
    assert again.items == report.items
