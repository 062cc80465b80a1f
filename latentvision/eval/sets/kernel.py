"""The kernel distance between two sets of images; over Inception's features, the KID.

It is the squared maximum mean discrepancy with the kernel (x y / F + 1)^3, unbiased, averaged over
subsets of both sets (Binkowski et al. 2018, arXiv 1801.01401), by torch-fidelity. Unlike Frechet's
distance it may be measured on few images. F features.
"""

import statistics

from latentspeech.core.errors import InputError
from latentvision.eval.sets.measure import (
    NUM_GROUPS,
    FeatureSet,
    Measured,
    groups_interval,
    random_groups,
)

_NUM_SUBSETS = 100
_SUBSET_SIZE = 1000  # as published, where the sets are large enough
_SUBSETS_OF_GROUP = 10
_FEWEST = 2 * NUM_GROUPS  # every group needs two images


def kernel_distance(samples: FeatureSet, reference: FeatureSet, seed: int = 0) -> Measured:
    """The distance; beside it the deviation over subsets, which papers print after +-.

    Args:
        samples: the set under test.
        reference: the set that it is compared with.
        seed: decides the subsets, and the groups of the interval.

    Raises:
        InputError: a set has fewer than 20 images.
    """
    from torch_fidelity.metric_kid import (
        KEY_METRIC_KID_MEAN,
        KEY_METRIC_KID_STD,
        kid_features_to_metric,
    )

    for images in (samples, reference):
        if len(images) < _FEWEST:
            raise InputError(
                f"{images.name} has {len(images)} images; expected at least {_FEWEST}: give more"
            )
    size = min(_SUBSET_SIZE, len(samples), len(reference))
    found = kid_features_to_metric(
        samples.features,
        reference.features,
        kid_subsets=_NUM_SUBSETS,
        kid_subset_size=size,
        rng_seed=seed,
        verbose=False,
    )
    of_groups = []
    for group in random_groups(len(samples), seed):
        one = kid_features_to_metric(
            samples.features[group],
            reference.features,
            kid_subsets=_SUBSETS_OF_GROUP,
            kid_subset_size=min(size, len(group)),
            rng_seed=seed,
            verbose=False,
        )
        of_groups.append(one[KEY_METRIC_KID_MEAN])
    value = found[KEY_METRIC_KID_MEAN]
    return Measured(
        value,
        groups_interval(value, statistics.pstdev(of_groups), NUM_GROUPS),
        beside={"deviation over subsets": found[KEY_METRIC_KID_STD]},
        facts={"subsets": f"{_NUM_SUBSETS} of {size} images"},
    )
