"""recipes.tts.grow_model: more units and layers, the same speech, gradients for what is new."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import latentspeech
from latentspeech.audio.io import write_audio
from latentspeech.core.errors import ConfigError
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.storage.model_directory import read_model_config
from latentspeech.tts.model_directory import KIND, load_lm
from recipes.tts import grow_model
from tests.tiny_models import make_model_directory, voice_like


def test_a_larger_model_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, out = make_model_directory(tmp_path, "aligned"), tmp_path / "new" / "larger"
    old = latentspeech.load(model, runtime="torch")
    before = old.model.runtime.config
    ffn_dim, head_ffn_dim = before.backbone.ffn_dim + 5, before.modalities[0].head_ffn_dim + 3
    num_layers = before.backbone.num_layers + 1
    sizes = ["--ffn_dim", str(ffn_dim), "--head_ffn_dim", str(head_ffn_dim)]
    sizes += ["--num_layers", str(num_layers)]
    arguments = ["grow_model", "--model", str(model), *sizes, "--out", str(out)]
    monkeypatch.setattr(sys, "argv", arguments)
    grow_model.main()
    new = latentspeech.load(out, runtime="torch")
    config = new.model.runtime.config
    assert (config.backbone.ffn_dim, config.modalities[0].head_ffn_dim) == (ffn_dim, head_ffn_dim)
    assert config.backbone.num_layers == num_layers
    assert read_model_config(out, KIND)["codec_hash"] == old.model.codec_hash
    recording = tmp_path / "ref.wav"
    write_audio(recording, voice_like(2.0), 24_000)
    sampling = SamplingConfig(num_steps=1)
    voice = old.prompt(recording)
    latents = [one.write_latents(["One."], [voice], [0], sampling)[0].latents for one in (old, new)]
    np.testing.assert_allclose(*latents, rtol=1e-5, atol=1e-6)


def test_a_model_is_not_made_smaller(tmp_path: Path) -> None:
    lm = load_lm(make_model_directory(tmp_path))
    with pytest.raises(ConfigError, match="--head_ffn_dim 1 is below"):
        grow_model.grown(lm, head_ffn_dim=1)


def test_what_is_new_learns(tmp_path: Path) -> None:
    lm = load_lm(make_model_directory(tmp_path))
    old = lm.config.backbone.ffn_dim
    depth = lm.config.backbone.num_layers
    larger = grow_model.grown(lm, num_layers=2 * depth, ffn_dim=old + 5)
    hidden = larger.backbone(torch.randn(1, 3, larger.config.backbone.model_dim))
    hidden.square().sum().backward()
    for place in range(2 * depth):
        for name in grow_model.RESIDUAL:
            weight = larger.backbone.get_parameter(f"layers.{place}.{name}")
            assert weight.grad is not None
            assert bool(weight.any()) == (place % 2 == 0)  # old and new layers take turns
            assert (weight.grad.abs().sum(0) > 0).all()
    assert larger.config.backbone.ffn_dim == old + 5
