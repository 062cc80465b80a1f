"""Published moments of a reference in Inception's features, for FIDs without its pictures.

ADM's evaluator (Dhariwal and Nichol 2021, arXiv 2105.05233) and pytorch-fid publish them as .npz
files with `mu` (2048,) and `sigma` (2048, 2048). F features.
"""

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from latentspeech.core.errors import DataError
from latentvision.eval.features import InceptionFeatures
from latentvision.eval.sets.frechet import Moments

_EXPECTED = "a .npz with mu (2048,) and sigma (2048, 2048) of Inception's features"


class InceptionStatistics(NamedTuple):
    """The moments, and where they come from."""

    path: Path
    moments: Moments

    def __str__(self) -> str:
        return f"statistics {self.path}"


def read_statistics(path: Path) -> InceptionStatistics:
    """Reads such a file; DataError if it is missing, damaged, or of other features."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            mean, covariance = (torch.tensor(stored[key]).double() for key in ("mu", "sigma"))
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; expected {_EXPECTED}") from None
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} holds no statistics ({reason}); expected {_EXPECTED}") from None
    size = InceptionFeatures.num_features
    if mean.shape != (size,) or covariance.shape != (size, size):
        raise DataError(
            f"{path} has mu {tuple(mean.shape)} and sigma {tuple(covariance.shape)}; expected "
            f"{_EXPECTED}"
        )
    return InceptionStatistics(Path(path), Moments(mean, covariance))
