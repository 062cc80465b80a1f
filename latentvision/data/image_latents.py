"""Latent shards of images: how the core's format holds a tokenizer's grid and a picture's class.

`LatentMeta.modality` has

    image_size, patch_size   pixels
    grid                     rows and columns of latents
    posterior                kind of the tokenizer's posterior
    flips                    whether each picture is there twice, as it is and mirrored
    class_names              names by number; numbers where the source has no names; empty if
                             no picture has a class

An item's group is the number of its class as text, "" without one. Its extras are label (a number
or null) and flipped.
"""

from collections.abc import Sequence
from typing import Any

from latentspeech.core.data.latent_format import LatentItem
from latentvision.data.sources.source import ImageRecord
from latentvision.tokenizer.model import TokenizerConfig


def facts_of(config: TokenizerConfig, class_names: Sequence[str], flips: bool) -> dict[str, Any]:
    """The `LatentMeta.modality` of a tokenizer's latents."""
    return {
        "image_size": config.image_size,
        "patch_size": config.patch_size,
        "grid": [config.grid_size, config.grid_size],
        "posterior": config.posterior.kind,
        "flips": flips,
        "class_names": list(class_names),
    }


def image_item(record: ImageRecord, num_latents: int, flipped: bool) -> LatentItem:
    """The item of a picture or of its mirror image."""
    name = f"{record.id}|flipped" if flipped else record.id
    group = "" if record.label is None else str(record.label)
    extras = {"label": record.label, "flipped": flipped}
    return LatentItem(name, num_latents, group, record.text, extras)
