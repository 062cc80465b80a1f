"""Per-channel normalisation of latents by the mean and std of the training set.

D latent size, N latents.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from latentspeech.core.errors import DataError
from latentspeech.core.tensors import check_shape

# If std / |mean| of a channel is at most this, the channel is constant except for rounding.
MIN_RELATIVE_STD = 1e-7


class LatentNormalizer(nn.Module):
    """(latents - mean) / std for each channel; the identity until it is given statistics.

    The statistics are saved with the model and stay float32 under `model.bfloat16()` or `.half()`.
    """

    mean: Tensor  # (D,)
    std: Tensor  # (D,)

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(latent_dim))
        self.register_buffer("std", torch.ones(latent_dim))

    def normalize(self, latents: Tensor) -> Tensor:
        """Latents (..., D) -> (..., D), float32 or wider."""
        return (latents - self.mean) / self.std

    def denormalize(self, latents: Tensor) -> Tensor:
        """The inverse of `normalize`: (..., D) -> (..., D)."""
        return latents * self.std + self.mean

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "LatentNormalizer":
        """Moves the buffers with the model, but never converts them to a narrower dtype."""
        exact = {name: buffer for name, buffer in self.named_buffers() if not buffer.is_meta}
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, before in exact.items():
            after = getattr(self, name)
            if after.dtype.itemsize < before.dtype.itemsize:
                setattr(self, name, before.to(after.device))
        return self


@dataclass
class RunningMoments:
    """Mean and variance of a stream of latents in float64, exact under any order and partition.

    Chan, Golub and LeVeque 1979: sums of squares are kept about the running mean, so large means
    cost no digits.
    """

    count: int
    mean: Tensor  # (D,) float64
    squares: Tensor  # (D,) float64, sum of squared distances from the mean

    @classmethod
    def empty(cls, latent_dim: int) -> "RunningMoments":
        """The moments before any latents are added."""
        zeros = torch.zeros(latent_dim, dtype=torch.float64)
        return cls(0, zeros, zeros.clone())

    def update(self, latents: Tensor) -> None:
        """Adds latents (N, D). Raises DataError, and adds nothing, if any is not finite."""
        check_shape("latents", latents, "N", len(self.mean))
        if not len(latents):
            return
        values = latents.detach().to(device="cpu", dtype=torch.float64)
        bad = (~values.isfinite()).any(dim=0).nonzero().flatten().tolist()
        if bad:
            raise DataError(
                f"latents have NaN or infinite values in channels {bad}; expected finite numbers, "
                "remove the recording they come from or check the codec"
            )
        mean = values.mean(dim=0)
        self.merge(RunningMoments(len(values), mean, (values - mean).square().sum(dim=0)))

    def merge(self, other: "RunningMoments") -> None:
        """Adds everything that `other` has seen."""
        count = self.count + other.count
        if not count:
            return
        distance = other.mean - self.mean
        self.mean = self.mean + distance * (other.count / count)
        between = distance.square() * (self.count * other.count / count)
        self.squares = self.squares + other.squares + between
        self.count = count

    @property
    def std(self) -> Tensor:
        """Population standard deviation (D,), float64."""
        return (self.squares / max(self.count, 1)).sqrt()

    def to_normalizer(self) -> LatentNormalizer:
        """The normaliser of these statistics. Raises DataError if a channel does not vary."""
        if self.count < 2:
            raise DataError(
                f"statistics of {self.count} latents; expected at least 2 to have a std"
            )
        still = self.std <= MIN_RELATIVE_STD * self.mean.abs()
        if bool(still.any()):
            channels = still.nonzero().flatten().tolist()
            raise DataError(
                f"latent channels {channels} are constant over {self.count} latents; expected "
                "channels that vary, give more varied data or check that the codec is trained"
            )
        normalizer = LatentNormalizer(len(self.mean))
        normalizer.mean.copy_(self.mean)
        normalizer.std.copy_(self.std)
        return normalizer
