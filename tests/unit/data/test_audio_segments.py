import gzip
import json
import logging
import os
import pickle
import time
from itertools import chain
from multiprocessing import get_context

import numpy as np
import pytest
import soundfile
import torch
from lhotse import CutSet

from latentspeech.core.config import parse_config
from latentspeech.core.errors import ConfigError, DataError, InputError
from latentspeech.data import cut_index
from latentspeech.data.audio_segments import AudioSegmentConfig, AudioSegments

RATE = 16_000
LENGTHS = [16_000, 24_000, 3_000, 9_000, 20_001]
PLAIN = {"min_gain_db": 0.0, "max_gain_db": 0.0, "flip_probability": 0.0}


def segments(corpus, rate=RATE, valid=False, **settings):
    settings = {"segment_s": 0.25, "batch_size": 2} | settings
    return AudioSegments(corpus.cuts, AudioSegmentConfig(**settings), rate, seed=3, valid=valid)


@pytest.fixture
def corpus(make_corpus):
    return make_corpus(LENGTHS)


@pytest.mark.parametrize("max_cache_bytes", [2**30, 0])
def test_segments_are_pieces_of_their_file_padded_with_silence(corpus, max_cache_bytes):
    data = segments(corpus, max_cache_bytes=max_cache_bytes, **PLAIN)
    assert data.is_cached == bool(max_cache_bytes)
    batch = data.load([0, 2], seed=1)
    assert batch.shape == (2, 4000)
    assert batch.dtype == torch.float32
    whole = corpus.samples["utt-0"].astype(np.float32) / 32768
    windows = np.lib.stride_tricks.sliding_window_view(whole, 4000)
    places = np.flatnonzero(windows[:, 0] == batch[0, 0].numpy())
    assert any(np.array_equal(windows[place], batch[0].numpy()) for place in places)
    short = corpus.samples["utt-2"].astype(np.float32) / 32768
    assert np.array_equal(batch[1, :3000].numpy(), short)
    assert not batch[1, 3000:].any()


@pytest.mark.parametrize("max_cache_bytes", [2**30, 0])
def test_seed_decides_everything(corpus, max_cache_bytes):
    data = segments(corpus, max_cache_bytes=max_cache_bytes)
    assert torch.equal(data.load([0, 1], 5), data.load([0, 1], 5))
    assert not torch.equal(data.load([0, 1], 5), data.load([0, 1], 6))


def test_gain_and_polarity_vary_within_their_range_and_never_clip(corpus):
    plain, varied = segments(corpus, **PLAIN), segments(corpus)
    ratios = []
    for seed in range(60):
        # The short utterance has only one crop, so the two differ by gain and sign alone.
        one, other = plain.load([2], seed)[0], varied.load([2], seed)[0]
        ratio = float((other @ one) / (one @ one))
        torch.testing.assert_close(other, ratio * one)
        ratios.append(ratio)
    gains_db = 20 * np.log10(np.abs(ratios))
    assert -6.01 < gains_db.min() < -4
    assert 1.5 < gains_db.max() < 3.01
    assert 15 < sum(ratio < 0 for ratio in ratios) < 45
    loud = segments(corpus, min_gain_db=60.0, max_gain_db=60.0)
    assert float(loud.load([0, 1, 2], 0).abs().max()) <= 1.0


def loudest_hz(audio):
    return np.abs(np.fft.rfft(audio.numpy())).argmax() * RATE / len(audio)


@pytest.mark.parametrize("max_cache_bytes", [2**30, 0])
def test_speeds_move_the_pitch_and_keep_the_length(corpus, max_cache_bytes):
    settings = PLAIN | {"max_cache_bytes": max_cache_bytes}
    data = segments(corpus, speeds=(0.9, 1.0, 1.2), **settings)
    tone_hz = loudest_hz(segments(corpus, **settings).load([4], 0)[0])
    batches = [data.load([4], seed) for seed in range(12)]
    assert {batch.shape for batch in batches} == {(1, 4000)}
    heard = {round(loudest_hz(batch[0]) / tone_hz, 1) for batch in batches}
    assert heard == {0.9, 1.0, 1.2}
    same = segments(corpus, valid=True, speeds=(0.5,), **settings)
    assert loudest_hz(same.load([4], 0)[0]) == tone_hz


def test_every_cut_once_an_epoch_in_an_order_of_its_own(corpus):
    data = segments(corpus)
    plans = [data.plan(epoch, 0) for epoch in range(4)]
    for batches in plans:
        assert [len(batch) for batch in batches] == [2, 2, 1]
        assert sorted(chain(*batches)) == [0, 1, 2, 3, 4]
    assert data.plan(2, 0) == plans[2]
    assert len({str(batches) for batches in plans}) > 1


@pytest.mark.parametrize("epoch_batches", [1, 4])
def test_epochs_of_a_given_size_show_every_cut_equally_often(corpus, epoch_batches):
    data = segments(corpus, epoch_batches=epoch_batches)
    seen = []
    for epoch in range(10):
        batches = data.plan(epoch, 0)
        assert [len(batch) for batch in batches] == [2] * epoch_batches
        seen += list(chain(*batches))
    counts = np.bincount(seen, minlength=5)
    assert counts.min() == counts.max() == 4 * epoch_batches


