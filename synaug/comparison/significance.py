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
    EQUIVALENT: "the whole interval lies within the region of practical equivalence",
    BETTER: "the whole interval lies above 0, and not all of it within that region",
    WORSE: "the whole interval lies below 0, and not all of it within that region",
    INCONCLUSIVE: "the interval contains 0 and reaches outside that region",
}


def outcomes(comparisons: pd.DataFrame, rope: float) -> "pd.Series[Any]":
    """Tell the outcome by the interval alone: the one that is printed beside it.

    An interval excludes 0 exactly where Holm's p is below `LEVEL` (`synaug.comparison.multiplicity`), so words,
    interval and p agree. A difference that surely lies within the region of practical equivalence is no win, however
    significant it is.

    Parameters
    ----------
    comparisons
        `low` and `high` of `synaug.comparison.stats.compare`; NaN where there is no test: inconclusive.
    rope
        Half the width of the region of practical equivalence.
    """
    low, high = comparisons["low"], comparisons["high"]
    names = np.select([(low >= -rope) & (high <= rope), low > 0, high < 0], [EQUIVALENT, BETTER, WORSE], INCONCLUSIVE)
    return pd.Series(names, index=comparisons.index, dtype="str")
