"""The Frechet distance between two sets of images in the features of a fixed network.

    ||m_1 - m_2||^2 + tr(C_1 + C_2 - 2 (C_1 C_2)^(1/2))

m are the means and C the covariances of the features (Heusel et al. 2017, arXiv 1706.08500). Over
Inception's features it is the FID; between pictures and their copies, the rFID. The formula is
computed by torch-fidelity. A number depends on the network, the reference set and both sizes, so
its description states all of them.

B images, F features.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from latentspeech.core.errors import InputError
from latentspeech.core.eval.report import MetricResult
from latentspeech.core.eval.scorer import MetricUnavailable, package_version, require_packages
from latentvision.eval.features import Features
from latentvision.images.transforms import to_pixels


class ImageSet(NamedTuple):
    """A set of images and the name that stands for it in every number."""

    name: str
    batches: Iterable[Tensor]  # images (B, 3, H, W) in [-1, 1]


class FrechetDistance:
    """The distance from a reference set, whose statistics are computed once."""

    unit = ""
    higher_is_better = False

    def __init__(
        self, features: Features, reference: ImageSet, device: torch.device | str = "cpu"
    ) -> None:
        """Raises InputError if the set has no more images than there are features."""
        require_packages(features.title, {"torch_fidelity": "torch-fidelity"})
        self.name = features.title
        self._features = features.to(device)
        self._device = device
        self._reference = reference.name
        self._statistics, self._num_reference = self._measure(reference)

    def describe(self, num_samples: int) -> dict[str, Any]:
        """Everything that the number depends on."""
        return {
            **self._features.description,
            "reference": self._reference,
            "num_reference": self._num_reference,
            "num_samples": num_samples,
            "formula": package_version("torch-fidelity"),
        }

    def measure(self, samples: ImageSet, key: str = "") -> MetricResult:
        """The distance of a set from the reference.

        Args:
            samples: the images under test.
            key: the metric's name on the command line.

        Raises:
            InputError: the set has no more images than there are features, so that its covariance
                would be singular.
        """
        from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_statistics_to_metric

        statistics, count = self._measure(samples)
        value = fid_statistics_to_metric(self._statistics, statistics, verbose=False)
        return MetricResult(
            key=key,
            name=self.name,
            unit=self.unit,
            higher_is_better=self.higher_is_better,
            held_against=f"{self._num_reference} images of {self._reference}",
            value=float(value[KEY_METRIC_FID]),
            interval=None,
            group_interval=None,
            num_scored=count,
            num_failed=0,
            totals={},
            description=self.describe(count),
        )

    def _measure(self, images: ImageSet) -> tuple[dict[str, Any], int]:
        """Mean (F,) and covariance (F, F) of a set's features in float64, and its size."""
        count, size = 0, self._features.num_features
        total = torch.zeros(size, dtype=torch.float64, device=self._device)
        products = torch.zeros(size, size, dtype=torch.float64, device=self._device)
        for batch in images.batches:
            found = self._features(to_pixels(batch).to(self._device)).double()  # (B, F)
            total += found.sum(dim=0)
            products += found.T @ found
            count += len(found)
        if count <= size:
            raise InputError(
                f"{self.name}: {images.name} has {count} images; expected more than {size}, the "
                "number of features: give more images, or another network"
            )
        mean = total / count
        covariance = (products - count * torch.outer(mean, mean)) / (count - 1)
        return {"mu": mean.cpu().numpy(), "sigma": covariance.cpu().numpy()}, count


def frechet_hole(title: str, reason: MetricUnavailable | InputError) -> MetricResult:
    """The row of a distance that could not be measured on this machine."""
    return MetricResult(
        key="",
        name=title,
        unit="",
        higher_is_better=False,
        held_against="nothing",
        value=None,
        interval=None,
        group_interval=None,
        num_scored=0,
        num_failed=0,
        totals={},
        description={},
        hole=str(reason),
    )
