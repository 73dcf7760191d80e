"""Paired comparison inside a scenario, pure functions of a DataFrame.

A split is one (seed, fold); methods, scenarios and the two references are those of `synaug.comparison.labels`.
Comparison across scenarios is in `synaug.comparison.ranking`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from synaug.comparison import power
from synaug.comparison.choices import DECIMALS, KEY, KINDS, SPLIT
from synaug.comparison.labels import ARGMAX, CHOSEN, METHOD, PICKED, REFERENCES, Method, methods_of
from synaug.comparison.multiplicity import holm
from synaug.comparison.significance import LEVEL, ROPE, outcomes
from synaug.errors import UserError
from synaug.record.shapes import range_of
from synaug.scores.decision import ARGMAX_CHOSEN_STEP

TESTED = [
    *("value", "value_std", "reference_value", "gain", "error", "t", "p_raw", "p_wilcoxon", "p_paired_t"),
    *("effect", "p_worse", "p_equivalent", "p_better"),
]
COLUMNS = [
    *("scenario", *METHOD, "with_synthesis", "reference", "family", "n_comparisons"),
    *("n_splits", "n_seeds", "n_folds", "rho", *TESTED[:4], "low", "high", "p_holm", "outcome"),
    *("detectable", "detectable_any_seeds"),
    *("low_family", "high_family", "low_raw", "high_raw", "p_raw", "error", "t", *TESTED[7:], "missing"),
]
ENDS = ("low", "high", "low_family", "high_family", "low_raw", "high_raw")  # of intervals
# The question of a scenario; two that are planned, too, against the baseline; all methods one by one, by argmax and
# with their rules chosen; and all methods under one rule more.
PRIMARY, PLANNED, SECONDARY, OF_A_RULE = "primary", "planned", "secondary", "of_a_rule"
SECONDARY_RULES = (ARGMAX, CHOSEN)
# Up to here `signed_rank_test` is exact: 2^50 signs are counted without rounding in float64.
EXACT_RANKS = 50

Array = NDArray[np.float64]


class CorrectedTTest(NamedTuple):
    """What `corrected_t_test` returns, arrays `[...]`: mean, its standard error, t, and the two-sided p."""

    mean: Array
    error: Array
    t: Array
    p: Array


def corrected_t_test(differences: ArrayLike, n_folds: int) -> CorrectedTTest:
    """Test the mean of the differences of r × k folds, whose training sets overlap.

    The variance of the mean is s² · (1 / n + ρ / (1 − ρ)) with ρ = 1 / k, the share of the rows that
    test (Nadeau and Bengio 2003, section 3.2, where it is n₂ / n₁; Bouckaert and Frank 2004 for r × k
    folds), and t has n − 1 degrees of freedom.

    Parameters
    ----------
    differences
        `[..., n]`, n = r · k, or fewer where splits are missing.
    n_folds
        k.

    Returns
    -------
    CorrectedTTest
        NaN, but for the mean, where n or k is below 2. Where all differences are the same there is
        no variance: t is ±inf and p 0, or t is 0 and p 1 if they are all 0.

    Notes
    -----
    A correction, not a proof: no unbiased estimate of that variance exists. Simulated with two equal
    learners, it rejected at 5 % in 1 % of the data sets (1 × 10 folds) to 4–6 % (10 × 10) of stable
    learners, and in 3 % to 10 % of 1-nearest-neighbour; the plain paired t-test in 5 % to 60 %.

    References
    ----------
    Nadeau and Bengio, "Inference for the generalization error", Machine Learning 52, 2003. Bouckaert
    and Frank, "Evaluating the replicability of significance tests for comparing learning algorithms",
    PAKDD 2004.
    """
    values = np.asarray(differences, dtype=np.float64)
    n = values.shape[-1]
    mean = values.mean(-1)
    if n < 2 or n_folds < 2:
        nothing = np.full_like(mean, np.nan)
        return CorrectedTTest(mean, nothing, nothing, nothing)
    error = _deviation(values) * np.sqrt(power.variance_factor(n, n_folds))
    t = _in_units_of(error, mean)
    return CorrectedTTest(mean, error, t, 2 * stats.t.sf(np.abs(t), n - 1))


def gain_range(metric: str) -> tuple[float, float]:
    """The least and the largest difference that two scores can have, e.g. −1 and 1 of balanced accuracy."""
    low, high = range_of(metric)
    return low - high, high - low


def intervals(
    gain: ArrayLike,
    error: ArrayLike,
    n_splits: ArrayLike,
    factor: ArrayLike = 1.0,
    *,
    within: tuple[float, float] = (-np.inf, np.inf),
) -> tuple[Array, Array]:
    """Intervals around means of differences, at the level of the test that they stand beside.

    Parameters
    ----------
    gain, error
        Of `corrected_t_test`; where the error is NaN, the ends are.
    n_splits
        Of which t has one degree of freedom less.
    factor
        By which Holm multiplied the p-value (`synaug.comparison.multiplicity.holm`); 1 for one comparison alone.
    within
        The values that what is estimated can have (`gain_range`, `synaug.record.shapes.range_of`).

    Returns
    -------
    low, high
        Of the level `LEVEL` / factor: they exclude 0 exactly where p times the factor is below `LEVEL`. Ends beyond
        the range are moved to its ends: what the interval loses cannot be the true value, so it covers that as often
        as before, and it stays on the side of 0 on which it was.
    """
    mean, standard = np.asarray(gain, dtype=np.float64), np.asarray(error, dtype=np.float64)
    degrees = np.maximum(np.asarray(n_splits, dtype=np.float64) - 1, 1)
    half = stats.t.isf(LEVEL / np.asarray(factor, dtype=np.float64) / 2, degrees) * standard
    low, high = np.clip([mean - half, mean + half], *within)
    return low, high


def signed_rank_test(differences: ArrayLike) -> Array:
    """Two-sided p-values of Wilcoxon's signed-rank test (1945).

    Equals share the mean of their ranks. Differences of 0 are ranked with the others and count half for either side
    (Pratt 1959, `zsplit` in scipy), so that they weigh against a difference; under a change of signs they stay 0.
    Where all differences are 0, p is 1.

    Parameters
    ----------
    differences
        `[..., n]`, n of at least 1, rounded so that equals are equal.

    Returns
    -------
    ndarray
        `[...]`. Of up to `EXACT_RANKS` differences exact: the share of all changes of their signs which give a sum of
        ranks at least as far from its mean. Beyond, scipy's normal approximation.

    References
    ----------
    Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1, 1945. Pratt, "Remarks on zeros and
    ties in the Wilcoxon signed rank procedures", Journal of the American Statistical Association 54, 1959.
    """
    values = np.asarray(differences, dtype=np.float64)
    n = values.shape[-1]
    flat = values.reshape(-1, n)
    if n > EXACT_RANKS:
        p = np.ones(len(flat))
        differ = flat.any(axis=-1)  # scipy warns of the others
        p[differ] = stats.wilcoxon(flat[differ], axis=-1, zero_method="zsplit", method="asymptotic").pvalue
        return p.reshape(values.shape[:-1])
    doubled = np.rint(2 * stats.rankdata(np.abs(flat), axis=-1)).astype(np.int64)
    above = np.where(flat > 0, doubled, 0).sum(-1)
    below = np.where(flat < 0, doubled, 0).sum(-1)
    ranks = np.sort(np.where(flat == 0, 0, doubled), axis=-1)
    tails = zip(ranks.tolist(), np.minimum(above, below).tolist(), strict=True)
    p = np.array([_share_of_signs(tuple(signed), sum_of_fewer) for signed, sum_of_fewer in tails])
    return p.reshape(values.shape[:-1])


def _share_of_signs(ranks: tuple[int, ...], sum_of_fewer: int) -> float:
    """Which share of all signs of some (doubled) ranks has as small a sum on one side, or on the other."""
    counts = _cumulated(ranks)
    return float(min(1.0, 2 * counts[sum_of_fewer] / counts[-1]))


@lru_cache(maxsize=256)
def _cumulated(ranks: tuple[int, ...]) -> Array:
    """How many of the 2^n signs have a sum of positive ranks of at most 0, 1, … `[sum of ranks + 1]`."""
    counts = np.zeros(sum(ranks) + 1)
    counts[0] = 1
    for rank in filter(None, ranks):
        counts[rank:] = counts[rank:] + counts[:-rank]
    return counts.cumsum()


def compare(
    scores: pd.DataFrame,
    *,
    higher_is_better: bool = True,
    rope: float = ROPE,
    within: tuple[float, float] = (-np.inf, np.inf),
) -> pd.DataFrame:
    """Compare every method of a scenario with both references, paired by split.

    Parameters
    ----------
    scores
        What `synaug.comparison.choices.with_choices` returns: the scores of one metric.
    higher_is_better
        False for losses: then gains are turned, so that a positive one is always better.
    rope
        Half width of the region of practical equivalence, in units of the metric.
    within
        The differences that the metric allows (`gain_range`), to which intervals are cut; outcomes are told before.

    Returns
    -------
    DataFrame
        A row for each (scenario, method, reference), `COLUMNS`; `NOTES` of `synaug.comparison.columns` says what each
        column is. With the baseline all methods are compared; with the best without synthesis those with synthesis (the
        others are what it was picked from), under their chosen rules, as its rule is chosen; `argmax_chosen_step` is
        shown, and compared with nothing. A scenario without the reference has no rows. With fewer than 2 common splits,
        or one fold, what cannot be computed is NaN.

        p_holm, low and high are adjusted alike, over one family of comparisons each:

        - `primary`: the best with synthesis against the best without, over scenarios;
        - `planned`: the best without synthesis against the baseline, over scenarios, and the best with it likewise;
        - `secondary`: single methods by argmax and with their rules chosen, over those of the same scenario and
          reference;
        - `of_a_rule`: single methods under any other rule, over those of the same scenario, reference and rule, so that
          a rule more, as one that is judged only later, changes no other number.

        Of the latter two, comparisons that are the same on all splits are one. low_family and high_family have the
        level of the whole family, by which equivalence is told (`synaug.comparison.significance.outcomes`).

    Raises
    ------
    UserError
        If a method has two scores of a split.
    """
    scored = scores.astype(KINDS).dropna(subset="value")
    twice = scored.duplicated(KEY)
    if twice.any():
        scenario, augmenter, loss, decision, seed, fold = scored.loc[twice, KEY].iloc[0]
        raise UserError(
            f"{Method(augmenter, loss, decision)} of {scenario} has two scores of seed {seed} fold {fold}, "
            "and a split has one: leave one of the runs out"
        )
    rows, values = _pairs(scored[scored["decision"] != ARGMAX_CHOSEN_STEP])
    by_scenario = scored[["scenario", *SPLIT]].drop_duplicates().astype({"scenario": object}).groupby("scenario")
    design = by_scenario[SPLIT].nunique().set_axis(["n_seeds", "n_folds"], axis=1).assign(splits=by_scenario.size())
    rows = rows.join(design, on="scenario")
    method, reference = values[rows["of_method"]], values[rows["of_reference"]]
    differences = np.round(method - reference if higher_is_better else reference - method, DECIMALS)
    common = ~np.isnan(differences)
    rows["n_splits"] = common.sum(1)
    tested = [pd.DataFrame(columns=TESTED, dtype=np.float64)]
    # Comparisons of one shape are tested in one call.
    for _, same in rows[rows["n_splits"] > 0].groupby(["n_splits", "n_folds"]):
        n, n_folds = map(int, same[["n_splits", "n_folds"]].iloc[0])
        x, y, gains = (
            of_all[same.index][common[same.index]].reshape(-1, n) for of_all in (method, reference, differences)
        )
        columns = {"value": x.mean(-1), "value_std": _deviation(x), "reference_value": y.mean(-1)}
        columns |= _tests(gains, n_folds, rope)
        tested.append(pd.DataFrame(columns, index=same.index))
    rows = rows.join(pd.concat(tested))
    rows["missing"] = rows["splits"] - rows["n_splits"]
    rows["rho"] = 1 / rows["n_folds"]
    rows = _adjusted(rows, differences)
    rows["outcome"] = outcomes(rows, rope)
    rows[list(ENDS)] = rows[list(ENDS)].clip(*within)
    return rows[COLUMNS]


def means_beside(scores: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Means of other scores over just those splits over which `compare` takes its gains.

    Parameters
    ----------
    scores
        What `compare` gets.
    others
        The columns `KEY`, and a column for each other score.

    Returns
    -------
    DataFrame
        Of each comparison scenario, the columns of `METHOD` and reference; by each other score's name its mean under
        the method, and with ``reference_`` before it that under the reference. NaN where no common split has it.
    """
    names = [name for name in others if name not in KEY]
    scored = scores[scores["decision"] != ARGMAX_CHOSEN_STEP].astype(KINDS).dropna(subset="value")
    scored = scored.merge(others.astype(KINDS), on=KEY, how="left")
    rows, values = _pairs(scored)
    common = ~np.isnan(values[rows["of_method"]]) & ~np.isnan(values[rows["of_reference"]])
    means = rows[["scenario", *METHOD, "reference"]].copy()
    for name in names:
        _, of_other = _pairs(scored.assign(value=scored[name]))
        for prefix, which in (("", "of_method"), ("reference_", "of_reference")):
            used = np.where(common, of_other[rows[which]], np.nan)
            n = (~np.isnan(used)).sum(1)
            means[f"{prefix}{name}"] = np.divide(np.nansum(used, 1), n, out=np.full(len(rows), np.nan), where=n > 0)
    return means


