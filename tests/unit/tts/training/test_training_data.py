"""TTS batches: every utterance once, prompts of the same speaker, fresh but repeatable noise."""

import pickle
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from latentspeech.core.data.latent_format import LatentItem, LatentMeta
from latentspeech.core.data.latent_shards import LatentShards, LatentShardWriter
from latentspeech.core.errors import DataError
from latentspeech.core.latents.config import SigmaVAEConfig
from latentspeech.core.lm.mixed_sequence import TOKEN
from latentspeech.data.speech_latents import speech_item
from latentspeech.text.tokenizers import CharacterTokenizer, CharacterTokenizerConfig
from latentspeech.tts.layouts.build import build_layout
from latentspeech.tts.layouts.layout import ConditioningConfig
from latentspeech.tts.model import SPEECH, LayoutKind, TTSModelConfig, latent_lm_config
from latentspeech.tts.training.training_data import Target, TTSDataConfig, TTSTrainingData

SHOW_ALL = ConditioningConfig(drop_condition=0, drop_prompt=0, drop_prompt_text=0)


def write_shards(folder: Path, items: list[LatentItem]) -> LatentShards:
    """Every latent of an utterance holds the utterance's number."""
    meta = LatentMeta(
        vae_hash="c",
        source_hash="d",
        latent_dim=2,
        modality={"sample_rate": 24_000, "hop_length": 1600},
        posterior_kind="per_example",
        sigma_std=0.1,
        shard_size=4,
        num_items=len(items),
        remake_command="make them",
    )
    writer = LatentShardWriter(folder, meta)
    for shard in range(meta.num_shards):
        part = items[4 * shard : 4 * shard + 4]
        latents = {x.id: torch.full((x.num_latents, 2), float(x.id[1:])) for x in part}
        writer.write(shard, part, latents)
    return LatentShards(folder)


def make_data(
    shards: LatentShards, layout: LayoutKind = "sentence", **settings: object
) -> TTSTrainingData:
    tokenizer = CharacterTokenizer(CharacterTokenizerConfig())
    config = latent_lm_config(TTSModelConfig(), tokenizer.vocab_size, 2)
    return TTSTrainingData(
        shards,
        tokenizer,
        build_layout(layout, config.modalities[SPEECH]),
        SigmaVAEConfig(sigma_std=0.01),
        SHOW_ALL,
        TTSDataConfig(
            **{"max_total_latents": 30, "max_batch_size": 3, "num_buckets": 2} | settings
        ),
        seed=0,
    )


@pytest.fixture
def data(tmp_path: Path) -> TTSTrainingData:
    """Two speakers."""
    items = [
        speech_item(f"u{i}", "anna" if i % 2 else "bert", f"text {i}", 4 + i, 0.3) for i in range(9)
    ]
    return make_data(write_shards(tmp_path, items))


def indices(batches: Sequence[Sequence[Target]]) -> list[int]:
    return [target.utterance for batch in batches for target in batch]


def unprompted(*wanted: int) -> list[Target]:
    return [Target(index, None) for index in wanted]


def test_every_utterance_once_an_epoch(data: TTSTrainingData) -> None:
    assert data.num_windows() == 1
    for epoch in range(3):
        assert sorted(indices(data.plan(epoch, 0))) == list(range(9))
    assert data.plan(0, 0) != data.plan(1, 0)
    assert data.plan(1, 0) == data.plan(1, 0)


def test_windows_share_the_shards_out_anew_each_epoch(data: TTSTrainingData) -> None:
    data.config = data.config.model_copy(update={"window_shards": 2})  # of three shards
    assert data.num_windows() == 2
    seen = [[sorted(indices(data.plan(epoch, window))) for window in (0, 1)] for epoch in range(6)]
    assert all(sorted(first + second) == list(range(9)) for first, second in seen)
    assert len({str(windows) for windows in seen}) > 1