def test_validation_is_the_same_every_time(corpus):
    data = segments(corpus, valid=True)
    assert data.plan(0, 0) == data.plan(7, 0) == [[0, 1], [2, 3], [4]]
    assert torch.equal(data.load([0, 1], 1), data.load([0, 1], 2))
    assert torch.equal(data.load([1], 3)[0], data.load([0, 1], 1)[1])
    whole = corpus.samples["utt-2"].astype(np.float32) / 32768
    assert np.array_equal(data.load([2], 1)[0, :3000].numpy(), whole)  # no gain, no flip


def test_the_corpus_is_decoded_once_and_again_when_it_changes(corpus):
    segments(corpus).plan(0, 0)
    folder = corpus.cuts.with_name("cuts_train.jsonl.gz.audio-16000hz")
    first = (folder / "samples.int16").stat()
    assert first.st_size == 2 * sum(LENGTHS)
    segments(corpus).plan(0, 0)
    assert (folder / "samples.int16").stat().st_ino == first.st_ino
    # The same cuts, compressed at another time, are the same cuts.
    corpus.cuts.write_bytes(gzip.compress(gzip.decompress(corpus.cuts.read_bytes()), mtime=1))
    segments(corpus).plan(0, 0)
    assert (folder / "samples.int16").stat().st_ino == first.st_ino
    soundfile.write(corpus.audio["utt-0"], -corpus.samples["utt-0"][::-1], RATE)
    changed = segments(corpus, valid=True, segment_s=1.0, **PLAIN)
    expected = -corpus.samples["utt-0"][::-1].astype(np.float32) / 32768
    assert np.array_equal(changed.load([0], 0)[0].numpy(), expected)


def test_a_damaged_or_half_written_cache_is_made_again(corpus):
    expected = segments(corpus).load([0, 1], 0)
    folder = corpus.cuts.with_name("cuts_train.jsonl.gz.audio-16000hz")
    left = folder.with_name(f".tmp-0123-{folder.name}")
    left.mkdir()
    samples = folder / "samples.int16"
    samples.write_bytes(samples.read_bytes()[:1000])
    assert torch.equal(segments(corpus).load([0, 1], 0), expected)
    assert not left.exists()


def _load(data):
    return data.load([0, 1], 9)


def test_it_travels_to_processes_that_start_together(corpus):
    data = segments(corpus)
    data.plan(0, 0)
    assert len(pickle.dumps(data)) < 10_000  # the corpus itself stays behind
    fresh = segments(corpus)
    with get_context("fork").Pool(2) as pool:
        for batch in pool.map(_load, [fresh, fresh]):
            assert torch.equal(batch, data.load([0, 1], 9))


def test_a_cached_crop_costs_microseconds(corpus):
    data = segments(corpus)
    data.load([0], 0)
    start = time.process_time()
    for seed in range(200):
        data.load([0, 1, 2, 3], seed)
    assert (time.process_time() - start) / 800 < 2e-3  # of the processor; decoding takes more


