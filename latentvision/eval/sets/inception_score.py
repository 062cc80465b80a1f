"""The Inception Score of a set of images: exp E KL(p(class | image) || p(class)).

Salimans et al. 2016, arXiv 1606.03498; by torch-fidelity, as the mean over ten parts of the set.
It knows no reference: it asks whether single images are recognised and classes are many. C classes.
"""

from torch import Tensor

from latentspeech.core.errors import InputError
from latentvision.eval.sets.measure import Measured, groups_interval

_NUM_SPLITS = 10


def inception_score(logits: Tensor, name: str, seed: int = 0) -> Measured:
    """The score; beside it the deviation over the parts, which papers print after +-.

    Args:
        logits: (N, C) of the classes that the network knows.
        name: name of the set, for messages.
        seed: decides the parts.

    Raises:
        InputError: there are fewer images than parts.
    """
    from torch_fidelity.metric_isc import (
        KEY_METRIC_ISC_MEAN,
        KEY_METRIC_ISC_STD,
        isc_features_to_metric,
    )

    if len(logits) < _NUM_SPLITS:
        raise InputError(
            f"{name} has {len(logits)} images; expected at least {_NUM_SPLITS}: give more"
        )
    found = isc_features_to_metric(logits, splits=_NUM_SPLITS, rng_seed=seed)
    value, deviation = found[KEY_METRIC_ISC_MEAN], found[KEY_METRIC_ISC_STD]
    return Measured(
        value,
        groups_interval(value, deviation, _NUM_SPLITS),
        beside={"deviation over parts": deviation},
        facts={"parts": _NUM_SPLITS},
    )
