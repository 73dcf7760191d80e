"""Paired comparison inside a scenario, pure functions of a DataFrame.

A split is one (seed, fold); methods, scenarios and the two references are those of `synaug.comparison.labels`.
Comparison across scenarios is in `synaug.comparison.ranking`.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from baycomp.single import Posterior
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from synaug.comparison.labels import CHOSEN, METHOD, NO_AUGMENTER, PICKED, PLAIN_LOSS, REFERENCES, Method, methods_of
from synaug.comparison.significance import CONFIDENCE, ROPE, outcomes
from synaug.errors import UserError
from synaug.scores.decision import RULES

SPLIT = ["seed", "fold"]
KEY = ["scenario", *METHOD, *SPLIT]
# All may come as categories; scenarios stay so, as values are slow to group.
KINDS = {"scenario": "category", **dict.fromkeys(METHOD, "str")}
TESTED = [
    *("value", "value_std", "reference_value", "gain", "low", "high", "t", "p_corrected", "p_wilcoxon", "p_paired_t"),
    *("effect", "p_worse", "p_equivalent", "p_better"),
]
COLUMNS = [
    *("scenario", *METHOD, "reference", "n_splits", "n_seeds", "n_folds", "rho"),
    *(*TESTED[:8], "p_holm", "outcome", *TESTED[8:], "missing"),
]
# Scores that differ by less are equal: the same hits, added up in another order.
DECIMALS = 12
# Up to here `signed_rank_test` is exact: 2^50 signs are counted without rounding in float64.
EXACT_RANKS = 50

Array = NDArray[np.float64]


class CorrectedTTest(NamedTuple):
    """What `corrected_t_test` returns, arrays `[...]`: mean, t, two-sided p, and the interval low … high."""

    mean: Array
    t: Array
    p: Array
    low: Array
    high: Array


def with_choices(scores: pd.DataFrame, validation: pd.DataFrame, higher_is_better: bool = True) -> pd.DataFrame:
    """Add the methods that choose by validation score, for each split alone.

    Parameters
    ----------
    scores
        Of test rows: scenario, augmenter, loss, decision, seed, fold, value.
    validation
        The same columns, scores on validation rows. Only these decide.
    higher_is_better
        False for losses.

    Returns
    -------
    DataFrame
        `scores` with a column `chosen_from`, and with the rows of

        - each augmenter under decision `chosen`, plain loss: its best loss and rule;
        - augmenter `picked`, decision `chosen`, plain loss: the best augmenter other than none, with its
          loss and rule.

        `chosen_from` is the `Method` that was taken. Of equals the earlier rule of `RULES` is taken, then the plain
        loss, then the augmenter that appears first. A split without validation score, or without test score of what
        was chosen, gets no such row.
    """
    scores, validation = (frame.astype(KINDS) for frame in (scores, validation))
    candidates = validation[validation["decision"].isin(RULES)].dropna(subset="value")
    first = {augmenter: place for place, augmenter in enumerate(scores["augmenter"].unique())}
    order = candidates.assign(
        _value=-candidates["value"] if higher_is_better else candidates["value"],
        _rule=candidates["decision"].map(RULES.index),
        _loss=candidates["loss"] != PLAIN_LOSS,
        _augmenter=candidates["augmenter"].map(first),
    ).sort_values(["_value", "_rule", "_loss", "_augmenter"])
    chosen = order.drop_duplicates(["scenario", "augmenter", *SPLIT])
    picked = order[order["augmenter"] != NO_AUGMENTER].drop_duplicates(["scenario", *SPLIT])
    added = [_scored(scores, chosen), _scored(scores, picked).assign(augmenter=PICKED)]
    return pd.concat([scores, *(rows.assign(loss=PLAIN_LOSS, decision=CHOSEN) for rows in added)], ignore_index=True)


def _scored(scores: pd.DataFrame, best: pd.DataFrame) -> pd.DataFrame:
    scored = best[KEY].merge(scores, on=KEY).dropna(subset="value")
    return scored.assign(chosen_from=methods_of(scored))


def corrected_t_test(differences: ArrayLike, n_folds: int, confidence: float = CONFIDENCE) -> CorrectedTTest:
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
    confidence
        Of the interval.

    Returns
    -------
    CorrectedTTest
        NaN, but for the mean, where n or k is below 2. Where all differences are the same there is
        no variance: t is ±inf and p 0, or t is 0 and p 1 if they are all 0; the interval is the mean.

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
        return CorrectedTTest(mean, nothing, nothing, nothing, nothing)
    error = _deviation(values) * np.sqrt(_variance_factor(n, n_folds))
    t = _in_units_of(error, mean)
    half = stats.t.ppf((1 + confidence) / 2, n - 1) * error
    return CorrectedTTest(mean, t, 2 * stats.t.sf(np.abs(t), n - 1), mean - half, mean + half)


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


def compare(scores: pd.DataFrame, *, higher_is_better: bool = True, rope: float = ROPE) -> pd.DataFrame:
    """Compare every method of a scenario with both references, paired by split.

    Parameters
    ----------
    scores
        What `with_choices` returns: the scores of one metric.
    higher_is_better
        False for losses: then gains are turned, so that a positive one is always better.
    rope
        Half width of the region of practical equivalence, in units of the metric.

    Returns
    -------
    DataFrame
        A row for each (scenario, method, reference): scenario, augmenter, loss, decision, reference, the
        common splits' n_splits, the scenario's n_seeds and n_folds, rho = 1 / n_folds; mean and standard
        deviation of the method (value, value_std) and mean of the reference; gain with the interval, t
        and p_corrected of `corrected_t_test`; p_holm, Holm's step-down over all p_corrected of the
        scenario; outcome, of `synaug.comparison.significance`; p_wilcoxon (`signed_rank_test`) and p_paired_t,
        which take splits for independent and so are too small; effect, the gain in standard deviations of the
        differences; p_worse, p_equivalent and p_better of the Bayesian correlated t-test (Corani and Benavoli
        2015); missing, the splits of the scenario that the method or the reference lacks. A reference is not
        compared with itself, nor the best without synthesis with what it chose from; a scenario without the
        reference has no rows. With fewer than 2 common splits, or one fold, what cannot be computed is NaN.
    """
    scored = scores.astype(KINDS).dropna(subset="value")
    twice = scored.duplicated(KEY)
    if twice.any():
        scenario, augmenter, loss, decision, seed, fold = scored.loc[twice, KEY].iloc[0]
        raise UserError(
            f"{Method(augmenter, loss, decision)} of {scenario} has two scores of seed {seed} fold {fold}, "
            "and a split has one: leave one of the runs out"
        )
    rows, values = _pairs(scored)
    by_scenario = scored[["scenario", *SPLIT]].drop_duplicates().astype({"scenario": object}).groupby("scenario")
    design = by_scenario[SPLIT].nunique().set_axis(["n_seeds", "n_folds"], axis=1).assign(splits=by_scenario.size())
    rows = rows.join(design, on="scenario")
    method, reference = values[rows["of_method"]], values[rows["of_reference"]]
    common = ~np.isnan(method + reference)
    rows["n_splits"] = common.sum(1)
    tested = [pd.DataFrame(columns=TESTED, dtype=np.float64)]
    # Comparisons of one shape are tested in one call.
    for _, same in rows[rows["n_splits"] > 0].groupby(["n_splits", "n_folds"]):
        n, n_folds = map(int, same[["n_splits", "n_folds"]].iloc[0])
        x, y = (side[same.index][common[same.index]].reshape(-1, n) for side in (method, reference))
        gains = np.round(x - y if higher_is_better else y - x, DECIMALS)
        columns = {"value": x.mean(-1), "value_std": _deviation(x), "reference_value": y.mean(-1)}
        columns |= _tests(gains, n_folds, rope)
        tested.append(pd.DataFrame(columns, index=same.index))
    rows = rows.join(pd.concat(tested))
    rows["missing"] = rows["splits"] - rows["n_splits"]
    rows["rho"] = 1 / rows["n_folds"]
    rows["p_holm"] = rows.groupby("scenario")["p_corrected"].transform(lambda p: holm(p))
    rows["outcome"] = outcomes(rows)
    return rows[COLUMNS]


def holm(p: ArrayLike) -> Array:
    """Adjusted p-values of the step-down procedure of Holm (1979) `[m]`; NaN is no comparison and stays NaN."""
    raw = np.asarray(p, dtype=np.float64)
    order = np.argsort(raw)[: np.count_nonzero(~np.isnan(raw))]
    adjusted = np.full_like(raw, np.nan)
    # statsmodels' multipletests gives the same, and collects garbage at every call, which takes 0.1 s.
    adjusted[order] = np.minimum(np.maximum.accumulate(raw[order] * np.arange(len(order), 0, -1)), 1)
    return adjusted


def _pairs(scored: pd.DataFrame) -> tuple[pd.DataFrame, Array]:
    """Who is compared with whom, as rows (`of_method`, `of_reference`) of the scores `[method in scenario, split]`."""
    methods = scored[["scenario", *METHOD]].drop_duplicates(ignore_index=True).astype({"scenario": object})
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
        if reference.decision == CHOSEN:
            compared &= methods["augmenter"] != reference.augmenter
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
        "low": test.low,
        "high": test.high,
        "t": test.t,
        "p_corrected": test.p,
        "p_wilcoxon": signed_rank_test(gains),
        "p_paired_t": np.where(test.mean == 0, 1.0, 0.0),
        "effect": _in_units_of(deviation, test.mean),
    }
    varies = deviation > 0  # scipy warns of the others
    columns["p_paired_t"][varies] = stats.ttest_1samp(gains[varies], 0, axis=-1).pvalue
    if n_folds < 2:
        return columns
    variance = deviation**2 * _variance_factor(n, n_folds)
    posteriors = (
        Posterior(*mean_and_variance, n - 1, rope) for mean_and_variance in zip(test.mean, variance, strict=True)
    )
    worse, *equivalent, better = np.array([posterior.probs() for posterior in posteriors]).T
    return columns | {
        "p_worse": worse,
        "p_equivalent": equivalent[0].clip(0) if equivalent else np.zeros_like(worse),
        "p_better": better,
    }


def _variance_factor(n: int, n_folds: int) -> float:
    rho = 1 / n_folds
    return 1 / n + rho / (1 - rho)


def _deviation(values: Array) -> Array:
    """Standard deviation `[...]` of values `[..., n]`; exactly 0 where all are the same, NaN for one value."""
    if values.shape[-1] < 2:
        return np.full(values.shape[:-1], np.nan)
    return np.where(np.ptp(values, -1) == 0, 0.0, values.std(-1, ddof=1))


def _in_units_of(deviation: Array, mean: Array) -> Array:
    """`mean / deviation`; without deviation ±inf, or 0 where the mean is 0, too."""
    ratio = np.where(mean == 0, 0.0, np.copysign(np.inf, mean))
    return np.divide(mean, deviation, out=ratio, where=deviation > 0)
