"""Shapes, raster order, twins, and what the hash of a tokenizer's directory depends on."""

from pathlib import Path

import pytest
import torch

from latentspeech.core.config import parse_config
from latentspeech.core.errors import CheckpointError, ConfigError
from latentvision.tokenizer.model import Tokenizer, TokenizerConfig
from latentvision.tokenizer.model_directory import (
    load_tokenizer,
    save_tokenizer,
    tokenizer_hash,
)
from latentvision.tokenizer.patches import from_patches, to_patches
from latentvision.tokenizer.posterior import LearnedPosteriorConfig
from tests.tiny_tokenizer import (
    POSTERIORS,
    make_tokenizer,
    make_tokenizer_directory,
    random_images,
    tiny_config,
)


def test_patches_are_in_raster_order_and_invert() -> None:
    images = torch.arange(2 * 3 * 4 * 6).float().view(2, 3, 4, 6)
    patches = to_patches(images, 2)
    assert patches.shape == (2, 6, 12)
    assert torch.equal(patches[1, 1].view(3, 2, 2), images[1, :, :2, 2:4])
    assert torch.equal(patches[1, 3].view(3, 2, 2), images[1, :, 2:, :2])
    assert torch.equal(from_patches(patches, 2, 2), images)


@pytest.mark.parametrize("kind", list(POSTERIORS))
def test_shapes_and_repeatable_latents(kind: str) -> None:
    tokenizer, images = make_tokenizer(kind), random_images(3)
    mu = tokenizer.encode(images)
    assert (mu.shape, mu.dtype) == ((3, 16, 5), torch.float32)
    assert torch.equal(mu, tokenizer.encode(images))
    assert tokenizer.decode(mu).shape == images.shape
    for bad in (images[0], images[:, :1], random_images(1, size=20)):
        with pytest.raises(ValueError, match="images has shape"):
            tokenizer.encode(bad)
    with pytest.raises(ValueError, match="latents has shape"):
        tokenizer.decode(mu[:, 1:])


def test_every_latent_sees_every_patch() -> None:
    tokenizer = make_tokenizer()
    images = random_images(1).requires_grad_()
    tokenizer.encode(images)[0, 0].sum().backward()
    assert images.grad is not None
    assert bool((to_patches(images.grad, 4).abs().amax(dim=-1) > 0).all())


def test_codes_are_those_of_the_vq_tokenizer_alone() -> None:
    tokenizer, images = make_tokenizer("vq"), random_images(3)
    codes = tokenizer.encode_codes(images)
    assert codes.shape == (3, 16)
    mu = tokenizer.encode(images)
    assert torch.allclose(mu.norm(dim=-1), torch.ones(3, 16), atol=1e-6)
    assert torch.equal(tokenizer.decode_codes(codes), tokenizer.decode(mu))
    with pytest.raises(ConfigError, match="no codes"):
        make_tokenizer().encode_codes(images)


@pytest.mark.parametrize("kind", list(POSTERIORS))
def test_a_directory_holds_the_tokenizer(kind: str, tmp_path: Path) -> None:
    directory = make_tokenizer_directory(tmp_path, kind)
    loaded, images = load_tokenizer(directory), random_images(2)
    assert loaded.config == tiny_config(kind)
    half = make_tokenizer(kind).half().float()  # as the weights are stored
    assert torch.allclose(loaded.encode(images), half.encode(images), atol=2e-3)
    assert not loaded.training


def test_the_hash_is_that_of_what_decides_latents(tmp_path: Path) -> None:
    directory = make_tokenizer_directory(tmp_path)
    first = tokenizer_hash(directory)
    tokenizer = make_tokenizer()
    with torch.no_grad():
        tokenizer.decoder.pixels.weight.add_(1)
    save_tokenizer(tokenizer, directory, "# other decoder\n")
    assert tokenizer_hash(directory) == first
    with torch.no_grad():
        tokenizer.encoder.head.weight.add_(1)
    save_tokenizer(tokenizer, directory, "# other encoder\n")
    assert tokenizer_hash(directory) != first
    codes = [tokenizer_hash(make_tokenizer_directory(tmp_path, "vq", seed)) for seed in (0, 1)]
    assert len({first, *codes}) == 3


def test_another_model_s_directory_is_refused(tmp_path: Path) -> None:
    directory = make_tokenizer_directory(tmp_path)
    text = (directory / "config.yaml").read_text()
    (directory / "config.yaml").write_text(text.replace("image_tokenizer", "codec"))
    with pytest.raises(CheckpointError, match="expected 'image_tokenizer'"):
        load_tokenizer(directory)


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="not a multiple of patch_size 5"):
        parse_config(TokenizerConfig, {"image_size": 16, "patch_size": 5})
    with pytest.raises(ConfigError, match="multiple of num_heads"):
        parse_config(TokenizerConfig, {"encoder": {"num_heads": 5}})
    with pytest.raises(ConfigError, match="posterior"):
        parse_config(TokenizerConfig, {"posterior": {"kind": "vq", "sigma_std": 1.0}})


def test_a_posterior_is_chosen_by_its_kind() -> None:
    config = parse_config(
        TokenizerConfig, {"posterior": {"kind": "learned", "initial_variance": 0.01}}
    )
    assert config.posterior == LearnedPosteriorConfig(initial_variance=0.01)
    assert parse_config(TokenizerConfig, {}).posterior == POSTERIORS["per_example"]


def test_the_paper_s_budget() -> None:
    with torch.device("meta"):
        tokenizer = Tokenizer(TokenizerConfig())
    count = sum(parameter.numel() for parameter in tokenizer.parameters())
    assert count == pytest.approx(172e6, rel=0.01)
    assert tokenizer.config.num_latents == 256
    assert TokenizerConfig(image_size=384).num_latents == 576
