"""Paired comparison inside a block, pure functions of a DataFrame.

A member is one (seed, fold), a method is (augmenter, loss, decision), a block is all else. Two
references: `none` = (none, plain loss, argmax), and `free` = (none, plain loss, chosen), the best
remedy that synthesises nothing. Comparison across blocks is in `synaug.comparison.ranking`.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from baycomp.single import Posterior
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from synaug.errors import UserError
from synaug.scores.decision import RULES

MEMBER = ["seed", "fold"]
METHOD = ["augmenter", "loss", "decision"]
KEY = ["block", *METHOD, *MEMBER]
LABELS = dict.fromkeys(["block", *METHOD], "str")  # they may come as categories
REFERENCES = {"none": ("none", "", "argmax"), "free": ("none", "", "chosen")}
TESTED = [
    *("value", "value_std", "reference_value", "gain", "low", "high", "t", "p_corrected", "p_wilcoxon", "p_paired_t"),
    *("effect", "p_worse", "p_equivalent", "p_better"),
]
COLUMNS = [
    *("block", *METHOD, "reference", "n_members", "n_seeds", "n_folds", "rho"),
    *(*TESTED[:8], "p_holm", *TESTED[8:], "missing"),
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


def with_choices(members: pd.DataFrame, validation: pd.DataFrame, higher_is_better: bool = True) -> pd.DataFrame:
    """Add the methods that choose by validation score, for each member alone.

    Parameters
    ----------
    members
        Test scores: block, augmenter, loss, decision, seed, fold, value.
    validation
        The same columns, scores on validation rows. Only these decide.
    higher_is_better
        False for losses.

    Returns
    -------
    DataFrame
        `members` with a column `chosen_from`, and with the rows of

        - each augmenter under decision `chosen`, loss "": its best loss and rule (`chosen_from` is
          such as "prior_corrected" or "label_smoothing=0.1, tuned");
        - augmenter `picked`, decision `chosen`, loss "": the best augmenter other than none, with its
          loss and rule ("smote, tuned").

        Of equals the earlier rule of `RULES` is taken, then the plain loss, then the augmenter that
        appears first. A member without validation score, or without test score of what was chosen,
        gets no such row.
    """
    members, validation = (frame.astype(LABELS) for frame in (members, validation))
    candidates = validation[validation["decision"].isin(RULES)].dropna(subset="value")
    first = {augmenter: place for place, augmenter in enumerate(members["augmenter"].unique())}
    order = candidates.assign(
        _value=-candidates["value"] if higher_is_better else candidates["value"],
        _rule=candidates["decision"].map(RULES.index),
        _loss=candidates["loss"] != "",
        _augmenter=candidates["augmenter"].map(first),
    ).sort_values(["_value", "_rule", "_loss", "_augmenter"])
    chosen = order.drop_duplicates(["block", "augmenter", *MEMBER])
    picked = order[order["augmenter"] != "none"].drop_duplicates(["block", *MEMBER])
    added = [
        _scored(members, chosen, ["loss", "decision"]),
        _scored(members, picked, METHOD).assign(augmenter="picked"),
    ]
    return pd.concat([members, *(rows.assign(loss="", decision="chosen") for rows in added)], ignore_index=True)


def _scored(members: pd.DataFrame, best: pd.DataFrame, parts: list[str]) -> pd.DataFrame:
    scored = best[KEY].merge(members, on=KEY).dropna(subset="value")
    return scored.assign(chosen_from=[", ".join(filter(None, names)) for names in scored[parts].to_numpy()])


def corrected_t_test(differences: ArrayLike, n_folds: int, confidence: float = 0.95) -> CorrectedTTest:
    """Test the mean of the differences of r × k folds, whose training sets overlap.

    The variance of the mean is s² · (1 / n + ρ / (1 − ρ)) with ρ = 1 / k, the share of the rows that
    test (Nadeau and Bengio 2003, section 3.2, where it is n₂ / n₁; Bouckaert and Frank 2004 for r × k
    folds), and t has n − 1 degrees of freedom.

    Parameters
    ----------
    differences
        `[..., n]`, n = r · k, or fewer where members are missing.
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
    p = np.array([_share_of_signs(tuple(own), sum_of_fewer) for own, sum_of_fewer in tails])
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
    members: pd.DataFrame, *, higher_is_better: bool = True, rope: float = 0.01, confidence: float = 0.95
) -> pd.DataFrame:
    """Compare every method of a block with both references, paired by member.

    Parameters
    ----------
    members
        What `with_choices` returns: the scores of one metric.
    higher_is_better
        False for losses: then gains are turned, so that a positive one is always better.
    rope
        Half width of the region of practical equivalence, in units of the metric.
    confidence
        Of the interval low … high.

    Returns
    -------
    DataFrame
        A row for each (block, method, reference): block, augmenter, loss, decision, reference, the
        common members' n_members, the block's n_seeds and n_folds, rho = 1 / n_folds; mean and standard
        deviation of the method (value, value_std) and mean of the reference; gain with the interval, t
        and p_corrected of `corrected_t_test`; p_holm, Holm's step-down over all p_corrected of the
        block; p_wilcoxon (`signed_rank_test`) and p_paired_t, which take members for independent and so are too small;
        effect, the gain in standard deviations of the differences; p_worse, p_equivalent and p_better of
        the Bayesian correlated t-test (Corani and Benavoli 2015); missing, the members of the block that
        the method or the reference lacks. A reference is not compared with itself, nor `free` with what
        it chose from; a block without the reference has no rows. With fewer than 2 common members, or
        one fold, what cannot be computed is NaN.
    """
    scored = members.astype(LABELS).dropna(subset="value")
    twice = scored.duplicated(KEY)
    if twice.any():
        block, *method, seed, fold = scored.loc[twice, KEY].iloc[0]
        raise UserError(
            f"{', '.join(filter(None, method))} of {block} has two scores of seed {seed} fold {fold}, "
            "and a member has one: leave one of the runs out"
        )
    rows, values = _pairs(scored)
    design = scored.groupby("block")[MEMBER].nunique().set_axis(["n_seeds", "n_folds"], axis=1)
    design["members"] = scored.drop_duplicates(["block", *MEMBER])["block"].value_counts()
    rows = rows.join(design, on="block")
    own, other = values[rows["own"]], values[rows["other"]]
    common = ~np.isnan(own + other)
    rows["n_members"] = common.sum(1)
    tested = [pd.DataFrame(columns=TESTED, dtype=np.float64)]
    # Comparisons of one shape are tested in one call.
    for _, same in rows[rows["n_members"] > 0].groupby(["n_members", "n_folds"]):
        n, n_folds = map(int, same[["n_members", "n_folds"]].iloc[0])
        x, y = (side[same.index][common[same.index]].reshape(-1, n) for side in (own, other))
        gains = np.round(x - y if higher_is_better else y - x, DECIMALS)
        columns = {"value": x.mean(-1), "value_std": _deviation(x), "reference_value": y.mean(-1)}
        columns |= _tests(gains, n_folds, rope, confidence)
        tested.append(pd.DataFrame(columns, index=same.index))
    rows = rows.join(pd.concat(tested))
    rows["missing"] = rows["members"] - rows["n_members"]
    rows["rho"] = 1 / rows["n_folds"]
    rows["p_holm"] = rows.groupby("block")["p_corrected"].transform(lambda p: holm(p))
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
    """Who is compared with whom, as rows (`own`, `other`) of the scores `[method in block, member]`."""
    methods = scored[["block", *METHOD]].drop_duplicates(ignore_index=True)
    row = scored.groupby(["block", *METHOD], sort=False).ngroup()
    member = scored.groupby(MEMBER, sort=False).ngroup()
    values = np.full((len(methods), member.max() + 1 if len(member) else 0), np.nan)
    values[row, member] = scored["value"]
    methods["own"] = methods.index
    pairs = []
    for reference, method in REFERENCES.items():
        is_reference = (methods[METHOD] == list(method)).all(axis=1)
        other = methods["block"].map(methods[is_reference].set_index("block")["own"])
        compared = other.notna() & ~is_reference
        if reference == "free":
            compared &= methods["augmenter"] != "none"
        pairs.append(methods[compared].assign(reference=reference, other=other[compared].astype(int)))
    rows = pd.concat(pairs)
    return rows.iloc[np.lexsort((rows["own"], pd.factorize(rows["block"])[0]))].reset_index(drop=True), values


def _tests(gains: Array, n_folds: int, rope: float, confidence: float) -> dict[str, Array]:
    """Tests of comparisons with the same number of common members, gains `[c, n]`."""
    n = gains.shape[-1]
    test = corrected_t_test(gains, n_folds, confidence)
    if n < 2:
        return {"gain": test.mean}
    deviation = _deviation(gains)
    found = {
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
    found["p_paired_t"][varies] = stats.ttest_1samp(gains[varies], 0, axis=-1).pvalue
    if n_folds < 2:
        return found
    variance = deviation**2 * _variance_factor(n, n_folds)
    posteriors = (
        Posterior(*mean_and_variance, n - 1, rope) for mean_and_variance in zip(test.mean, variance, strict=True)
    )
    worse, *equivalent, better = np.array([posterior.probs() for posterior in posteriors]).T
    return found | {
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
