"""How large a difference must be to be found: before a sweep from the number of rows, after it from the spread."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.optimize import brentq

from synaug.comparison.formatting import counted
from synaug.comparison.significance import LEVEL, POWER

# On which share of the test rows one of two methods is right and the other wrong, where nobody knows better: of folds
# of 200 to 400 rows, differences then spread by about 2 points from split to split, as they mostly do.
DISAGREEMENT = 0.1
# The part of a difference found with a probability of `POWER` that is found in about every second experiment, which is
# 1.96 / 2.80 of ever so many splits.
EVERY_SECOND = 0.7
ROUNDING = 1e-9


def variance_factor(n_splits: int, n_folds: int) -> float:
    """The variance of the mean difference in variances of one split's: 1 / n + ρ / (1 − ρ), with ρ = 1 / k.

    Nadeau and Bengio (2003), section 3.2. The first part falls with every split; the second is for training sets that
    overlap, which more seeds do not mend.
    """
    return 1 / n_splits + floor_factor(n_folds)


def floor_factor(n_folds: int) -> float:
    """What is left of `variance_factor` however many seeds there are: ρ / (1 − ρ)."""
    return 1 / (n_folds - 1)


@lru_cache(maxsize=4096)
def detectable_in_errors(degrees: int, level: float = LEVEL) -> float:
    """The true difference, in standard errors, that a two-sided t-test finds with a probability of `POWER`.

    The noncentrality at which the noncentral t-distribution has that much beyond either critical value (Cohen 1988).

    Parameters
    ----------
    degrees
        Degrees of freedom; 0 stands for infinitely many.
    level
        Of the test.
    """
    if not degrees:
        return float(stats.norm.ppf(1 - level / 2) + stats.norm.ppf(POWER))
    critical = stats.t.ppf(1 - level / 2, degrees)

    def missing(noncentrality: float) -> float:
        # What lies beyond the other critical value is below a millionth, and scipy has NaN for it.
        return float(POWER - stats.nct.sf(critical, degrees, noncentrality))

    # Of ever so many degrees the answer is the critical value and a quantile of a normal; of few it lies further out.
    most = critical + 1
    while missing(most) > 0:
        most *= 1.2
    return float(brentq(missing, 0, most))


class Detectable(NamedTuple):
    """What a comparison finds with a probability of `POWER`, if it is there: one number, or arrays of them.

    Attributes
    ----------
    difference
        With the splits that there are.
    with_any_seeds
        With the same rows and folds and ever so many seeds: below it, only more rows help.
    """

    difference: Any
    with_any_seeds: Any


def after(error: ArrayLike, n_splits: ArrayLike, n_folds: ArrayLike, factor: ArrayLike) -> Detectable:
    """The differences that corrected t-tests would have found, given the spread that they saw.

    Parameters
    ----------
    error
        Corrected standard errors of the means `[c]`, of `synaug.comparison.stats.corrected_t_test`.
    n_splits, n_folds
        Of each `[c]`.
    factor
        By which Holm multiplied each p-value `[c]`; rounded up, as each number of them takes a search; NaN is 1.

    Returns
    -------
    Detectable
        Arrays `[c]`, NaN where the error is.
    """
    splits, folds, steps = np.asarray(n_splits), np.asarray(n_folds), np.ceil(np.nan_to_num(factor, nan=1.0) - ROUNDING)
    tests = list(zip(splits.tolist(), folds.tolist(), steps.tolist(), strict=True))
    with_these = np.array([detectable_in_errors(max(n - 1, 1), LEVEL / step) for n, _, step in tests])
    least = np.array(
        [
            np.sqrt(floor_factor(k) / variance_factor(n, k)) * detectable_in_errors(0, LEVEL / step)
            if n and k > 1
            else np.nan
            for n, k, step in tests
        ]
    )
    return Detectable(np.asarray(error) * with_these, np.asarray(error) * least)


def sentence_before(test_rows: ArrayLike, n_folds: int, n_seeds: int) -> str:
    """What an experiment can show, in two sentences, from `power_before`.

    Parameters
    ----------
    test_rows
        Of each class in a fold, in the mean over folds, `[n_classes]`.
    n_folds, n_seeds
        As in `power_before`.
    """
    of_classes = np.asarray(test_rows, dtype=np.float64)
    # The mean of C recalls, each of n_c rows, varies as an accuracy of C² / Σ 1 / n_c rows; of equal classes, of all.
    found = power_before(len(of_classes) ** 2 / (1 / of_classes).sum(), n_folds, n_seeds)
    points, n_test_rows, fewest = 100 * found.difference, round(of_classes.sum()), round(of_classes.min())
    smallest = f" ({fewest} of the smallest class)" if fewest < round(of_classes.max()) else ""
    return (
        f"{counted(n_folds, 'fold')} of {counted(n_test_rows, 'test row')}{smallest} and {counted(n_seeds, 'seed')} "
        f"find a true difference of about {points:.1f} points of balanced accuracy with a probability of "
        f"{100 * POWER:g} %, and one of {EVERY_SECOND * points:.1f} points half of the time. This holds for one "
        f"scenario alone, if methods disagree on {100 * DISAGREEMENT:g} % of the rows; more seeds can lower the "
        f"{points:.1f} points to about {100 * found.with_any_seeds:.1f} at best"
    )


def power_before(n_test_rows: float, n_folds: int, n_seeds: int, disagreement: float = DISAGREEMENT) -> Detectable:
    """The differences of accuracy that an experiment will find, from the number of its rows alone.

    Two methods that are right and wrong by turns on a share d of the rows, and differ by δ in accuracy, differ on each
    row by a number of variance d − δ² (as in McNemar's test: Connor 1987; Card et al. 2020 use it for NLP). A fold of n
    rows has a variance of (d − δ²) / n; folds and seeds add up as in the corrected t-test, whose noncentral t gives δ.

    Parameters
    ----------
    n_test_rows
        Of one fold.
    n_folds
        At least 2.
    n_seeds
        At least 1.
    disagreement
        d. A difference cannot be larger.

    Notes
    -----
    An expectation, and rather a hopeful one: beside the drawing of test rows, which it has, training sets and initial
    weights make differences vary. `after` has all of it.

    References
    ----------
    Connor, "Sample size for testing differences in proportions for the paired-sample design", Biometrics 43, 1987.
    Card et al., "With little power comes great responsibility", EMNLP 2020. Nadeau and Bengio, "Inference for the
    generalization error", Machine Learning 52, 2003.
    """
    n_splits = n_folds * n_seeds

    def found(factor: float, errors: float) -> float:
        # δ² = errors² · factor · (d − δ²) / n, solved for δ.
        share = errors**2 * factor / n_test_rows
        return float(np.sqrt(disagreement * share / (1 + share)))

    return Detectable(
        found(variance_factor(n_splits, n_folds), detectable_in_errors(n_splits - 1)),
        found(floor_factor(n_folds), detectable_in_errors(0)),
    )
