"""What a modality says of the number of its latents, and what older model directories said."""

import pytest

from latentspeech.core.config import parse_config
from latentspeech.core.errors import ConfigError
from latentspeech.core.lm.config import LatentLMConfig, ModalityConfig

IMAGE = {"name": "image", "latent_dim": 4, "bod_id": 1, "eod_id": 2, "slot_id": 3}


def test_older_directories_are_read_and_their_fixed_size_is_asked_for() -> None:
    assert parse_config(ModalityConfig, {**IMAGE, "predict_end": True}).num_latents is None
    with pytest.raises(ConfigError, match="give num_latents"):
        parse_config(ModalityConfig, {**IMAGE, "predict_end": False})
    with pytest.raises(ConfigError, match="leave predict_end out"):
        parse_config(ModalityConfig, {**IMAGE, "predict_end": True, "num_latents": 4})
    assert "predict_end" not in ModalityConfig(**IMAGE).model_dump()


def test_a_span_holds_at_least_one_latent() -> None:
    assert ModalityConfig(**IMAGE, num_latents=256).num_latents == 256
    with pytest.raises(ConfigError, match="num_latents"):
        parse_config(ModalityConfig, {**IMAGE, "num_latents": 0})


def test_a_model_may_have_no_modality_but_not_two_of_one_name() -> None:
    assert LatentLMConfig(vocab_size=5).latent_dims == ()
    twice = [ModalityConfig(**IMAGE), ModalityConfig(**IMAGE)]
    with pytest.raises(ValueError, match="must all differ"):
        LatentLMConfig(vocab_size=5, modalities=tuple(twice))