def _adjusted(rows: pd.DataFrame, differences: Array) -> pd.DataFrame:
    """Adjust p-values and intervals within families; differences `[row, split]`."""
    is_pick = rows["augmenter"].isin(PICKED)
    over_pick = rows["reference"].isin([name for name, method in REFERENCES.items() if method.augmenter in PICKED])
    is_secondary = rows["decision"].isin(SECONDARY_RULES)
    rows["family"] = np.select([is_pick & over_pick, is_pick, is_secondary], [PRIMARY, PLANNED, SECONDARY], OF_A_RULE)
    # A pick's families run over scenarios, those of single methods lie in one scenario. Of the latter, comparisons
    # that are the same on all splits count once (+ 0.0 makes −0 of 0); scenarios ask for themselves.
    names = rows[["family", "reference"]].assign(
        scope=np.where(is_pick, rows["augmenter"], rows["scenario"].astype(object).map(str)),
        rule=np.where(rows["family"] == OF_A_RULE, rows["decision"], ""),
    )
    family = names.groupby([*names.columns], sort=False).ngroup().to_numpy()
    vectors = [row.tobytes() for row in differences + 0.0]
    same = [
        (number, at if pick else vectors[at]) for at, (number, pick) in enumerate(zip(family, is_pick, strict=True))
    ]
    _, first, group = np.unique(pd.factorize(pd.Series(same, dtype=object))[0], return_index=True, return_inverse=True)
    raw = rows["p_raw"].to_numpy(dtype=np.float64)
    adjusted, factors, sizes = np.full(len(first), np.nan), np.full(len(first), np.nan), np.zeros(len(first), np.int64)
    in_families = np.argsort(family[first], kind="stable")
    for members in np.split(in_families, np.flatnonzero(np.diff(family[first][in_families])) + 1):
        adjusted[members], factors[members] = holm(raw[first[members]])
        sizes[members] = np.count_nonzero(~np.isnan(raw[first[members]]))
    factor = factors[group]
    rows["p_holm"], rows["n_comparisons"] = adjusted[group], sizes[group]
    rows["low"], rows["high"] = intervals(rows["gain"], rows["error"], rows["n_splits"], factor)
    rows["low_family"], rows["high_family"] = intervals(
        rows["gain"], rows["error"], rows["n_splits"], np.maximum(rows["n_comparisons"], 1)
    )
    rows["low_raw"], rows["high_raw"] = intervals(rows["gain"], rows["error"], rows["n_splits"])
    found = power.after(rows["error"], rows["n_splits"], rows["n_folds"], factor)
    rows["detectable"], rows["detectable_any_seeds"] = found.difference, found.with_any_seeds
    return rows


