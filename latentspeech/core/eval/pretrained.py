"""Loads models of the transformers library from a folder, with all weights from the checkpoint.

`from_pretrained` fills weights that a checkpoint lacks with random numbers and only logs a table
about it; a score by such a model would look like any other. Here it is an error.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from latentspeech.core.errors import CheckpointError
from latentspeech.core.eval.weight_files import first_lines
from latentspeech.core.eval.weights import Weights


def load_pretrained(model_class: Any, weights: Weights) -> Any:
    """Returns the model in evaluation mode, float32, on the CPU; CheckpointError if incomplete."""
    import torch

    try:
        with _without_progress_bars():
            model, loading = model_class.from_pretrained(
                weights.folder, output_loading_info=True, local_files_only=True, dtype=torch.float32
            )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise CheckpointError(
            f"{weights.folder} cannot be loaded as {model_class.__name__} "
            f"({first_lines(str(error))}); {weights.source.remedy()}"
        ) from error
    absent = sorted({*loading["missing_keys"], *loading["mismatched_keys"]}, key=str)
    if absent:
        raise CheckpointError(
            f"{weights.path} lacks {len(absent)} weight(s) of {model_class.__name__}, the first is "
            f"{absent[0]}; expected the published checkpoint; {weights.source.remedy()}"
        )
    return model.eval()


@contextlib.contextmanager
def _without_progress_bars() -> Iterator[None]:
    from transformers.utils import logging as transformers_logging

    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()
