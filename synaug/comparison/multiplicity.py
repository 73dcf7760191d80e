"""Several comparisons at once: Holm's step-down, and intervals that agree with it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


class Adjusted(NamedTuple):
    """What `holm` returns, arrays `[m]`.

    Attributes
    ----------
    p
        Adjusted p-values.
    factor
        By how much each raw p-value was multiplied, before it was cut off at 1: as many comparisons as the step
        corrected for, or more, where an earlier step decided.
    """

    p: Array
    factor: Array


def holm(p: ArrayLike) -> Adjusted:
    """Adjust p-values by the step-down procedure of Holm (1979); NaN is no comparison and stays NaN.

    Notes
    -----
    An interval at the level α / factor excludes 0 exactly where the adjusted p is below α, as both say that the raw p
    is below α / factor. So a p-value and an interval that stand in one sentence are adjusted alike (Ludbrook 2000
    has the intervals). What holds for them: each interval covers its own difference with a probability of at least
    1 − α, as none is narrower than the interval of one comparison alone; and the probability that any interval of a
    true difference of 0 excludes 0 is at most α, as with Holm. That all intervals cover at once with a probability of
    1 − α is not claimed: such intervals (Guilbaud 2008) tell of a rejected comparison little but its sign, unless
    all are rejected. Equivalence, which several intervals within a region would claim at once, is told by others
    (`synaug.comparison.significance.outcomes`).

    References
    ----------
    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979.
    Ludbrook, "Multiple inferences using confidence intervals", Clinical and Experimental Pharmacology and Physiology
    27, 2000. Guilbaud, "Simultaneous confidence regions corresponding to Holm's step-down procedure and other
    closed-testing procedures", Biometrical Journal 50, 2008.
    """
    raw = np.asarray(p, dtype=np.float64)
    order = np.argsort(raw)[: np.count_nonzero(~np.isnan(raw))]
    steps = np.arange(len(order), 0, -1.0)
    in_order = raw[order]
    # statsmodels' multipletests gives the same p, and collects garbage at every call, which takes 0.1 s.
    reached = np.maximum.accumulate(in_order * steps)
    factors = np.maximum(steps, np.divide(reached, in_order, out=steps.copy(), where=in_order > 0))
    adjusted, factor = np.full_like(raw, np.nan), np.full_like(raw, np.nan)
    adjusted[order], factor[order] = np.minimum(reached, 1), factors
    return Adjusted(adjusted, factor)
