"""Starts the encoder from a BEiT-3 checkpoint (Wang et al. 2022, arXiv 2208.10442; paper H.2).

BEiT-3 is one Transformer with experts for images (A) and for text (B). The encoder takes the
experts for images, the patch embedding, the class token and the positions; those of another grid
are interpolated. Its own head stays random.

D model width, N patches, P patch size.
"""

import math
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from latentspeech.core.errors import CheckpointError
from latentspeech.core.eval.weight_files import load_strictly, load_tensors
from latentvision.tokenizer.encoder import ImageEncoder

# BEiT-3's table begins with two positions that it inherited from fairseq and never uses, then the
# class token's.
_UNUSED_POSITIONS = 2


def start_from_beit3(encoder: ImageEncoder, path: Path) -> None:
    """Loads everything but the head; CheckpointError if the file is missing or does not fit."""
    if not path.is_file():
        raise CheckpointError(
            f"BEiT-3 checkpoint not found: {path}; expected a file such as "
            "beit3_base_patch16_224.pth of microsoft/unilm"
        )
    given = _Given(load_tensors(path), path)
    own = encoder.state_dict()
    loaded = {name: own[name] for name in ("head.weight", "head.bias")}
    projection = given.take("vision_embed.proj.weight")  # (D, 3, P, P)
    loaded["embedding.projection.weight"] = projection.flatten(1)
    loaded["embedding.projection.bias"] = given.take("vision_embed.proj.bias")
    loaded["embedding.class_token"] = given.take("vision_embed.cls_token").flatten()
    positions = given.take("encoder.embed_positions.A.weight")[_UNUSED_POSITIONS:]
    loaded["embedding.positions"] = resized_positions(
        positions, len(own["embedding.positions"]) - 1
    )
    for layer in range(len(encoder.vit.layers)):
        block = given.block(layer)
        loaded |= {f"vit.layers.{layer}.{name}": tensor for name, tensor in block.items()}
    for part in ("weight", "bias"):
        loaded[f"vit.norm.{part}"] = given.take(f"encoder.layer_norm.A.{part}")
    load_strictly(encoder, loaded, path)


def resized_positions(positions: Tensor, num_patches: int) -> Tensor:
    """Positions (1 + N, D) of a square grid, the class token's first, for another square grid."""
    first, grid = positions[:1], positions[1:]
    if len(grid) == num_patches:
        return positions
    old, new = math.isqrt(len(grid)), math.isqrt(num_patches)
    square = grid.view(1, old, old, -1).permute(0, 3, 1, 2).float()  # (1, D, old, old)
    scaled = functional.interpolate(square, (new, new), mode="bicubic", align_corners=False)
    return torch.cat((first, scaled.flatten(2)[0].T.to(first.dtype)))


class _Given:
    """The checkpoint's tensors under the names that BEiT-3's own code has."""

    def __init__(self, content: object, path: Path) -> None:
        self.path = path
        found = content.get("model", content) if isinstance(content, dict) else {}
        assert isinstance(found, dict)
        self._tensors = {str(name).removeprefix("beit3."): value for name, value in found.items()}

    def take(self, name: str) -> Tensor:
        """One tensor, by its name with or without the mark of the images' expert."""
        for candidate in (name, name.replace(".A.", ".")):
            if candidate in self._tensors:
                tensor: Tensor = self._tensors[candidate]
                return tensor
        raise CheckpointError(
            f"{self.path} has no {name}; expected a checkpoint of BEiT-3; give another file"
        )

    def block(self, layer: int) -> dict[str, Tensor]:
        """The tensors of a block by the names of `ViTBlock`."""
        names = {
            "attention_norm": "self_attn_layer_norm.A",
            "attention_inner_norm": "self_attn.inner_attn_ln.A",
            "out": "self_attn.out_proj.A",
            "ffn_norm": "final_layer_norm.A",
            "up": "ffn.A.fc1",
            "ffn_inner_norm": "ffn.A.ffn_layernorm",
            "down": "ffn.A.fc2",
        }
        start = f"encoder.layers.{layer}"
        found = {}
        for part in ("weight", "bias"):
            for own, theirs in names.items():
                found[f"{own}.{part}"] = self.take(f"{start}.{theirs}.{part}")
            rows = [self.take(f"{start}.self_attn.{x}_proj.A.{part}") for x in "qkv"]
            found[f"qkv.{part}"] = torch.cat(rows)
        return found