def _pairs(scored: pd.DataFrame) -> tuple[pd.DataFrame, Array]:
    """Who is compared with whom, as rows (`of_method`, `of_reference`) of the scores `[method in scenario, split]`."""
    named = scored[["scenario", *METHOD, "with_synthesis"]].drop_duplicates(["scenario", *METHOD], ignore_index=True)
    methods = named.astype({"scenario": object, "with_synthesis": bool})
    row = scored.groupby(["scenario", *METHOD], sort=False, observed=True).ngroup()
    split = scored.groupby(SPLIT, sort=False).ngroup()
    values = np.full((len(methods), split.max() + 1 if len(split) else 0), np.nan)
    values[row, split] = scored["value"]
    methods["of_method"] = methods.index
    method = methods_of(methods)
    pairs = []
    for name, reference in REFERENCES.items():
        is_reference = method == reference
        of_reference = methods["scenario"].map(methods[is_reference].set_index("scenario")["of_method"])
        compared = of_reference.notna() & ~is_reference
        if reference.augmenter in PICKED:
            compared &= methods["with_synthesis"] & (methods["decision"] == CHOSEN)
        pairs.append(methods[compared].assign(reference=name, of_reference=of_reference[compared].astype(int)))
    rows = pd.concat(pairs)
    in_order = np.lexsort((rows["of_method"], pd.factorize(rows["scenario"])[0]))
    return rows.iloc[in_order].reset_index(drop=True), values


