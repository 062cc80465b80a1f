"""Fresh weights that depend on the run's seed alone."""

import torch

from latentspeech.core.tensors import derive_seed


def seed_initialization(run_seed: int) -> None:
    """Call before a task is built: modules draw their weights from torch's global generator."""
    torch.manual_seed(derive_seed(run_seed, "initialization"))
