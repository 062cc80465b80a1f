"""Latent shards of speech: how the generic format holds a codec's rates and an utterance.

`LatentMeta.modality` has sample_rate (Hz) and hop_length (samples per latent). An item's group is
its speaker, and its extras are duration_s and symbol_ends_s.
"""

from collections.abc import Sequence

from latentspeech.codec.config import CodecConfig
from latentspeech.core.data.latent_format import LatentItem, LatentMeta


def rates_of(codec: CodecConfig) -> dict[str, int]:
    """The `LatentMeta.modality` of a codec."""
    return {"sample_rate": codec.sample_rate, "hop_length": codec.hop_length}


def frame_rate_of(meta: LatentMeta) -> float:
    """Latents a second, Hz."""
    return float(meta.modality["sample_rate"] / meta.modality["hop_length"])


def speech_item(
    name: str,
    speaker: str,
    text: str,
    num_latents: int,
    duration_s: float,
    symbol_ends_s: Sequence[float] = (),
) -> LatentItem:
    """The item of an utterance; `symbol_ends_s` is empty where the times are unknown."""
    extras = {"duration_s": duration_s, "symbol_ends_s": list(symbol_ends_s)}
    return LatentItem(name, num_latents, speaker, text, extras)


def symbol_ends_of(item: LatentItem) -> Sequence[float]:
    """When each symbol of the text ends, seconds from the start; empty where unknown."""
    ends: Sequence[float] = item.extras.get("symbol_ends_s", ())
    return ends
