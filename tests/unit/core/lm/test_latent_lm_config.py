"""Settings that a LatentLM refuses."""

import pytest

from latentspeech.core.lm.config import LatentLMConfig, ModalityConfig
from latentspeech.core.nn.config import TransformerConfig


def test_a_bidirectional_backbone_would_see_its_targets() -> None:
    speech = ModalityConfig(name="speech", latent_dim=4, bod_id=0, eod_id=1, slot_id=2)
    with pytest.raises(ValueError, match=r"backbone.causal is false; expected true"):
        LatentLMConfig(backbone=TransformerConfig(causal=False), vocab_size=3, modalities=(speech,))
