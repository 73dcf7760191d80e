"""What a run promises of a method: the mean of its outer test scores, with an interval."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synaug.comparison.choices import SPLIT, TAKEN
from synaug.comparison.labels import METHOD
from synaug.comparison.stats import corrected_t_test, intervals
from synaug.record.shapes import range_of
from synaug.scores.needs import COST

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
        low, high = map(float, intervals(mean, error, len(known), within=range_of_measure(metric)))
        is_known = bool(np.isfinite(low))
        ends = {"low": low if is_known else None, "high": high if is_known else None}
        found.append(Estimate(metric, label, float(mean), n_splits=len(known), **ends))
    return found


def range_of_measure(name: str) -> tuple[float, float]:
    """The least and the largest value of a metric, or of what a need is judged by."""
    return (0.0, np.inf) if name == COST else range_of(name)


def of_rule(scores: pd.DataFrame, rule: str) -> Scores:
    """Scores of one run under a rule, of a frame with the columns decision, metric, class, value."""
    return _by_metric(scores[scores["decision"] == rule])


def chosen_anew(choices: pd.DataFrame, scores: pd.DataFrame, rule: str | None = None) -> Scores:
    """Scores of whatever is chosen in each split, so that they have the choice of the method in them.

    Parameters
    ----------
    choices
        Rows of `synaug.comparison.choices.choose`: which method is taken in each split.
    scores
        Of these methods: augmenter, loss, decision, seed, fold, metric, class, value.
    rule
        Under which they are judged; None: under the rule that is taken with the method.
    """
    taken = choices[[*TAKEN, *SPLIT]].rename(columns=dict(zip(TAKEN, METHOD, strict=True)))
    if rule is not None:
        taken = taken.assign(decision=rule)
    names = dict.fromkeys(METHOD, "str")
    scored = scores[[*METHOD, *SPLIT, "metric", "class", "value"]]
    return _by_metric(taken.astype(names).merge(scored.astype(names), on=[*METHOD, *SPLIT]))


def _by_metric(rows: pd.DataFrame) -> Scores:
    found: dict[tuple[str, str | None], list[float]] = defaultdict(list)
    for metric, label, value in zip(
        rows["metric"].tolist(), rows["class"].astype(object).tolist(), rows["value"].tolist(), strict=True
    ):
        found[metric, label if isinstance(label, str) else None].append(np.nan if value is None else value)
    return {key: np.array(values, dtype=np.float64) for key, values in found.items()}
