"""recipes.codec.group: frames side by side, the same sound, another hash."""

import sys
from pathlib import Path

import pytest
import torch

from latentspeech.codec.config import CodecConfig
from latentspeech.codec.model_directory import codec_hash, load_codec_module
from latentspeech.core.errors import ConfigError
from recipes.codec import group as group_codec
from tests.tiny_codec import CODEC, make_codec, make_codec_directory
from tests.tiny_models import voice_like


@torch.inference_mode()
def test_a_latent_holds_two_and_the_copy_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec_dir, out = make_codec_directory(tmp_path), tmp_path / "new" / "grouped"
    arguments = ["group_codec", "--codec", str(codec_dir), "--frames", "2", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", arguments)
    group_codec.main()
    one, two = load_codec_module(codec_dir), load_codec_module(out)
    assert two.config.frame_rate == one.config.frame_rate / 2
    assert codec_hash(out) != codec_hash(codec_dir)
    audio = voice_like(4)[None]
    latents, pairs = one.encode(audio), two.encode(audio)
    assert pairs.shape == (1, latents.shape[1] // 2, 2 * latents.shape[2])
    frames = two.frames(pairs)
    # A stream begins with a frame more of silence, which is forgotten a second later.
    torch.testing.assert_close(frames[:, 15:], latents[:, 15:])
    torch.testing.assert_close(two.decode(pairs), one.decode(frames))


def test_frames_must_divide_a_latent() -> None:
    with pytest.raises(ValueError, match="cannot hold 3 frames"):
        CodecConfig.model_validate(CODEC.model_dump() | {"frames_per_latent": 3})
    with pytest.raises(ConfigError, match="--frames 0"):
        group_codec.grouped(make_codec(), 0)
