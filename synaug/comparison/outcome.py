"""The four outcomes of a comparison, and the level at which they are told."""

from collections.abc import Mapping
from typing import Any

# Of the tests. What is asked of intervals and of the posterior follows from it.
LEVEL = 0.05
CONFIDENCE = 1 - LEVEL
INTERVAL = f"{100 * CONFIDENCE:g} %"
BETTER, WORSE, EQUIVALENT, INCONCLUSIVE = OUTCOMES = ("better", "worse", "equivalent", "inconclusive")


def outcome(row: Mapping[str, Any]) -> str:
    """Tell equivalent by the posterior, better and worse by Holm's p; what neither tells is inconclusive.

    A difference that surely lies within the region of practical equivalence is no win, however significant it is.
    """
    if row["p_equivalent"] >= CONFIDENCE:
        return EQUIVALENT
    if row["p_holm"] < LEVEL:
        return BETTER if row["gain"] > 0 else WORSE
    return INCONCLUSIVE