def test_planning_and_loading_open_the_shards_of_their_window_only(tmp_path: Path) -> None:
    items = [speech_item(f"u{i}", f"s{i % 3}", "some text", 5, 0.3) for i in range(80)]
    data = make_data(write_shards(tmp_path, items), window_shards=2)  # of 20
    batches = data.plan(0, 4)
    own = {index // 4 for index in indices(batches)}
    assert len(own) == 2
    data.load(batches[0], 0)
    assert set(data.shards._lists._open) == own
    assert set(data.shards._weights._open) <= own


@pytest.mark.parametrize("window_shards", [2, 64])
def test_prompts_are_others_of_the_same_speaker_and_window(
    data: TTSTrainingData, window_shards: int
) -> None:
    data.config = data.config.model_copy(update={"window_shards": window_shards})
    chosen = set()
    for epoch in range(60):
        for window in range(data.num_windows()):
            targets = [target for batch in data.plan(epoch, window) for target in batch]
            here = {target.utterance for target in targets}
            for index, prompt in targets:
                others = {other for other in here - {index} if other % 2 == index % 2}
                assert prompt in others if others else prompt is None
                chosen.add((index, prompt))
    # Bert has five utterances and Anna four: every pair comes about.
    assert len(chosen - {(i, None) for i in range(9)}) == 5 * 4 + 4 * 3


def test_a_row_is_the_prompt_and_the_target(data: TTSTrainingData) -> None:
    batch = data.load([Target(1, 5), Target(4, None)], 0)
    values = batch.latents[SPEECH][:, 0].round().tolist()
    assert values == [5] * 9 + [1] * 5 + [4] * 8


def test_noise_is_fresh_for_each_seed_and_the_same_for_one(data: TTSTrainingData) -> None:
    first, again, other = (data.load(unprompted(2, 3), seed).latents[SPEECH] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert first.shape == other.shape
    assert not torch.equal(first, other)


def test_text_stands_before_its_latents(data: TTSTrainingData) -> None:
    batch = data.load(unprompted(5), 0)
    tokens = batch.token_ids[0][batch.kinds[0] == TOKEN].tolist()
    spoken = CharacterTokenizer(CharacterTokenizerConfig()).encode("text 5")
    joined = ",".join(map(str, tokens))
    assert (
        ",".join(map(str, [*spoken, data.layout.speech.bod_id, data.layout.speech.eod_id]))
        in joined
    )


def test_it_travels_to_loader_processes(data: TTSTrainingData) -> None:
    before = data.load(unprompted(0, 1), 3)
    after = pickle.loads(pickle.dumps(data)).load(unprompted(0, 1), 3)
    assert torch.equal(before.latents[SPEECH], after.latents[SPEECH])


def test_symbols_need_times_that_fit_the_tokenizer(tmp_path: Path) -> None:
    fitting = (0.05, 0.1, 0.15, 0.2, 0.3)
    ends = {0: fitting, 1: (), 2: (0.1, 0.2, 0.3), 3: fitting}
    items = [speech_item(f"u{i}", "anna", "to go", 4 + i, 0.3, times) for i, times in ends.items()]
    data = make_data(write_shards(tmp_path / "some", items), layout="aligned")
    assert sorted(indices(data.plan(0, 0))) == [0, 3]
    batch = data.load(unprompted(3), 0)
    spoken = CharacterTokenizer(CharacterTokenizerConfig()).encode("to go")
    end = [data.layout.speech.eod_id]
    tokens = batch.token_ids[0][batch.kinds[0] == TOKEN].tolist()
    expected = [*spoken, *end, data.layout.speech.bod_id, *spoken, *end]
    assert tokens[-len(expected) :] == expected
    # At 15 frames a second the last, which begins at 0.2 s, stands before the fourth latent.
    own = batch.kinds[0].tolist()[-(len(spoken) + 7 + 1) :]
    written = "".join("z" if kind == 1 + SPEECH else "." for kind in own)
    assert written == "..z.z.z.zzzz."
    with pytest.raises(DataError, match="no utterance has the times"):
        make_data(write_shards(tmp_path / "none", [items[1], items[2]]), layout="aligned")
