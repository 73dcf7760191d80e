"""Comparison of methods across scenarios, by ranks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scikit_posthocs import posthoc_nemenyi_friedman
from scipy import stats

from synaug.comparison.choices import DECIMALS
from synaug.comparison.labels import Method, Scenario
from synaug.comparison.significance import LEVEL

FEW_SCENARIOS = 10
TOO_FEW_SCENARIOS = 5


@dataclass(frozen=True, eq=False)
class Ranking:
    """Methods ranked over scenarios (Demšar 2006); what cannot be computed is NaN.

    Attributes
    ----------
    scenarios, methods
        What was ranked.
    mean_ranks
        Of each method; 1 is best, equals share the mean of their ranks.
    friedman
        Friedman's χ², corrected for ties.
    iman_davenport_f, iman_davenport_p
        Its less conservative form with k − 1 and (k − 1)(N − 1) degrees of freedom (Iman and
        Davenport 1980).
    nemenyi
        p-values `[method, method]` of Nemenyi's test of mean ranks.
    critical_difference
        Mean ranks that differ by as much differ at the level `alpha` (Nemenyi).
    alpha
        That level.
    cautions
        Sentences on what the numbers cannot bear.
    """

    scenarios: tuple[Scenario, ...]
    methods: tuple[Method, ...]
    mean_ranks: pd.Series
    friedman: float
    iman_davenport_f: float
    iman_davenport_p: float
    nemenyi: pd.DataFrame
    critical_difference: float
    alpha: float
    cautions: tuple[str, ...]


def rank(values: pd.DataFrame, datasets: Mapping[Scenario, str], *, higher_is_better: bool = True) -> Ranking:
    """Rank methods over scenarios.

    Parameters
    ----------
    values
        One value for each `[scenario, method]`. A scenario that lacks one is left out.
    datasets
        The data set of each scenario.
    higher_is_better
        False for losses.

    References
    ----------
    Demšar, "Statistical comparisons of classifiers over multiple data sets", Journal of Machine
    Learning Research 7, 2006.
    """
    complete = values.dropna().round(DECIMALS)
    n, k = complete.shape
    ranks = complete.rank(axis=1, ascending=not higher_is_better)
    friedman = _friedman(complete, ranks)
    f, f_p = _iman_davenport(friedman, n, k)
    methods: Any = values.columns
    pairs = n >= 2 and k >= 2
    nemenyi = posthoc_nemenyi_friedman(complete.to_numpy()) if pairs else pd.DataFrame(np.full((k, k), np.nan))
    return Ranking(
        scenarios=tuple(complete.index.tolist()),
        methods=tuple(methods),
        mean_ranks=ranks.mean(),
        friedman=friedman,
        iman_davenport_f=f,
        iman_davenport_p=f_p,
        nemenyi=nemenyi.set_axis(methods).set_axis(methods, axis=1),
        critical_difference=_critical_difference(n, k) if pairs else np.nan,
        alpha=LEVEL,
        cautions=tuple(_cautions(complete, datasets)),
    )


def _friedman(complete: pd.DataFrame, ranks: pd.DataFrame) -> float:
    n, k = ranks.shape
    if n < 2 or k < 3:
        return np.nan
    if (ranks == (k + 1) / 2).all(axis=None):  # scipy would divide by zero
        return 0.0
    return float(stats.friedmanchisquare(*complete.to_numpy().T).statistic)


def _iman_davenport(friedman: float, n: int, k: int) -> tuple[float, float]:
    if np.isnan(friedman):
        return np.nan, np.nan
    rest = n * (k - 1) - friedman
    f = (n - 1) * friedman / rest if rest > 1e-9 else np.inf  # all scenarios rank alike
    return f, float(stats.f.sf(f, k - 1, (k - 1) * (n - 1)))


def _critical_difference(n: int, k: int) -> float:
    q = stats.studentized_range.ppf(1 - LEVEL, k, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(k * (k + 1) / (6 * n)))


def _cautions(complete: pd.DataFrame, datasets: Mapping[Scenario, str]) -> list[str]:
    n, k = complete.shape
    scenarios = "1 complete scenario" if n == 1 else f"{n} complete scenarios"
    n_datasets = len({datasets[scenario] for scenario in complete.index})
    sentences: list[str] = []
    if not n:
        return sentences  # there is no ranking
    if n < TOO_FEW_SCENARIOS:
        sentences.append(f"With {scenarios} this ranking describes, it does not test.")
    elif n < FEW_SCENARIOS:
        sentences.append(
            f"With {scenarios}, fewer than {FEW_SCENARIOS}, only large differences between methods can be shown."
        )
    if n > n_datasets:
        sentences.append(
            f"The {scenarios} come from {'1 data set' if n_datasets == 1 else f'{n_datasets} data sets'}; scenarios "
            "that share a data set are not independent, so the p-values of the ranks are too small."
        )
    if k < 3:
        sentences.append(f"Friedman's test needs 3 methods, and {k} {'was' if k == 1 else 'were'} ranked.")
    return sentences
