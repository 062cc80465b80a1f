"""An index of a cuts file: what the cuts say, by number, and made again when the file changes."""

import gzip
import hashlib
import json
import os
import pickle
from multiprocessing import get_context

import pytest
from lhotse import CutSet

from latentspeech.core.errors import DataError
from latentspeech.data import cut_index
from latentspeech.data.cut_index import CutIndex
from latentspeech.data.utterances import read_utterances


def test_it_gives_what_reading_the_file_gives(make_corpus):
    corpus = make_corpus([800, 1600, 2400])
    index, utterances = CutIndex(corpus.cuts), read_utterances(corpus.cuts)
    assert len(index) == 3
    assert list(index) == utterances
    assert index[1:] == utterances[1:]
    assert index[-1] == utterances[2]
    assert pickle.loads(pickle.dumps(index))[1] == utterances[1]
    assert index.meta.duration_s == pytest.approx(0.3)
    text = gzip.decompress(corpus.cuts.read_bytes())
    assert index.cuts_hash == hashlib.sha256(text).hexdigest()[:16]
    with pytest.raises(IndexError):
        index[3]


def test_it_reads_what_lhotse_reads(make_corpus):
    corpus = make_corpus([800, 1600])
    for cut, utterance in zip(CutSet.from_file(corpus.cuts), CutIndex(corpus.cuts), strict=True):
        assert utterance.id == cut.id
        assert str(utterance.path) == cut.recording.sources[0].source
        assert (utterance.start_s, utterance.duration_s) == (cut.start, cut.duration)
        assert utterance.text == cut.supervisions[0].text
        assert utterance.speaker == cut.supervisions[0].speaker


def test_shards_follow_each_other(make_corpus, monkeypatch):
    monkeypatch.setattr(cut_index, "CUTS_PER_SHARD", 2)
    index = CutIndex(make_corpus([800] * 5).cuts)
    assert [list(index.shard(number)) for number in range(index.num_shards)] == [
        [0, 1],
        [2, 3],
        [4],
    ]


def test_it_is_made_once_and_again_when_the_cuts_change(make_corpus, monkeypatch):
    corpus = make_corpus([800, 1600])
    CutIndex(corpus.cuts)
    with monkeypatch.context() as patch:
        patch.setattr(cut_index, "_write_index", None)
        assert len(CutIndex(corpus.cuts)) == 2
    corpus = make_corpus([800, 1600, 2400])
    assert len(CutIndex(corpus.cuts)) == 3
    folder = corpus.cuts.with_name("cuts_train.jsonl.gz.index")
    (folder / "meta.json").write_text("{")
    assert CutIndex(corpus.cuts)[2].id == "utt-2"


def _open(path):
    index = CutIndex(path)
    return os.getpid(), [utterance.id for utterance in index]


def test_processes_that_start_together_share_one_index(make_corpus):
    corpus = make_corpus([800] * 4)
    with get_context("fork").Pool(3) as pool:
        found = pool.map(_open, [corpus.cuts] * 6, chunksize=1)
    assert [ids for _, ids in found] == [[f"utt-{n}" for n in range(4)]] * 6
    assert not list(corpus.cuts.parent.glob(".tmp-*"))


def test_damaged_cuts_leave_no_index(make_corpus):
    corpus = make_corpus([800, 1600])
    whole = corpus.cuts.read_bytes()
    row = json.loads(gzip.decompress(whole).splitlines()[0])
    cases = {
        "is truncated or holds no cuts": whole[:-30],
        "'utt-0' occurs twice": gzip.compress(gzip.decompress(whole).splitlines(True)[0] * 2),
        "holds no cuts; expected at least one": gzip.compress(b""),
        "has 0 audio sources": gzip.compress(json.dumps(row | {"recording": None}).encode()),
        "KeyError: 'id'": gzip.compress(b'{"recording": {"sources": []}}'),
    }
    for message, content in cases.items():
        corpus.cuts.write_bytes(content)
        with pytest.raises(DataError, match=message) as caught:
            CutIndex(corpus.cuts)
        assert "\n" not in str(caught.value)
        assert not corpus.cuts.with_name("cuts_train.jsonl.gz.index").exists()
