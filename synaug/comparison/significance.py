"""The four outcomes of a comparison, and the level at which they are told."""

from typing import Any

import numpy as np
import pandas as pd

# Of the tests. What is asked of intervals follows from it.
LEVEL = 0.05
CONFIDENCE = 1 - LEVEL
INTERVAL = f"{100 * CONFIDENCE:g} %"
# How often a test shall find a difference, where it is said how large that must be.
POWER = 0.8
# Differences up to it are of no practical importance, unless somebody says otherwise.
ROPE = 0.01
BETTER, WORSE, EQUIVALENT, INCONCLUSIVE = OUTCOMES = ("better", "worse", "equivalent", "inconclusive")
# As a page or a file explains them, once; `rope` is the region of practical equivalence.
DEFINITIONS = {
    EQUIVALENT: "the whole interval lies within the region of practical equivalence, at the level of all comparisons "
    "of the family at once, which is wider than the one beside p where there are several",
    BETTER: "the whole interval lies above 0, and not all of it within that region",
    WORSE: "the whole interval lies below 0, and not all of it within that region",
    INCONCLUSIVE: "the interval contains 0 and reaches outside that region; or it lies within it, and the wider one of "
    "the whole family does not",
}


def outcomes(comparisons: pd.DataFrame, rope: float) -> "pd.Series[Any]":
    """Tell the outcome by intervals.

    An interval excludes 0 exactly where Holm's p is below `LEVEL` (`synaug.comparison.multiplicity`), so words,
    interval and p agree. A difference that lies within the region of practical equivalence is no win, however
    significant it is.

    Holm's steps are those of the hypothesis that a difference is 0, and the comparisons that are nearest to it are
    corrected least. That is no correction of the opposite claim, which is made of just these. Equivalence is claimed
    by the interval at the level of the whole family (Bonferroni), so that with a probability of 1 − `LEVEL` none of
    its comparisons is called equivalent whose true difference lies outside the region.

    Parameters
    ----------
    comparisons
        `low`, `high`, `low_family` and `high_family` of `synaug.comparison.stats.compare`; NaN where there is no test:
        inconclusive.
    rope
        Half the width of the region of practical equivalence.
    """
    low, high = comparisons["low"], comparisons["high"]
    is_equivalent = (comparisons["low_family"] >= -rope) & (comparisons["high_family"] <= rope)
    matters = (low < -rope) | (high > rope)
    names = np.select(
        [is_equivalent, (low > 0) & matters, (high < 0) & matters], [EQUIVALENT, BETTER, WORSE], INCONCLUSIVE
    )
    return pd.Series(names, index=comparisons.index, dtype="str")
