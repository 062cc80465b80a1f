"""A BEiT-3 checkpoint computes in our encoder what it computes by its own rules."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from latentspeech.core.errors import CheckpointError
from latentvision.tokenizer.beit3 import resized_positions, start_from_beit3
from latentvision.tokenizer.encoder import ImageEncoder
from latentvision.tokenizer.vit import ViTConfig
from tests.tiny_tokenizer import random_images

WIDTH, INNER, LAYERS, HEADS, PATCH = 16, 24, 2, 2, 4
CONFIG = ViTConfig(model_dim=WIDTH, num_layers=LAYERS, num_heads=HEADS, ffn_dim=INNER)


def checkpoint(num_patches: int = 16) -> dict[str, Tensor]:
    """Random weights under BEiT-3's names, with an expert for text beside that for images."""
    generator = torch.Generator().manual_seed(0)
    shapes: dict[str, tuple[int, ...]] = {
        "vision_embed.proj.weight": (WIDTH, 3, PATCH, PATCH),
        "vision_embed.proj.bias": (WIDTH,),
        "vision_embed.cls_token": (1, 1, WIDTH),
        "vision_embed.mask_token": (1, 1, WIDTH),
        "encoder.embed_positions.A.weight": (num_patches + 3, WIDTH),
    }
    for expert in "AB":
        shapes |= {f"encoder.layer_norm.{expert}.{part}": (WIDTH,) for part in ("weight", "bias")}
        for layer in range(LAYERS):
            start = f"encoder.layers.{layer}"
            sizes = {f"self_attn.{x}_proj.{expert}": (WIDTH, WIDTH) for x in ("q", "k", "v", "out")}
            sizes |= {f"ffn.{expert}.fc1": (INNER, WIDTH), f"ffn.{expert}.fc2": (WIDTH, INNER)}
            sizes |= {f"self_attn_layer_norm.{expert}": (WIDTH,)}
            sizes |= {f"self_attn.inner_attn_ln.{expert}": (WIDTH,)}
            sizes |= {f"final_layer_norm.{expert}": (WIDTH,)}
            sizes |= {f"ffn.{expert}.ffn_layernorm": (INNER,)}
            for name, size in sizes.items():
                shapes |= {f"{start}.{name}.weight": size, f"{start}.{name}.bias": size[:1]}
    return {f"beit3.{k}": torch.randn(v, generator=generator) * 0.3 for k, v in shapes.items()}


def beit3(images: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """BEiT-3's forward pass on images, written from its paper's and its own names."""
    w = {name.removeprefix("beit3."): tensor for name, tensor in weights.items()}

    def linear(x: Tensor, name: str) -> Tensor:
        return functional.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    def norm(x: Tensor, name: str) -> Tensor:
        return functional.layer_norm(x, x.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"], 1e-5)

    projected = functional.conv2d(
        images, w["vision_embed.proj.weight"], w["vision_embed.proj.bias"], stride=PATCH
    )
    patches = projected.flatten(2).transpose(1, 2)
    x = torch.cat((w["vision_embed.cls_token"].expand(len(images), 1, -1), patches), dim=1)
    x = x + w["encoder.embed_positions.A.weight"][2 : 2 + x.shape[1]]
    for layer in range(LAYERS):
        start = f"encoder.layers.{layer}"
        y = norm(x, f"{start}.self_attn_layer_norm.A")
        q, k, v = (
            linear(y, f"{start}.self_attn.{name}_proj.A").unflatten(-1, (HEADS, -1)).transpose(1, 2)
            for name in "qkv"
        )
        scores = (q * (WIDTH // HEADS) ** -0.5) @ k.transpose(2, 3)
        y = (scores.softmax(dim=-1) @ v).transpose(1, 2).flatten(2)
        y = norm(y, f"{start}.self_attn.inner_attn_ln.A")
        x = x + linear(y, f"{start}.self_attn.out_proj.A")
        y = functional.gelu(linear(norm(x, f"{start}.final_layer_norm.A"), f"{start}.ffn.A.fc1"))
        x = x + linear(norm(y, f"{start}.ffn.A.ffn_layernorm"), f"{start}.ffn.A.fc2")
    return norm(x, "encoder.layer_norm.A")[:, 1:]


def test_the_features_are_beit3_s(tmp_path: Path) -> None:
    weights, path = checkpoint(), tmp_path / "beit3.pth"
    torch.save({"model": weights}, path)
    encoder = ImageEncoder(CONFIG, PATCH, num_patches=16, out_dim=5)
    head = encoder.head.weight.clone()
    start_from_beit3(encoder, path)
    images = random_images(2)
    assert torch.allclose(encoder.features(images), beit3(images, weights), atol=1e-4)
    assert torch.equal(encoder.head.weight, head)


def test_positions_of_another_grid_are_interpolated(tmp_path: Path) -> None:
    path = tmp_path / "beit3.pth"
    torch.save(checkpoint(num_patches=9), path)
    encoder = ImageEncoder(CONFIG, PATCH, num_patches=16, out_dim=5)
    start_from_beit3(encoder, path)
    assert encoder.features(random_images(1)).shape == (1, 16, WIDTH)
    line = torch.arange(9.0).repeat_interleave(9)  # rows 0 to 8 of a 9 x 9 grid
    wider = resized_positions(torch.cat((torch.tensor([-7.0]), line))[:, None], 16 * 16)
    assert float(wider[0]) == -7
    rows = wider[1:].view(16, 16)
    assert bool((rows.diff(dim=0) > 0).all())
    assert float(rows.diff(dim=1).abs().max()) < 1e-5
    assert float(rows[0, 0] + rows[15, 0]) == pytest.approx(8, abs=1e-4)


def test_other_files_are_refused(tmp_path: Path) -> None:
    encoder = ImageEncoder(CONFIG, PATCH, num_patches=16, out_dim=5)
    with pytest.raises(CheckpointError, match="not found"):
        start_from_beit3(encoder, tmp_path / "none.pth")
    weights = checkpoint()
    del weights["beit3.encoder.layers.1.ffn.A.fc1.weight"]
    torch.save(weights, tmp_path / "part.pth")
    with pytest.raises(CheckpointError, match=r"layers\.1\.ffn\.A\.fc1\.weight"):
        start_from_beit3(encoder, tmp_path / "part.pth")
    torch.save(checkpoint(), tmp_path / "whole.pth")
    wider = ImageEncoder(ViTConfig(model_dim=32, num_layers=2, num_heads=2), PATCH, 16, 5)
    with pytest.raises(CheckpointError, match="does not fit"):
        start_from_beit3(wider, tmp_path / "whole.pth")
