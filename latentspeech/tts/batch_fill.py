"""How full batches are: what share of their elements is padding, which costs as much as speech."""

from itertools import islice
from typing import NamedTuple

from latentspeech.core.lm.mixed_sequence import PADDING, TOKEN
from latentspeech.core.train.batches import Plan
from latentspeech.tts.training_data import TTSTrainingData


class BatchFill(NamedTuple):
    """Over some batches."""

    batches: int
    utterances: int
    latents: int
    """Prompts included."""
    elements: int
    """Latents and tokens."""
    places: int
    """Elements and padding."""

    @property
    def padding_share(self) -> float:
        """0: no padding."""
        return 1 - self.elements / self.places


def measure_fill(data: TTSTrainingData, num_batches: int) -> BatchFill:
    """Loads the first batches of a training."""
    total = BatchFill(0, 0, 0, 0, 0)
    for planned in islice(Plan(data, data.seed), num_batches):
        kinds = data.load(planned.items, planned.seed).kinds
        one = (
            1,
            len(planned.items),
            int((kinds > TOKEN).sum()),
            int((kinds != PADDING).sum()),
            kinds.numel(),
        )
        total = BatchFill(*(a + b for a, b in zip(total, one, strict=True)))
    return total
