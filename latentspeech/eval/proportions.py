"""Wilson's interval of a proportion (Wilson, 1927, JASA 22(158)).

Good where few or none of the trials succeed, unlike value +- 1.96 standard errors. Trials are taken
as independent: those of one voice are more alike, so between voices it is too narrow.
"""

import math
from statistics import NormalDist

from latentspeech.core.eval.report import Interval
from latentspeech.core.eval.statistics import CONFIDENCE


def wilson_interval(successes: int, trials: int, confidence: float = CONFIDENCE) -> Interval:
    """Between which proportions the true one lies; ValueError for counts that cannot be."""
    if not (trials > 0 and 0 <= successes <= trials):
        raise ValueError(f"{successes} of {trials}; expected 0 <= successes <= trials, trials > 0")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = successes / trials
    scale = 1 + z**2 / trials
    middle = (share + z**2 / (2 * trials)) / scale
    half = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2)) / scale
    # At the ends the bounds are exact; rounding must not move them.
    low = 0.0 if successes == 0 else middle - half
    high = 1.0 if successes == trials else middle + half
    return low, high
