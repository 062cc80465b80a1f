"""Shar: lhotse reads what we write and we read what lhotse writes; faults are named or skipped."""

import logging
import pickle
from itertools import chain

import fsspec
import numpy as np
import pytest
import torch
from lhotse import CutSet

from latentspeech.core.data.file_store import LocalCacheConfig
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.data.audio_segments import AudioSegmentConfig, AudioSegments
from latentspeech.data.shar import DamagedSharError, SharCorpus
from latentspeech.data.shar_writer import write_shar

RATE = 16_000
LENGTHS = [4_000, 6_000, 3_000, 9_000, 5_001]


@pytest.fixture
def corpus(make_corpus):
    return make_corpus(LENGTHS)


@pytest.fixture
def folder(corpus, tmp_path):
    """Three shards of two, two and one cuts."""
    write_shar(corpus.cuts, tmp_path / "shar", shard_size=2)
    return tmp_path / "shar"


def names(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def everything(shar):
    return [index for number in range(shar.num_shards) for index in shar.shard(number)]


def check_audio(shar, corpus):
    for index in everything(shar):
        name = shar[index].id
        audio = shar.load_span(index, RATE, 0.0625, 0.125)
        expected = corpus.samples[name][1000:3000].astype(np.float32) / 32768
        assert np.array_equal(audio.numpy(), expected)


def test_lhotse_reads_what_was_written(folder, corpus):
    cuts = list(CutSet.from_shar(in_dir=folder))
    assert [cut.id for cut in cuts] == list(corpus.samples)
    for cut in cuts:
        samples = (cut.load_audio()[0] * 32768).astype(np.int16)
        assert np.array_equal(samples, corpus.samples[cut.id])
        assert cut.supervisions[0].text == f"text of {cut.id[-1]}"


def test_it_is_read_as_it_was(folder, corpus):
    shar = SharCorpus(folder)
    assert shar.num_shards == 3
    utterances = [shar[index] for index in everything(shar)]
    assert [utterance.id for utterance in utterances] == list(corpus.samples)
    assert [utterance.speaker for utterance in utterances[:2]] == ["speaker-0", "speaker-1"]
    check_audio(shar, corpus)
    check_audio(pickle.loads(pickle.dumps(shar)), corpus)


def test_what_lhotse_writes_is_read(corpus, tmp_path):
    out = tmp_path / "lhotse"
    out.mkdir()
    CutSet.from_file(corpus.cuts).to_shar(out, fields={"recording": "flac"}, shard_size=3)
    shar = SharCorpus(out)
    assert shar.num_shards == 2
    check_audio(shar, corpus)


def test_a_url(folder, corpus, tmp_path):
    for path in folder.iterdir():
        fsspec.filesystem("memory").pipe_file(f"/shar-bucket/{path.name}", path.read_bytes())
    check_audio(SharCorpus("memory://shar-bucket", LocalCacheConfig(folder=tmp_path / "c")), corpus)


def test_ranks_share_the_shards_and_a_second_run_writes_only_what_is_missing(corpus, tmp_path):
    out = tmp_path / "shar"
    write_shar(corpus.cuts, out, 2, rank=1, world_size=2)
    assert sorted(names(out)) == ["cuts.000001.jsonl.gz", "recording.000001.tar"]
    write_shar(corpus.cuts, out, 2, rank=0, world_size=2)
    before = names(out)
    assert len(before) == 6
    (out / "cuts.000002.jsonl.gz").unlink()  # as if killed between the two files
    write_shar(corpus.cuts, out, 2)
    after = names(out)
    assert {name for name in before if after[name] != before[name]} == {
        "cuts.000002.jsonl.gz",
        "recording.000002.tar",
    }
    with pytest.raises(DataError, match=r"cuts\.000000.* is not one of this shard's"):
        write_shar(corpus.cuts, out, 1)
    with pytest.raises(ConfigError, match="rank is 2 of 2"):
        write_shar(corpus.cuts, out, 2, rank=2, world_size=2)


@pytest.mark.parametrize("how", ["missing", "truncated"])
def test_bad_audio_is_named_or_left_out_when_writing(corpus, tmp_path, caplog, how):
    path = corpus.audio["utt-3"]
    path.unlink() if how == "missing" else path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"cut utt-3: .*utt-3\.wav"):
        write_shar(corpus.cuts, tmp_path / "strict", 2)
    assert sorted(names(tmp_path / "strict")) == ["cuts.000000.jsonl.gz", "recording.000000.tar"]
    with caplog.at_level(logging.WARNING):
        assert write_shar(corpus.cuts, tmp_path / "some", 2, skip_bad=True) == 1
    assert "cut utt-3" in caplog.text
    assert "1 of 5 cuts were left out" in caplog.text
    shar = SharCorpus(tmp_path / "some")
    assert [shar[index].id for index in everything(shar)] == ["utt-0", "utt-1", "utt-2", "utt-4"]


