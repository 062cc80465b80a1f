import gzip
import json
import logging
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from latentspeech.codec.config import CodecConfig, ConvNeXtConfig
from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import codec_hash, load_codec_module, save_codec
from latentspeech.core.data.latent_shards import LatentShards
from latentspeech.core.data.latent_statistics import write_statistics
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.data import extract_latents as extract_latents_module
from latentspeech.data.extract_latents import extract_latents
from latentspeech.data.shar_writer import write_shar

HOP = 80
LENGTHS = [4000, 1601, 3200, 79, 800, 2400, 5000]


@pytest.fixture
def codec_dir(tmp_path):
    torch.manual_seed(1)
    side = ConvNeXtConfig(strides=(4, 4, 5), base_channels=4, depths=(0, 1, 1, 1), layer_scale=0.1)
    codec = Codec(CodecConfig(sample_rate=16_000, latent_dim=6, encoder=side, decoder=side))
    directory = tmp_path / "codec"
    directory.mkdir()
    save_codec(codec, directory, "a codec for tests")
    return directory


def files(folder):
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_means_of_every_cut_without_padding_leak(codec_dir, make_corpus, tmp_path):
    corpus = make_corpus(LENGTHS)
    out, seen = tmp_path / "latents", []
    extract_latents(codec_dir, corpus.cuts, out, 3, progress=lambda *place: seen.append(place))
    shards = LatentShards(out, expected_vae_hash=codec_hash(codec_dir))
    items = [shards.item(index) for index in range(len(LENGTHS))]
    assert [item.id for item in items] == list(corpus.samples)
    assert [item.num_latents for item in items] == [-(-n // HOP) for n in LENGTHS]
    assert items[3].group == "speaker-1"
    assert items[3].text == "text of 3"
    assert items[0].extras["duration_s"] == 0.25
    codec = load_codec_module(codec_dir)
    for index, item in enumerate(items):
        audio = torch.from_numpy(corpus.samples[item.id].astype(np.float32) / 32768)
        with torch.no_grad():
            alone = codec.encode(audio[None])[0]
        torch.testing.assert_close(shards.load(index).float(), alone, rtol=1e-3, atol=1e-4)
    assert seen[-1] == (7, 7)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_statistics_equal_numpy_with_the_variance_of_sigma(codec_dir, make_corpus, tmp_path):
    out = tmp_path / "latents"
    extract_latents(codec_dir, make_corpus(LENGTHS).cuts, out, 3)
    shards = LatentShards(out)
    mu = np.concatenate([shards.load(i).double().numpy() for i in range(len(LENGTHS))])
    mean, std = shards.statistics()
    np.testing.assert_allclose(mean, mu.mean(0), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(std, np.sqrt(mu.var(0) + 0.625**2), rtol=1e-6)


def test_a_second_run_changes_nothing_and_a_lost_shard_alone_is_made(
    codec_dir, make_corpus, tmp_path
):
    corpus, out = make_corpus(LENGTHS), tmp_path / "latents"
    extract_latents(codec_dir, corpus.cuts, out, 2)
    before, stats = files(out), LatentShards(out).statistics()
    extract_latents(codec_dir, corpus.cuts, out, 2)
    assert files(out) == before
    lost = out / "latents-00001.safetensors"
    lost.write_bytes(lost.read_bytes()[:-1])
    extract_latents(codec_dir, corpus.cuts, out, 2)
    after = files(out)
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"latents-00001.safetensors", "latents-00001.jsonl", "stats.safetensors"}
    assert all(map(torch.equal, LatentShards(out).statistics(), stats))


def test_ranks_share_the_shards_and_together_equal_one(codec_dir, make_corpus, tmp_path):
    corpus = make_corpus(LENGTHS)
    one, two = tmp_path / "one", tmp_path / "two"
    extract_latents(codec_dir, corpus.cuts, one, 2)
    extract_latents(codec_dir, corpus.cuts, two, 2, rank=1, world_size=2)
    made = sorted(path.name for path in two.glob("*.safetensors"))
    assert made == ["latents-00001.safetensors", "latents-00003.safetensors"]
    with pytest.raises(DataError, match="latents-00000"):
        write_statistics(two)
    extract_latents(codec_dir, corpus.cuts, two, 2, rank=0, world_size=2)
    assert not (two / "stats.safetensors").exists()
    write_statistics(two)
    for path in one.glob("*.safetensors"):
        assert path.read_bytes() == (two / path.name).read_bytes()
    with pytest.raises(ConfigError, match="rank is 2 of 2 processes; expected 0 to 1"):
        extract_latents(codec_dir, corpus.cuts, two, 2, rank=2, world_size=2)


def test_killed_in_the_middle_it_goes_on(codec_dir, make_corpus, tmp_path):
    corpus, out = make_corpus([2400] * 40), tmp_path / "latents"
    script = (
        "import sys, time; from pathlib import Path\n"
        "from latentspeech.data.extract_latents import extract_latents\n"
        "paths = map(Path, sys.argv[1:])\n"
        "extract_latents(*paths, shard_size=2, progress=lambda *_: time.sleep(0.03))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(codec_dir), str(corpus.cuts), str(out)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 60
    while len(list(out.glob("latents-*.jsonl"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = files(out)
    complete = [path.name for path in out.glob("latents-*.jsonl")]
    assert 3 <= len(complete) < 20
    with pytest.raises(DataError, match="make it again with: python -c"):
        LatentShards(out)
    (out / ".tmp-0123-latents-00019.safetensors").write_bytes(b"half")
    extract_latents(codec_dir, corpus.cuts, out, 2)
    assert all(files(out)[name] == done[name] for name in complete)
    assert not list(out.glob(".tmp-*"))
    whole = tmp_path / "whole"
    extract_latents(codec_dir, corpus.cuts, whole, 2)
    for path in whole.iterdir():
        if path.name != "meta.json":  # it names its own folder
            assert path.read_bytes() == (out / path.name).read_bytes()


def test_the_command_of_the_message_repairs_the_shard(codec_dir, make_corpus, tmp_path):
    corpus, out = make_corpus([800, 1600]), tmp_path / "it's here"
    extract_latents(codec_dir, corpus.cuts, out, 1)
    shard = out / "latents-00001.safetensors"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:50])
    with pytest.raises(DataError) as caught:
        LatentShards(out).load(1)
    command = str(caught.value).partition("make it again with: python ")[2]
    subprocess.run(f"{sys.executable} {command}", shell=True, check=True)
    assert shard.read_bytes() == whole


def test_a_bad_file_is_named_and_finished_shards_stay(codec_dir, make_corpus, tmp_path):
    corpus, out = make_corpus(LENGTHS), tmp_path / "latents"
    path = corpus.audio["utt-3"]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"cut utt-3: .*utt-3\.wav is truncated"):
        extract_latents(codec_dir, corpus.cuts, out, 2)
    assert sorted(p.name for p in out.glob("*.jsonl")) == ["latents-00000.jsonl"]


def test_other_cuts_or_another_codec_are_refused(codec_dir, make_corpus, tmp_path):
    corpus, out = make_corpus([800, 1600]), tmp_path / "latents"
    extract_latents(codec_dir, corpus.cuts, out, 2)
    weights = codec_dir / "model.safetensors"
    old = weights.read_bytes()
    weights.write_bytes(old[:-1] + bytes([old[-1] ^ 1]))
    with pytest.raises(DataError, match="another extraction: vae_hash"):
        extract_latents(codec_dir, corpus.cuts, out, 2)
    weights.write_bytes(old)
    make_corpus([800, 1600, 2400])
    with pytest.raises(DataError, match=r"source_hash.*num_items 2 \(now 3\)"):
        extract_latents(codec_dir, corpus.cuts, out, 2)


@pytest.mark.parametrize("name", ["speaker", "text"])
def test_cuts_without_speaker_or_text_are_refused(codec_dir, make_corpus, tmp_path, name):
    corpus = make_corpus([800, 1600])
    cuts = [json.loads(line) for line in gzip.decompress(corpus.cuts.read_bytes()).splitlines()]
    cuts[1]["supervisions"][0][name] = " "
    corpus.cuts.write_bytes(gzip.compress("\n".join(map(json.dumps, cuts)).encode()))
    with pytest.raises(DataError, match=f"cut utt-1 has no {name}; expected both"):
        extract_latents(codec_dir, corpus.cuts, tmp_path / "latents")


def test_shar_gives_what_the_cuts_give(codec_dir, make_corpus, tmp_path):
    corpus, shar = make_corpus(LENGTHS), tmp_path / "shar"
    write_shar(corpus.cuts, shar, shard_size=2)
    extract_latents(codec_dir, corpus.cuts, tmp_path / "of_cuts", 3)
    for rank in (0, 1):
        extract_latents(codec_dir, shar, tmp_path / "of_shar", 3, rank=rank, world_size=2)
    write_statistics(tmp_path / "of_shar")
    left, right = (LatentShards(tmp_path / name) for name in ("of_cuts", "of_shar"))
    for index in range(len(LENGTHS)):
        assert left.item(index) == right.item(index)
        torch.testing.assert_close(left.load(index), right.load(index), rtol=1e-3, atol=1e-3)
    before = files(tmp_path / "of_shar")
    extract_latents(codec_dir, shar, tmp_path / "of_shar", 3)
    assert files(tmp_path / "of_shar") == before


def test_a_shard_without_any_audio_means_that_the_disk_is_gone(
    codec_dir, make_corpus, tmp_path, monkeypatch
):
    monkeypatch.setattr(extract_latents_module, "_DISK_IS_GONE_CUTS", 2)
    corpus = make_corpus(LENGTHS)
    for name in ("utt-2", "utt-3"):
        corpus.audio[name].unlink()
    with pytest.raises(DataError, match="none of the 2 cuts of shard 1"):
        extract_latents(codec_dir, corpus.cuts, tmp_path / "latents", 2, skip_bad=True)


@pytest.mark.parametrize("how", ["missing", "truncated"])
def test_bad_audio_is_listed_without_latents_if_asked(
    codec_dir, make_corpus, tmp_path, caplog, how
):
    corpus, out = make_corpus(LENGTHS), tmp_path / "latents"
    for name in ("utt-3", "utt-6"):  # the second is a shard of its own
        path = corpus.audio[name]
        path.unlink() if how == "missing" else path.write_bytes(path.read_bytes()[:100])
    with caplog.at_level(logging.INFO):
        extract_latents(codec_dir, corpus.cuts, out, 2, skip_bad=True)
    assert "no latents: cut utt-3" in caplog.text
    assert "2 items have none" in caplog.text
    shards = LatentShards(out)
    found = [shards.item(index).num_latents for index in range(len(LENGTHS))]
    assert found == [-(-n // HOP) if k not in (3, 6) else 0 for k, n in enumerate(LENGTHS)]
    before = files(out)
    extract_latents(codec_dir, corpus.cuts, out, 2, skip_bad=True)
    assert files(out) == before
