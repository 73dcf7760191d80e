"""The four outcomes of a comparison, and the level at which they are told."""

from typing import Any

import numpy as np
import pandas as pd

# Of the tests. What is asked of intervals and of the posterior follows from it.
LEVEL = 0.05
CONFIDENCE = 1 - LEVEL
INTERVAL = f"{100 * CONFIDENCE:g} %"
# Differences up to it are of no practical importance, unless somebody says otherwise.
ROPE = 0.01
BETTER, WORSE, EQUIVALENT, INCONCLUSIVE = OUTCOMES = ("better", "worse", "equivalent", "inconclusive")


def outcomes(comparisons: pd.DataFrame) -> "pd.Series[Any]":
    """Tell equivalent by the posterior, better and worse by Holm's p; what neither tells is inconclusive.

    A difference that surely lies within the region of practical equivalence is no win, however significant it is.

    Parameters
    ----------
    comparisons
        `gain`, `p_holm` and `p_equivalent` of `synaug.comparison.stats.compare`; NaN where there is no test.
    """
    significant = comparisons["p_holm"] < LEVEL
    names = np.select(
        [comparisons["p_equivalent"] >= CONFIDENCE, significant & (comparisons["gain"] > 0), significant],
        [EQUIVALENT, BETTER, WORSE],
        INCONCLUSIVE,
    )
    return pd.Series(names, index=comparisons.index, dtype="str")
