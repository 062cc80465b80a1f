"""TTS batches: every utterance once, prompts of the same speaker, fresh but repeatable noise."""

import pickle
from pathlib import Path

import pytest
import torch

from latentspeech.core.errors import DataError
from latentspeech.core.latents.sigma_vae import SigmaVAEConfig
from latentspeech.core.lm.mixed_sequence import TOKEN
from latentspeech.data.latent_shards import (
    LatentItem,
    LatentMeta,
    LatentShards,
    LatentShardWriter,
)
from latentspeech.text.tokenizers import CharacterTokenizer, CharacterTokenizerConfig
from latentspeech.tts.layout import ConditioningConfig
from latentspeech.tts.model import SPEECH, Layout, TTSModelConfig, latent_lm_config
from latentspeech.tts.training_data import TTSDataConfig, TTSTrainingData

SHOW_ALL = ConditioningConfig(drop_condition=0, drop_prompt=0, drop_prompt_text=0)


def write_shards(folder: Path, items: list[LatentItem]) -> LatentShards:
    """Every latent of an utterance holds the utterance's number."""
    meta = LatentMeta(
        codec_hash="c",
        cuts_hash="d",
        latent_dim=2,
        sample_rate=24_000,
        hop_length=1600,
        posterior_kind="per_example",
        sigma_std=0.1,
        shard_size=4,
        num_cuts=len(items),
        remake_command="make them",
    )
    writer = LatentShardWriter(folder, meta)
    for shard in range(meta.num_shards):
        part = items[4 * shard : 4 * shard + 4]
        latents = {x.id: torch.full((x.num_latents, 2), float(x.id[1:])) for x in part}
        writer.write(shard, part, latents)
    return LatentShards(folder)


def make_data(shards: LatentShards, layout: Layout = "sentence") -> TTSTrainingData:
    tokenizer = CharacterTokenizer(CharacterTokenizerConfig())
    config = latent_lm_config(TTSModelConfig(), tokenizer.vocab_size, 2)
    return TTSTrainingData(
        shards,
        tokenizer,
        config.modalities[SPEECH],
        SigmaVAEConfig(sigma_std=0.01),
        SHOW_ALL,
        TTSDataConfig(max_total_latents=30, max_batch_size=3, num_buckets=2),
        seed=0,
        layout=layout,
    )


@pytest.fixture
def data(tmp_path: Path) -> TTSTrainingData:
    """Two speakers."""
    items = [
        LatentItem(f"u{i}", "anna" if i % 2 else "bert", f"text {i}", 4 + i, 0.3) for i in range(9)
    ]
    return make_data(write_shards(tmp_path, items))


def test_every_utterance_once_an_epoch(data: TTSTrainingData) -> None:
    for epoch in range(3):
        batches = data.plan(epoch)
        assert sorted(index for batch in batches for index in batch) == list(range(9))
    assert data.plan(0) != data.plan(1)


def test_prompts_are_others_of_the_same_speaker(data: TTSTrainingData) -> None:
    for seed in range(20):
        batch = data.load([1, 4], seed)
        for row, target in enumerate((1, 4)):
            here = batch.kinds[row] == 1 + SPEECH
            start = int((batch.kinds[:row] == 1 + SPEECH).sum())
            values = batch.latents[SPEECH][start : start + int(here.sum()), 0].round().tolist()
            assert values[-(4 + target) :] == [target] * (4 + target)
            prompts = set(values[: -(4 + target)])
            assert len(prompts) == 1
            (prompt,) = prompts
            assert prompt != target
            assert prompt % 2 == target % 2


def test_noise_is_fresh_for_each_seed_and_the_same_for_one(data: TTSTrainingData) -> None:
    first, again, other = (data.load([2, 3], seed).latents[SPEECH] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert first.shape != other.shape or not torch.equal(first, other)


def test_text_stands_before_its_latents(data: TTSTrainingData) -> None:
    batch = data.load([5], 0)
    tokens = batch.token_ids[0][batch.kinds[0] == TOKEN].tolist()
    spoken = data.tokenizer.encode("text 5")
    joined = ",".join(map(str, tokens))
    assert ",".join(map(str, [*spoken, data.speech.bod_id, data.speech.eod_id])) in joined


def test_it_travels_to_loader_processes(data: TTSTrainingData) -> None:
    before = data.load([0, 1], 3)
    after = pickle.loads(pickle.dumps(data)).load([0, 1], 3)
    assert torch.equal(before.latents[SPEECH], after.latents[SPEECH])


def test_symbols_need_times_that_fit_the_tokenizer(tmp_path: Path) -> None:
    fitting = (0.05, 0.1, 0.15, 0.2, 0.3)
    ends = {0: fitting, 1: (), 2: (0.1, 0.2, 0.3), 3: fitting}
    items = [LatentItem(f"u{i}", "anna", "to go", 4 + i, 0.3, times) for i, times in ends.items()]
    data = make_data(write_shards(tmp_path / "some", items), layout="aligned")
    assert sorted(index for batch in data.plan(0) for index in batch) == [0, 3]
    batch = data.load([3], 0)
    spoken = data.tokenizer.encode("to go")
    end = [data.speech.eod_id]
    tokens = batch.token_ids[0][batch.kinds[0] == TOKEN].tolist()
    expected = [*spoken, *end, data.speech.bod_id, *spoken, *end]
    assert tokens[-len(expected) :] == expected
    # At 15 frames a second the last, which begins at 0.2 s, stands before the fourth latent.
    own = batch.kinds[0].tolist()[-(len(spoken) + 7 + 1) :]
    written = "".join("z" if kind == 1 + SPEECH else "." for kind in own)
    assert written == "..z.z.z.zzzz."
    with pytest.raises(DataError, match="no utterance has the times"):
        make_data(write_shards(tmp_path / "none", [items[1], items[2]]), layout="aligned")
