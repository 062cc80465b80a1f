"""Packed batches: the same utterances as padded ones, the same loss, hardly any padding."""

from pathlib import Path

import pytest
import torch

from benchmarks.batch_fill import measure_fill
from latentspeech.core.errors import DataError
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.loss import latent_lm_loss
from latentspeech.core.lm.mixed_batch import PADDING, MixedBatch
from latentspeech.core.nn.config import TransformerConfig
from latentspeech.data.speech_latents import speech_item
from latentspeech.text.tokenizers import CharacterTokenizer, CharacterTokenizerConfig
from latentspeech.tts.model import SPEECH, TTSModelConfig, latent_lm_config
from latentspeech.tts.training.training_data import TTSTrainingData
from tests.unit.tts.training.test_training_data import indices, make_data, write_shards


@pytest.fixture
def pair(tmp_path: Path) -> tuple[TTSTrainingData, TTSTrainingData]:
    """The same 20 utterances of 2 to 40 latents, padded and packed."""
    items = [
        speech_item(f"u{i}", "anna", f"text {'of some length ' * (i % 3)}", 2 + 2 * i, 0.3)
        for i in range(20)
    ]
    shards = write_shards(tmp_path, items)
    settings = {"max_total_latents": 120, "max_batch_size": 20}
    return (
        make_data(shards, **settings),
        make_data(shards, packing=True, pack_length=160, **settings),
    )


def tiny_model() -> LatentLM:
    torch.manual_seed(3)
    vocab_size = CharacterTokenizer(CharacterTokenizerConfig()).vocab_size
    sizes: dict[str, int] = {
        "model_dim": 16,
        "num_layers": 2,
        "num_heads": 2,
        "num_kv_heads": 2,
        "head_dim": 8,
        "ffn_dim": 32,
    }
    backbone = TransformerConfig(**sizes)
    config = TTSModelConfig(backbone=backbone, head_layers=1, head_ffn_dim=16)
    model = LatentLM(latent_lm_config(config, vocab_size, 2)).double()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def latent_conditions(model: LatentLM, batch: MixedBatch) -> dict[tuple[float, ...], torch.Tensor]:
    """Sampled latent -> the hidden state that predicts it."""
    hidden = model(batch)[:, :-1]
    here = (batch.kinds == 1 + SPEECH)[:, 1:]
    latents = [tuple(row) for row in batch.latents[SPEECH].tolist()]
    return dict(zip(latents, hidden[here], strict=True))


def test_the_loss_is_that_of_padded_batches(
    pair: tuple[TTSTrainingData, TTSTrainingData],
) -> None:
    targets = [target for batch in pair[1].plan(0, 0) for target in batch][:9]
    padded, packed = (data.load(targets, 7) for data in pair)
    assert padded.segment_ids is None
    assert packed.segment_ids is not None
    assert len(packed.kinds) < len(padded.kinds) == 9
    model = tiny_model()
    for batch in (padded, packed):
        batch.latents = tuple(part.double() for part in batch.latents)
    losses = [
        latent_lm_loss(model, batch, torch.Generator().manual_seed(0)) for batch in (padded, packed)
    ]
    assert losses[0].num_latents == losses[1].num_latents
    assert losses[0].num_tokens == losses[1].num_tokens
    torch.testing.assert_close(losses[0].token, losses[1].token, rtol=1e-9, atol=1e-9)
    # Diffusion noise is drawn in the order of the rows, so what is compared is what it is given.
    left, right = (latent_conditions(model, batch) for batch in (padded, packed))
    assert left.keys() == right.keys()
    for latent, condition in left.items():
        torch.testing.assert_close(condition, right[latent], rtol=1e-9, atol=1e-9)


def test_every_utterance_once_and_the_limit_kept(
    pair: tuple[TTSTrainingData, TTSTrainingData],
) -> None:
    _, data = pair
    lengths = {index: 2 + 2 * index for index in range(20)} | {None: 0}
    for epoch in range(4):
        batches = data.plan(epoch, 0)
        assert sorted(indices(batches)) == list(range(20))
        for batch in batches:
            assert sum(lengths[index] for target in batch for index in target) <= 120
    assert data.plan(0, 0) != data.plan(1, 0)


def test_rows_are_full(pair: tuple[TTSTrainingData, TTSTrainingData]) -> None:
    for data in pair:
        data.config = data.config.model_copy(update={"max_total_latents": 800, "num_buckets": 1})
    padded, packed = (measure_fill(data, 4) for data in pair)
    assert padded.batches == packed.batches == 4
    assert packed.padding_share < 0.5 * padded.padding_share
    batch = pair[1].load(pair[1].plan(0, 0)[0], 0)
    assert batch.kinds.shape[1] <= 160
    assert float((batch.kinds == PADDING).float().mean()) < 0.3


def test_what_does_not_fit_a_row_loses_its_prompt_or_is_named(
    pair: tuple[TTSTrainingData, TTSTrainingData],
) -> None:
    _, data = pair
    target = next(t for b in data.plan(0, 0) for t in b if t.utterance == 19)
    assert target.prompt is not None
    alone = data.load([target._replace(prompt=None)], 0)
    room = int(alone.lengths[0])
    data.config = data.config.model_copy(update={"pack_length": room})
    assert torch.equal(data.load([target], 0).kinds, alone.kinds)
    data.config = data.config.model_copy(update={"pack_length": room - 1})
    with pytest.raises(DataError, match=rf"cut u19 makes {room} elements.*data\.pack_length"):
        data.load([target], 0)
