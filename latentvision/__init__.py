"""latentvision: images on the core of latentspeech; a tokenizer, LatentLM and its twins.

    import latentvision
    painter = latentvision.load("path/of/model")
    painter.sample("sneaker", num=4, seed=1).save("sneakers.png")

Importing this package loads no torch; the names below are imported when first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentvision.generation.models import load
    from latentvision.generation.painter import Painter, Pictures

__all__ = ["Painter", "Pictures", "load"]

_HOMES = {
    "Painter": "latentvision.generation.painter",
    "Pictures": "latentvision.generation.painter",
    "load": "latentvision.generation.models",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'latentvision' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