def test_segments_of_shar_cover_every_cut_in_windows(folder, corpus):
    config = AudioSegmentConfig(segment_s=0.125, batch_size=2, window_shards=1)
    data = AudioSegments(folder, config, RATE, seed=3)
    assert data.num_windows() == 3
    for epoch in range(3):
        seen = list(chain(*chain(*(data.plan(epoch, window) for window in range(3)))))
        assert sorted(data.corpus[index].id for index in seen) == sorted(corpus.samples)
    valid = AudioSegments(folder, config, RATE, seed=3, valid=True)
    assert valid.num_windows() == 1
    batch = valid.load(valid.plan(0, 0)[0], 0)
    whole = corpus.samples["utt-0"].astype(np.float32) / 32768
    windows = np.lib.stride_tricks.sliding_window_view(whole, 2000)
    assert any(np.array_equal(window, batch[0].numpy()) for window in windows)
    with pytest.raises(ConfigError, match="epoch_batches cannot take effect"):
        AudioSegments(folder, config.model_copy(update={"epoch_batches": 3}), RATE, seed=3)


def test_a_truncated_tar_is_named_or_left_out_of_its_batch(folder, corpus, caplog):
    path = folder / "recording.000001.tar"
    shar = SharCorpus(folder)
    path.write_bytes(path.read_bytes()[:2_000])  # in the middle of the first cut's audio
    config = AudioSegmentConfig(segment_s=0.125, batch_size=4)
    first = [*shar.shard(0), *shar.shard(1)]
    with pytest.raises(DataError, match=r"cut utt-[23]: .*recording\.000001\.tar"):
        AudioSegments(folder, config, RATE, seed=3).load(first, 0)
    lenient = AudioSegments(folder, config.model_copy(update={"skip_bad": True}), RATE, seed=3)
    with caplog.at_level(logging.WARNING):
        assert lenient.load(first, 0).shape == (2, 2000)
    assert "left out of its batch" in caplog.text


@pytest.mark.parametrize("name", ["cuts.000001.jsonl.gz", "recording.000001.tar"])
def test_missing_and_garbage_files(folder, corpus, caplog, name):
    (folder / name).write_bytes(b"garbage" * 300)
    index = SharCorpus(folder).shard(0)[0] + (SharCorpus(folder).shard(2)[0] // 2)
    with pytest.raises(DamagedSharError, match=rf"{name} is.*make_shar again"):
        SharCorpus(folder).load_span(index, RATE, 0, 0.1)
    if name.startswith("cuts"):
        assert list(SharCorpus(folder, skip_bad=True).shard(1)) == []
        assert "a shard is left out" in caplog.text
    (folder / "recording.000001.tar").unlink()
    with pytest.raises(DamagedSharError, match=r"recording\.000001\.tar.*1 of 3 are missing"):
        SharCorpus(folder)
    assert SharCorpus(folder, skip_bad=True).num_shards == 2
    with pytest.raises(DataError, match=r"holds no cuts\.NNNNNN"):
        SharCorpus(folder.parent / "nothing")


def test_a_batch_of_one_seed_is_the_same(folder):
    data = AudioSegments(folder, AudioSegmentConfig(segment_s=0.125), RATE, seed=3)
    (batch,) = data.plan(0, 0)
    assert torch.equal(data.load(batch, 4), data.load(batch, 4))
