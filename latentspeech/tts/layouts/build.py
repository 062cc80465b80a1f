"""Makes the layout that a configuration names."""

from typing import assert_never

from latentspeech.core.lm.config import ModalityConfig
from latentspeech.tts.layouts.aligned import AlignedLayout
from latentspeech.tts.layouts.layout import Layout
from latentspeech.tts.layouts.sentence import SentenceLayout
from latentspeech.tts.model import LayoutKind


def build_layout(
    kind: LayoutKind, speech: ModalityConfig, neighbours: tuple[int, int] = (0, 0)
) -> Layout:
    """Makes a layout; in `aligned` a symbol carries the ids of `neighbours` before and after it."""
    match kind:
        case "sentence":
            return SentenceLayout(speech)
        case "aligned":
            return AlignedLayout(speech, neighbours)
        case _:
            assert_never(kind)