def _tests(gains: Array, n_folds: int, rope: float) -> dict[str, Array]:
    """Tests of comparisons with the same number of common splits, gains `[c, n]`."""
    n = gains.shape[-1]
    test = corrected_t_test(gains, n_folds)
    if n < 2:
        return {"gain": test.mean}
    deviation = _deviation(gains)
    columns = {
        "gain": test.mean,
        "error": test.error,
        "t": test.t,
        "p_raw": test.p,
        "p_wilcoxon": signed_rank_test(gains),
        "p_paired_t": np.where(test.mean == 0, 1.0, 0.0),
        "effect": _in_units_of(deviation, test.mean),
    }
    varies = deviation > 0  # scipy warns of the others
    columns["p_paired_t"][varies] = stats.ttest_1samp(gains[varies], 0, axis=-1).pvalue
    if n_folds < 2:
        return columns
    # The posterior of the difference is a t-distribution around the mean (Corani and Benavoli 2015), without variance
    # the mean itself.
    error = np.where(test.error > 0, test.error, 1.0)
    at_mean = np.sign(test.mean) * (np.abs(test.mean) > rope)
    worse = np.where(test.error > 0, stats.t.cdf((-rope - test.mean) / error, n - 1), (1 - at_mean) // 2)
    better = np.where(test.error > 0, stats.t.sf((rope - test.mean) / error, n - 1), (1 + at_mean) // 2)
    return columns | {"p_worse": worse, "p_equivalent": (1 - worse - better).clip(0), "p_better": better}


def _deviation(values: Array) -> Array:
    """Standard deviation `[...]` of values `[..., n]`; exactly 0 where all are the same, NaN for one value."""
    if values.shape[-1] < 2:
        return np.full(values.shape[:-1], np.nan)
    return np.where(np.ptp(values, -1) == 0, 0.0, values.std(-1, ddof=1))


def _in_units_of(deviation: Array, mean: Array) -> Array:
    """`mean / deviation`; without deviation ±inf, or 0 where the mean is 0, too."""
    ratio = np.where(mean == 0, 0.0, np.copysign(np.inf, mean))
    return np.divide(mean, deviation, out=ratio, where=deviation > 0)


@dataclass(frozen=True)
class Difference:
    """A mean difference, in the metric's own unit, paired by split; positive is better.

    Attributes
    ----------
    mean, low, high
        With the interval, adjusted by Holm's step-down for all differences of its kind; NaN where none can be said.
    """

    mean: float
    low: float
    high: float


def family(of_splits: Sequence["pd.Series[float]"], within: tuple[float, float]) -> list[Difference]:
    """Mean differences with intervals; those that can be tested are one family, corrected by Holm's step-down.

    Parameters
    ----------
    of_splits
        Of each comparison the differences, indexed by seed and fold.
    within
        As of `intervals`.
    """
    n_folds = [each.index.get_level_values("fold").nunique() for each in of_splits]
    tests = {
        place: corrected_t_test(each.to_numpy(), n_folds[place])
        for place, each in enumerate(of_splits)
        if len(each) > 1 and n_folds[place] > 1
    }
    found = [Difference(float(each.mean()), np.nan, np.nan) for each in of_splits]
    if not tests:
        return found
    gain, error, _, p = (np.array([float(test[at]) for test in tests.values()]) for at in range(4))
    n_splits = [len(of_splits[place]) for place in tests]
    low, high = intervals(gain, error, n_splits, holm(p).factor, within=within)
    for place, *numbers in zip(tests, gain.tolist(), low.tolist(), high.tolist(), strict=True):
        found[place] = Difference(*numbers)
    return found
