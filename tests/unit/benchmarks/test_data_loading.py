"""The loading benchmark on a corpus of hundreds: its parts run, and its derivation holds."""

import gzip
import json
from pathlib import Path

import pytest

from benchmarks import batch_fill, data_loading
from latentspeech.data import cut_index
from latentspeech.data.cut_index import CutIndex
from latentspeech.tts.training.training_data import TTSDataConfig


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cut_index, "CUTS_PER_SHARD", 50)
    monkeypatch.setattr(data_loading, "SHARD_SIZE", 100)
    data_loading.write_manifest(tmp_path / "libriheavy_cuts.jsonl.gz", 400)
    data_loading.write_latents(tmp_path, 300)
    return tmp_path


def test_the_manifest_has_libriheavys_fields_and_gives_a_batch(corpus: Path) -> None:
    cuts = corpus / "libriheavy_cuts.jsonl.gz"
    row = json.loads(gzip.decompress(cuts.read_bytes()).splitlines()[0])
    assert {"texts", "pre_texts"} <= row["supervisions"][0]["custom"].keys()
    assert row["recording"]["sampling_rate"] == 16_000
    found = data_loading.first_audio_batch(cuts)
    assert found["cuts"] == 400
    assert found["first_batch_s"] >= found["open_s"] >= 0
    assert found["all_processes_mb"] > 0


def test_rates_and_what_they_are_compared_with(corpus: Path) -> None:
    for packing in (False, True):
        found = data_loading.latent_rates(corpus, 0.2, packing)
        assert found["utterances_per_s"] > 0
        assert 0 <= found["padding_share"] < 1
    plain = data_loading.plain_reading(corpus)
    assert 128 < plain["bytes_per_latent"] < 160  # 64 channels of two bytes, and the texts


def test_what_an_h200_consumes_follows_from_the_papers_sizes() -> None:
    found = data_loading.h200_elements_per_s(2000, tokens_per_latent=0.5)
    assert found["backbone_parameters"] == pytest.approx(302.0e6, rel=1e-3)
    per_latent = 6 * (1.5 * found["backbone_parameters"] + 4 * found["head_parameters"])
    assert found["latents_per_s"] == pytest.approx(0.45 * 989e12 / per_latent, rel=1e-4)
    assert found["tokens_per_s"] == pytest.approx(0.5 * found["latents_per_s"], rel=1e-4)


def test_packing_leaves_a_corpus_less_padding(corpus: Path) -> None:
    config = TTSDataConfig(max_total_latents=20_000, max_batch_size=400, pack_length=1024)
    cuts = CutIndex(corpus / "libriheavy_cuts.jsonl.gz")
    found = batch_fill.measure(cuts, config, hop_length=1600, batches=3)
    assert found["packed"]["padding_share"] < 0.5 * found["padded"]["padding_share"]
