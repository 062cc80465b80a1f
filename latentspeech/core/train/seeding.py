"""Fresh weights that depend on the run's seed alone."""

import torch

from latentspeech.core.seeds import derive_seed


def seed_initialization(run_seed: int) -> None:
    """Seeds torch's global generator, from which modules draw weights. Call it before building."""
    torch.manual_seed(derive_seed(run_seed, "initialization"))