@pytest.mark.parametrize("rate", [8_000, 24_000])
@pytest.mark.parametrize("max_cache_bytes", [2**30, 0])
def test_other_rates_are_resampled(corpus, rate, max_cache_bytes):
    data = segments(corpus, rate=rate, max_cache_bytes=max_cache_bytes, valid=True)
    batch = data.load([0, 2], 0)
    assert batch.shape == (2, rate // 4)
    end = 3000 * rate // RATE
    assert batch[1, end - 8 : end].abs().max() > 0
    assert not batch[1, end + 1 :].any()
    assert abs(float(batch[0].square().mean().sqrt()) - 0.18) < 0.02


@pytest.mark.parametrize("max_cache_bytes", [2**30, 0])
def test_a_cut_within_a_recording(corpus, max_cache_bytes):
    lines = gzip.decompress(corpus.cuts.read_bytes()).decode().splitlines()
    cut = json.loads(lines[0])
    cut |= {"start": 0.25, "duration": 0.125}
    cut["supervisions"][0]["duration"] = 0.125
    corpus.cuts.write_bytes(gzip.compress(json.dumps(cut).encode()))
    data = segments(corpus, max_cache_bytes=max_cache_bytes, valid=True)
    expected = corpus.samples["utt-0"][4000:6000].astype(np.float32) / 32768
    batch = data.load([0], 0)
    assert np.array_equal(batch[0, :2000].numpy(), expected)
    assert not batch[0, 2000:].any()


def test_recordings_to_be_transformed_are_refused_unless_resampled(corpus):
    cuts = CutSet.from_file(corpus.cuts)
    cuts.resample(8_000).to_file(corpus.cuts.with_name("resampled.jsonl.gz"))
    cuts.perturb_speed(0.9).to_file(corpus.cuts.with_name("slowed.jsonl.gz"))
    resampled = corpus._replace(cuts=corpus.cuts.with_name("resampled.jsonl.gz"))
    assert torch.equal(
        segments(resampled, valid=True).load([0, 2], 0),
        segments(corpus, valid=True).load([0, 2], 0),
    )
    slowed = corpus._replace(cuts=corpus.cuts.with_name("slowed.jsonl.gz"))
    with pytest.raises(DataError, match=r"'utt-0_sp0\.9' asks for Speed; expected recordings as"):
        segments(slowed)


def _spoil(path, how):
    match how:
        case "missing":
            path.unlink()
        case "truncated":
            path.write_bytes(path.read_bytes()[:1000])
        case "no audio":
            path.write_bytes(b"<html>not found</html>")
        case "nan":
            samples = np.full(9_000, 0.1, np.float32)
            samples[4_000:] = np.nan
            soundfile.write(path, samples, RATE, subtype="FLOAT")


@pytest.mark.parametrize("how", ["missing", "truncated", "no audio", "nan"])
@pytest.mark.parametrize("max_cache_bytes", [2**30, 0])
def test_a_bad_file_is_named_or_left_out(corpus, caplog, how, max_cache_bytes):
    _spoil(corpus.audio["utt-3"], how)
    strict = segments(corpus, max_cache_bytes=max_cache_bytes, segment_s=0.5)
    with pytest.raises(DataError, match=r"cut utt-3: .*utt-3\.wav") as caught:
        strict.load([3], 0)
    assert "\n" not in str(caught.value)
    data = segments(corpus, max_cache_bytes=max_cache_bytes, segment_s=0.5, skip_bad=True)
    with caplog.at_level(logging.WARNING):
        indices = list(chain(*data.plan(0, 0)))
        batch = data.load([i for i in indices if i > 1], 0)
    assert sorted(indices) == ([0, 1, 2, 4] if max_cache_bytes else [0, 1, 2, 3, 4])
    assert batch.shape == (2, 8000)
    assert bool(batch.isfinite().all())
    assert "utt-3.wav" in caplog.text
    if max_cache_bytes:
        assert "left out 1 of 5" in caplog.text
        # The cache that lacks a file does not serve a run that did not agree to that.
        with pytest.raises(DataError, match=r"1 of 5 utterances.*utt-3"):
            segments(corpus).plan(0, 0)


def test_nothing_usable_is_an_error(corpus):
    for path in corpus.audio.values():
        path.write_bytes(b"")
    with pytest.raises(DataError, match="no utterance can be decoded"):
        segments(corpus, skip_bad=True).plan(0, 0)
    with pytest.raises(DataError, match="none of the 2 utterances"):
        segments(corpus, skip_bad=True, max_cache_bytes=0).load([0, 1], 0)


def test_cuts_that_cannot_be_used(corpus):
    whole = corpus.cuts.read_bytes()
    corpus.cuts.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="truncated or holds no cuts"):
        segments(corpus)
    line = gzip.decompress(whole).splitlines(keepends=True)[0]
    corpus.cuts.write_bytes(gzip.compress(line + line))
    with pytest.raises(DataError, match="'utt-0' occurs twice"):
        segments(corpus)
    corpus.cuts.write_bytes(gzip.compress(b""))
    with pytest.raises(DataError, match="holds no cuts"):
        segments(corpus)
    corpus.cuts.unlink()
    with pytest.raises(DataError, match="not found"):
        segments(corpus)


def test_a_folder_that_cannot_be_written(corpus, monkeypatch):
    def refuse(path, *args, **kwargs):
        if str(path).endswith(".lock"):
            raise PermissionError(13, "Permission denied", str(path))
        return original(path, *args, **kwargs)

    data = segments(corpus)
    original = os.open
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(InputError, match=r"Permission denied.*set max_cache_bytes to 0"):
        data.plan(0, 0)


def test_settings_that_contradict_are_refused():
    with pytest.raises(ConfigError, match="speeds must be between"):
        parse_config(AudioSegmentConfig, {"speeds": [1.0, 3.0]})
    with pytest.raises(ConfigError, match="min_gain_db must not exceed"):
        parse_config(AudioSegmentConfig, {"min_gain_db": 4.0})


def test_a_corpus_too_large_to_cache_is_planned_in_windows(make_corpus, monkeypatch):
    monkeypatch.setattr(cut_index, "CUTS_PER_SHARD", 2)
    data = segments(make_corpus([800] * 9), max_cache_bytes=0, window_shards=2, batch_size=3)
    assert data.num_windows() == 3
    plans = [[data.plan(epoch, window) for window in range(3)] for epoch in range(4)]
    for windows in plans:
        assert sorted(chain(*chain(*windows))) == list(range(9))
        assert all(len(batch) <= 3 for batches in windows for batch in batches)
    assert len({str(windows) for windows in plans}) == 4
    assert data.plan(2, 1) == plans[2][1]
    assert segments(make_corpus([800] * 9), max_cache_bytes=0, epoch_batches=2).num_windows() == 1
