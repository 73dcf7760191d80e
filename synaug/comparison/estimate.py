"""What a run promises of a method: the mean of its outer test scores, with an interval."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synaug.comparison.stats import corrected_t_test, intervals
from synaug.record.shapes import range_of

Scores = Mapping[tuple[str, str | None], NDArray[np.float64]]


@dataclass(frozen=True)
class Estimate:
    """A score of rows that did not train, over the splits of a run.

    Attributes
    ----------
    metric, label
        The score, and the class that it is of; None for all classes.
    value, low, high
        Mean over splits, and the ends of its 95 % interval; None where there is none, as of one split.
    n_splits
        How many.
    """

    metric: str
    label: str | None
    value: float
    low: float | None
    high: float | None
    n_splits: int


def estimates(scores: Scores, n_folds: int) -> list[Estimate]:
    """Means over splits, with intervals that know that training sets overlap (Nadeau and Bengio 2003).

    Parameters
    ----------
    scores
        By metric and class, one value a split.
    """
    found = []
    for (metric, label), values in scores.items():
        known = values[np.isfinite(values)]
        if not len(known):
            continue
        mean, error, *_ = corrected_t_test(known, n_folds)
        low, high = map(float, intervals(mean, error, len(known), within=range_of(metric)))
        is_known = bool(np.isfinite(low))
        ends = {"low": low if is_known else None, "high": high if is_known else None}
        found.append(Estimate(metric, label, float(mean), n_splits=len(known), **ends))
    return found


def of_rule(scores: pd.DataFrame, rule: str) -> Scores:
    """Scores of one run under a rule, of a frame with the columns decision, metric, class, value."""
    rows = scores[scores["decision"] == rule]
    found: dict[tuple[str, str | None], list[float]] = defaultdict(list)
    for metric, label, value in zip(
        rows["metric"].tolist(), rows["class"].astype(object).tolist(), rows["value"].tolist(), strict=True
    ):
        found[metric, label if isinstance(label, str) else None].append(np.nan if value is None else value)
    return {key: np.array(values, dtype=np.float64) for key, values in found.items()}
