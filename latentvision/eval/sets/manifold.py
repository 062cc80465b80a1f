"""Precision and recall of a set of images: how many look real, and how much of reality is covered.

Precision is the share of samples that lie among the reference: no farther from some reference image
than that image's k-th nearest other one. Recall is the share of reference images that lie among the
samples in the same way (Kynkaanniemi et al. 2019, arXiv 1904.06991, k = 3; by torch-fidelity).
"""

import functools
from typing import NamedTuple

from latentspeech.core.errors import InputError
from latentvision.eval.sets.measure import FeatureSet, Measured

NUM_NEIGHBOURS = 3


class _Shares(NamedTuple):
    precision: float
    recall: float


def precision(samples: FeatureSet, reference: FeatureSet, seed: int = 0) -> Measured:
    """The share of samples among the reference; nothing is drawn, so `seed` has no effect."""
    return Measured(_shares(samples, reference).precision, facts={"neighbours": NUM_NEIGHBOURS})


def recall(samples: FeatureSet, reference: FeatureSet, seed: int = 0) -> Measured:
    """The share of reference images among the samples; `seed` has no effect."""
    return Measured(_shares(samples, reference).recall, facts={"neighbours": NUM_NEIGHBOURS})


@functools.lru_cache(maxsize=1)
def _shares(samples: FeatureSet, reference: FeatureSet) -> _Shares:
    """Both at once, since the library computes both."""
    from torch_fidelity.metric_prc import (
        KEY_METRIC_PRECISION,
        KEY_METRIC_RECALL,
        prc_features_to_metric,
    )

    for images in (samples, reference):
        if len(images) <= NUM_NEIGHBOURS:
            raise InputError(
                f"{images.name} has {len(images)} images; expected more than {NUM_NEIGHBOURS}, "
                "the number of neighbours: give more"
            )
    found = prc_features_to_metric(
        samples.features,
        reference.features,
        prc_neighborhood=NUM_NEIGHBOURS,
        save_cpu_ram=True,
        verbose=False,
    )
    return _Shares(found[KEY_METRIC_PRECISION], found[KEY_METRIC_RECALL])
