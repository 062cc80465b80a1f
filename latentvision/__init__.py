"""latentvision: images on the core of latentspeech; a tokenizer, LatentLM and its twins.

    import latentvision
    painter = latentvision.load("path/of/model")
    painter.sample("sneaker", num=4, seed=1).save("sneakers.png")
    writer = latentvision.load_multimodal("path/of/model")
    writer.draw("a red apple", seed=1).save("apple.png")
    writer.caption("cat.png")

Importing this package loads no torch; the names below are imported when first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentvision.generation.models import load
    from latentvision.generation.painter import Painter, Pictures
    from latentvision.mllm.loading import load_multimodal
    from latentvision.mllm.open_page import OpenPage
    from latentvision.mllm.page_writer import PageWriter

__all__ = ["OpenPage", "PageWriter", "Painter", "Pictures", "load", "load_multimodal"]

_HOMES = {
    "OpenPage": "latentvision.mllm.open_page",
    "PageWriter": "latentvision.mllm.page_writer",
    "Painter": "latentvision.generation.painter",
    "Pictures": "latentvision.generation.painter",
    "load": "latentvision.generation.models",
    "load_multimodal": "latentvision.mllm.loading",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'latentvision' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
