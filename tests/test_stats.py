from collections.abc import Iterable, Sequence
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from baycomp import CorrelatedTTest, two_on_single
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from synaug.comparison.choices import KEY, choose, with_choices
from synaug.comparison.labels import METHOD, WITH, WITHOUT
from synaug.comparison.multiplicity import holm
from synaug.comparison.stats import (
    COLUMNS,
    EXACT_RANKS,
    compare,
    corrected_t_test,
    gain_range,
    intervals,
    signed_rank_test,
)
from synaug.scores.decision import ARGMAX_CHOSEN_STEP, RULES

Array = NDArray[np.float64]
LEVEL = 0.05
SCORES = st.integers(0, 20).map(lambda hits: hits / 20)


def scored(
    values: Iterable[float], method: Sequence[str] = ("none", "", "argmax"), n_folds: int = 10, scenario: str = "b"
) -> pd.DataFrame:
    """Scores of one method, split by split; all but `none` make new points."""
    rows = [
        (scenario, *method, at // n_folds, at % n_folds, method[0] != "none", value) for at, value in enumerate(values)
    ]
    return pd.DataFrame(rows, columns=[*KEY, "with_synthesis", "value"])


def compared(reference: Sequence[float], other: Sequence[float], n_folds: int = 10, **settings: Any) -> pd.Series:
    """The row of smote against none."""
    scores = pd.concat([scored(reference, n_folds=n_folds), scored(other, ("smote", "", "argmax"), n_folds)])
    return compare(scores, **settings).iloc[0]


# The corrected test


def test_the_corrected_test_is_nadeau_and_bengios_formula() -> None:
    # Five differences from one 5-fold cross-validation, by hand: the mean is 0.03, squared deviations sum to
    # 0.0001 · (1 + 0 + 1 + 4 + 4) = 0.001, s² = 0.001 / 4 = 0.00025; n₂ / n₁ = 1 / 4, so the variance of the mean
    # is 0.00025 · (1 / 5 + 1 / 4) = 0.0001125 and t = 0.03 / 0.0106066 = 2.828427.
    test = corrected_t_test([0.02, 0.03, 0.04, 0.01, 0.05], n_folds=5)
    assert test.mean == pytest.approx(0.03)
    assert test.t == pytest.approx(2.828427, abs=1e-6)
    # P(|t| > 2.828427) of 4 degrees of freedom, whose distribution function has a closed form, and its 97.5 %
    # point 2.776445 from any table.
    x = 2.828427 / np.sqrt(4 + 2.828427**2)
    assert test.p == pytest.approx(1 - x * (3 - x**2) / 2, abs=1e-6)
    low, high = intervals(test.mean, test.error, 5)
    assert low == pytest.approx(0.03 - 2.776445 * 0.01060660, abs=1e-7)
    assert high == pytest.approx(0.03 + 2.776445 * 0.01060660, abs=1e-7)


@given(
    st.lists(SCORES, min_size=2, max_size=12).filter(lambda scores: len(set(scores)) > 1),
    st.integers(2, 10),
    st.floats(1, 20),
)
def test_the_interval_holds_what_the_test_does_not_reject(
    differences: list[float], n_folds: int, factor: float
) -> None:
    test = corrected_t_test(differences, n_folds)
    low, high = intervals(test.mean, test.error, len(differences), factor)
    assert low < test.mean < high
    for edge in (low, high):
        shifted = corrected_t_test(np.array(differences) - edge, n_folds)
        assert shifted.p * factor == pytest.approx(LEVEL, abs=1e-6)


@given(st.lists(st.lists(SCORES, min_size=20, max_size=20), min_size=2, max_size=2), st.sampled_from([1, 2, 4]))
def test_the_variance_is_baycomps(scores: list[list[float]], runs: int) -> None:
    x, y = np.array(scores)
    mean, variance, _ = CorrelatedTTest.compute_statistics(x, y, runs)
    test = corrected_t_test(y - x, 20 // runs)
    assert test.mean == pytest.approx(mean, abs=1e-12)
    if np.ptp(y - x) > 0:
        assert test.mean / test.t == pytest.approx(np.sqrt(variance)) or mean == 0
        assert test.error == pytest.approx(np.sqrt(variance))


def test_without_variance_only_a_mean_of_zero_is_not_a_difference() -> None:
    test = corrected_t_test(np.array([[0.1] * 10, [-0.1] * 10, [0.0] * 10]), n_folds=10)
    np.testing.assert_array_equal(test.t, [np.inf, -np.inf, 0])
    np.testing.assert_array_equal(test.p, [0, 0, 1])
    np.testing.assert_array_equal(*intervals(test.mean, test.error, 10))


@pytest.mark.parametrize(("n", "n_folds"), [(1, 10), (5, 1)])
def test_too_few_splits_or_folds_give_no_test(n: int, n_folds: int) -> None:
    test = corrected_t_test(np.full((3, n), 0.1), n_folds)
    np.testing.assert_allclose(test.mean, 0.1)
    assert np.isnan([test.t, test.p, test.error]).all()
    assert np.isnan(intervals(test.mean, test.error, n)).all()


def test_many_comparisons_at_once_are_each_alone() -> None:
    differences = np.random.RandomState(0).normal(size=(2, 3, 10))
    together = corrected_t_test(differences, 10)
    for place in np.ndindex(2, 3):
        alone = corrected_t_test(differences[place], 10)
        for several, one in zip(together, alone, strict=True):
            assert several[place] == pytest.approx(one, rel=1e-12)


# The Bayesian test


def test_baycomps_documented_example_comes_out() -> None:
    # https://baycomp.readthedocs.io/en/latest/functions.html prints the probabilities for naive Bayes and J48 on a
    # data set, in percent. With 9 degrees of freedom its three numbers are those of one mean and one deviation:
    # here 10 folds that have these.
    left, rope, right = 0.28584464173791002, 0.2691518716880249, 0.44500348657406508
    low, high = stats.t.ppf([left, left + rope], 9)
    scale = 1 / (high - low)  # the region is 1 wide
    mean, deviation = -0.5 - low * scale, scale / np.sqrt(1 / 10 + 1 / 9)
    folds = np.random.RandomState(0).normal(size=10)
    differences = mean + deviation * (folds - folds.mean()) / folds.std(ddof=1)
    nbc = np.linspace(70, 80, 10)

    row = compared(nbc.tolist(), (nbc + differences).tolist(), rope=0.5)
    assert row[["p_worse", "p_equivalent", "p_better"]].tolist() == pytest.approx([left, rope, right], abs=1e-10)
    # Of the same example, without a region; not used above.
    row = compared(nbc.tolist(), (nbc + differences).tolist(), rope=0)
    assert row["p_worse"] == pytest.approx(0.4145119975061462, abs=1e-10)
    assert row["p_better"] == pytest.approx(0.5854880024938538, abs=1e-10)
    assert row["p_equivalent"] == 0


@settings(max_examples=40)
@given(st.lists(st.tuples(SCORES, SCORES), min_size=20, max_size=20), st.sampled_from([1, 2, 4]))
def test_bayesian_probabilities_are_baycomps(scores: list[tuple[float, float]], runs: int) -> None:
    x, y = np.array(scores).T
    row = compared(x, y, n_folds=20 // runs)
    expected = two_on_single(x, np.round(y - x, 12) + x, rope=0.01, runs=runs)
    assert row[["p_worse", "p_equivalent", "p_better"]].tolist() == pytest.approx(expected, abs=1e-9)


def test_splits_that_do_not_divide_into_runs_are_compared_all_the_same() -> None:
    x, y = np.random.RandomState(0).rand(2, 20)
    scores = pd.concat([scored(x), scored(y, ("smote", "", "argmax"))])
    lacking = scores[(scores["augmenter"] == "none") | (scores["seed"] < 1) | (scores["fold"] > 2)]
    row = compare(lacking).iloc[0]
    assert (row["n_splits"], row["missing"], row["n_seeds"], row["n_folds"], row["rho"]) == (17, 3, 2, 10, 0.1)
    kept = np.r_[0:10, 13:20]
    gains = y[kept] - x[kept]
    assert row["value"] == pytest.approx(y[kept].mean())
    assert row["reference_value"] == pytest.approx(x[kept].mean())
    assert row["p_raw"] == pytest.approx(corrected_t_test(gains, 10).p)
    scale = gains.std(ddof=1) * np.sqrt(1 / 17 + 1 / 9)
    assert row["p_better"] == pytest.approx(stats.t.sf(0.01, 16, gains.mean(), scale))


# Holm


def test_holm_rejects_as_in_demsar() -> None:
    # Demšar 2006, section 3.2.2: three comparisons with C4.5, of which the first two are rejected at 0.05.
    np.testing.assert_allclose(holm([0.607, 0.019, 0.016]).p, [0.607, 0.048, 0.048])


def holm_of_statsmodels(p: Any) -> Any:
    """Adjusted by Holm's step-down."""
    with mock.patch("gc.collect"):  # which statsmodels does at each call, and is slow after many tests
        return multipletests(p, method="holm")[1]


@given(st.lists(st.floats(0, 1) | st.just(float("nan")), max_size=12))
def test_holm_is_statsmodels_and_never_below_the_raw_p(p: list[float]) -> None:
    (adjusted, _), raw = holm(p), np.array(p)
    tested = ~np.isnan(raw)
    assert np.isnan(adjusted[~tested]).all()
    assert (adjusted[tested] >= raw[tested]).all()
    if tested.any():
        np.testing.assert_allclose(adjusted[tested], holm_of_statsmodels(raw[tested]))


@given(st.lists(st.floats(1e-12, 1) | st.sampled_from([0.01, 0.05]), min_size=1, max_size=12))
def test_an_interval_excludes_zero_exactly_where_holm_rejects(p: list[float]) -> None:
    adjusted, factor = holm(p)
    assert (factor >= 1).all()
    assert (factor <= len(p) * (1 + 1e-12)).all()
    # A t-statistic that has this p, and its interval, in units of the standard error.
    t = stats.t.isf(np.array(p) / 2, 9)
    low, _ = intervals(t, np.ones(len(p)), 10, factor)
    near = np.isclose(adjusted, LEVEL)
    np.testing.assert_array_equal((low > 0)[~near], (adjusted < LEVEL)[~near])


# Drawn scores


def drawn_scores(
    seed: int = 0, scenarios: Sequence[str] = ("x", "y"), augmenters: Sequence[str] = ("none", "smote", "vae")
) -> pd.DataFrame:
    """Scores of several methods, among them a loss other than cross-entropy, two seeds of three folds."""
    draw = np.random.RandomState(seed)
    losses = [(augmenter, "") for augmenter in augmenters] + [("none", "focal=2")]
    frames = [
        scored(draw.rand(6).round(3), (augmenter, loss, rule), 3, scenario)
        for scenario in scenarios
        for augmenter, loss in losses
        for rule in RULES
    ]
    return pd.concat(frames, ignore_index=True)


def chosen(scores: pd.DataFrame, losses: pd.DataFrame) -> pd.DataFrame:
    return with_choices(scores, choose(losses))


def by_key(frame: pd.DataFrame) -> pd.DataFrame:
    key = [column for column in [*KEY, "reference"] if column in frame]
    return frame.sort_values(key).reset_index(drop=True)


# The comparison


def test_methods_are_compared_with_the_baseline_and_with_what_their_kind_must_beat() -> None:
    table = compare(chosen(drawn_scores(0), drawn_scores(1)))
    assert list(table.columns) == COLUMNS
    tested = [rule for rule in RULES if rule != ARGMAX_CHOSEN_STEP]
    for scenario in ("x", "y"):
        rows = table[table["scenario"] == scenario]
        against = {
            reference: {tuple(row) for row in same[METHOD].to_numpy()} for reference, same in rows.groupby("reference")
        }
        augmented = {(name, "", "chosen") for name in ("smote", "vae")} | {(WITH, "", "chosen")}
        trained = [("none", ""), ("none", "focal=2"), ("smote", ""), ("vae", "")]
        everything = {(*names, rule) for names in trained for rule in (*tested, "chosen")}
        assert against == {
            "baseline": (everything | {(WITH, "", "chosen"), (WITHOUT, "", "chosen")}) - {("none", "", "argmax")},
            "best_without_synthesis": augmented,
        }
    np.testing.assert_allclose(table["gain"], table["value"] - table["reference_value"], atol=1e-12)
    assert (table["n_splits"] == 6).all()
    assert (table["missing"] == 0).all()
    np.testing.assert_allclose(table["rho"], 1 / 3)


def test_every_family_is_adjusted_by_itself_and_what_is_the_same_counts_once() -> None:
    scores = drawn_scores(0, scenarios=("x", "y", "z"))
    table = compare(chosen(scores, drawn_scores(1, scenarios=("x", "y", "z"))))
    primary = table[table["family"] == "primary"]
    assert set(primary["augmenter"]) == {WITH}
    assert set(primary["reference"]) == {"best_without_synthesis"}
    np.testing.assert_allclose(primary["p_holm"], holm_of_statsmodels(primary["p_raw"]))
    assert (primary["n_comparisons"] == 3).all()
    planned = table[table["family"] == "planned"]
    assert set(planned["reference"]) == {"baseline"}
    wide = intervals(primary["gain"], primary["error"], primary["n_splits"], 3)
    np.testing.assert_array_equal(primary[["low_family", "high_family"]].to_numpy().T, wide)
    for _, same in planned.groupby("augmenter"):
        np.testing.assert_allclose(same["p_holm"], holm_of_statsmodels(same["p_raw"]))
    secondary = table[table["family"] == "secondary"]
    for (scenario, _), same in secondary.groupby(["scenario", "reference"]):
        # What differs from its reference by the same on every split has the same p.
        once = same.drop_duplicates(["gain", "error", "p_wilcoxon"])
        assert (same["n_comparisons"] == len(once)).all(), scenario
        np.testing.assert_allclose(once["p_holm"], holm_of_statsmodels(once["p_raw"]))
    assert set(secondary["decision"]) == {"argmax", "chosen"}
    for _, same in table[table["family"] == "of_a_rule"].groupby(["scenario", "decision"]):
        assert (same["n_comparisons"] == len(same)).all()
        np.testing.assert_allclose(same["p_holm"], holm_of_statsmodels(same["p_raw"]))
    # Methods that are one on every split are one comparison.
    twin = scores[scores["augmenter"] == "vae"].assign(augmenter="twin")
    again = compare(chosen(pd.concat([scores, twin], ignore_index=True), drawn_scores(1, scenarios=("x", "y", "z"))))
    columns = ["scenario", "decision", "n_comparisons"]
    of_argmax = again[(again["reference"] == "baseline") & (again["decision"] == "argmax")]
    assert set(of_argmax["augmenter"]) == {"none", "smote", "vae", "twin"}
    before = secondary[(secondary["reference"] == "baseline") & (secondary["decision"] == "argmax")]
    found, expected = (frame[columns].drop_duplicates(ignore_index=True) for frame in (of_argmax, before))
    pd.testing.assert_frame_equal(found, expected)


def test_a_rule_more_changes_no_other_number() -> None:
    scores, losses = drawn_scores(0), drawn_scores(1)
    more = drawn_scores(2).query("decision == 'tuned'").assign(decision="costs spam=5")
    after = compare(chosen(pd.concat([scores, more], ignore_index=True), losses))
    before = compare(chosen(scores, losses))
    pd.testing.assert_frame_equal(by_key(after[after["decision"] != "costs spam=5"]), by_key(before))
    assert set(after.loc[after["decision"] == "costs spam=5", "family"]) == {"of_a_rule"}


def test_what_lies_just_outside_the_region_is_seldom_called_equivalent_in_a_family() -> None:
    """Of 18 true differences just beyond it, any one in at most 5 % of all families; by Holm's factors in far more."""
    draw, n_families, n, rope, spread = np.random.RandomState(0), 100, 18, 0.01, 0.006
    base = [
        scored(np.zeros(10), (WITHOUT, "", "chosen"), scenario=f"{at}").assign(with_synthesis=False) for at in range(n)
    ]
    called = by_steps = 0
    for _ in range(n_families):
        # The folds of a scenario share what training sets that overlap share: ρ / (1 − ρ) of the variance.
        values = 1.001 * rope + draw.normal(0, spread, (n, 10)) + draw.normal(0, spread / 3, (n, 1))
        others = [scored(row, (WITH, "", "chosen"), scenario=f"{at}") for at, row in enumerate(values)]
        table = compare(pd.concat([*base, *others]), rope=rope)
        assert (table["n_comparisons"] == n).all()
        called += "equivalent" in set(table["outcome"])
        by_steps += bool(((table["low"] >= -rope) & (table["high"] <= rope)).any())
    told, most = f"{called} and {by_steps} of {n_families}", LEVEL + 3 * np.sqrt(LEVEL * (1 - LEVEL) / n_families)
    assert called / n_families <= most < by_steps / n_families, told


def test_the_two_planned_questions_do_not_depend_on_what_else_was_swept() -> None:
    """But for what is picked: here the other methods are never picked."""
    scores, losses = drawn_scores(0), drawn_scores(1)
    others = losses["augmenter"] == "vae"
    losses = losses.assign(value=losses["value"].where(~others, 2.0))
    with_others, without = (compare(chosen(scores[kept], losses[kept])) for kept in (scores["value"] >= 0, ~others))
    for family in ("primary", "planned"):
        first, second = (by_key(table[table["family"] == family]) for table in (with_others, without))
        pd.testing.assert_frame_equal(first, second)


def test_interval_outcome_and_p_of_a_row_agree() -> None:
    draw = np.random.RandomState(5)
    frames = [scored(draw.normal(0.7, 0.02, 10))]
    for at in range(30):
        frames.append(scored(draw.normal(0.7 + 0.003 * at, 0.02, 10), (f"smote {at}", "", "argmax")))
    table = compare(pd.concat(frames))
    rejected = table["p_holm"] < LEVEL
    assert 0 < rejected.sum() < len(table)
    assert ((table["low"] > 0) | (table["high"] < 0)).tolist() == rejected.tolist()
    assert ((table["low_raw"] > 0) | (table["high_raw"] < 0)).tolist() == (table["p_raw"] < LEVEL).tolist()
    assert (table["low"] <= table["low_raw"] + 1e-12).all()
    assert (table.loc[table["outcome"] == "better", "low"] > 0).all()


def test_statistics_of_a_row_are_those_of_its_differences() -> None:
    x, y = np.random.RandomState(3).rand(2, 10)
    row = compared(x, y)
    gains = np.round(y - x, 12)
    assert row["value"] == pytest.approx(y.mean())
    assert row["value_std"] == pytest.approx(y.std(ddof=1))
    assert row["effect"] == pytest.approx(gains.mean() / gains.std(ddof=1))
    assert row["p_paired_t"] == pytest.approx(stats.ttest_rel(y, x).pvalue)
    assert row["p_wilcoxon"] == pytest.approx(stats.wilcoxon(gains).pvalue)
    assert row["p_raw"] > row["p_paired_t"]


def test_a_scenario_without_a_reference_has_no_rows() -> None:
    scores = drawn_scores()
    assert compare(scores[scores["augmenter"] != "none"]).empty
    table = compare(scores[(scores["augmenter"] != "none") | (scores["scenario"] == "y")])
    assert set(table["scenario"]) == {"y"}
    assert set(table["reference"]) == {"baseline"}  # nothing was picked
    assert list(compare(scores[:0]).columns) == COLUMNS


def test_fewer_than_two_common_splits_give_no_p_value() -> None:
    scores = pd.concat([scored([0.5] * 4), scored([0.6] * 4, ("smote", "", "argmax"))], ignore_index=True)
    for n_common, drop in ((1, [1, 2, 7]), (0, [1, 2, 4, 7])):
        row = compare(scores.drop(index=drop)).iloc[0]
        assert row["n_splits"] == n_common
        assert row["missing"] == 4 - n_common
        tested = ["low", "high", "low_raw", "t", "p_raw", "p_holm", "detectable", "p_wilcoxon", "p_better"]
        assert row[tested].isna().all()
        assert row["outcome"] == "inconclusive"
        assert row["gain"] == pytest.approx(0.1) if n_common else np.isnan(row["gain"])


def test_methods_that_score_alike_do_not_differ() -> None:
    row = compared([0.5, 0.6, 0.7], [0.5, 0.6, 0.7], n_folds=3)
    assert (row["gain"], row["t"], row["effect"], row["p_worse"], row["p_better"]) == (0, 0, 0, 0, 0)
    assert (row["p_raw"], row["p_wilcoxon"], row["p_paired_t"], row["p_equivalent"]) == (1, 1, 1, 1)
    row = compared([0.5, 0.6, 0.7], [0.6, 0.7, 0.8], n_folds=3)  # 0.1 each, but for rounding
    assert (row["t"], row["p_raw"], row["p_paired_t"], row["p_better"]) == (np.inf, 0, 0, 1)


def test_two_scores_of_one_split_are_refused() -> None:
    with pytest.raises(ValueError, match="none of b has two scores of seed 0 fold 1"):
        compare(pd.concat([scored([0.5, 0.6]), scored([0.5, 0.7])[1:]]))


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    scores, validation = drawn_scores(0), drawn_scores(1)
    expected = compare(chosen(scores, validation))
    shuffled, also = (frame.sample(frac=1, random_state=seed) for frame in (scores, validation))
    pd.testing.assert_frame_equal(by_key(compare(chosen(shuffled, also))), by_key(expected))


def test_labels_may_be_categories() -> None:
    scores, validation = drawn_scores(0), drawn_scores(1)
    expected = compare(chosen(scores, validation))
    categories = dict.fromkeys(["scenario", *METHOD], "category")
    found = compare(chosen(scores.astype(categories), validation.astype(categories)))
    pd.testing.assert_frame_equal(found, expected)


@settings(max_examples=20)
@given(st.lists(st.tuples(SCORES, SCORES), min_size=2, max_size=12))
def test_turning_the_sign_turns_the_gain(scores: list[tuple[float, float]]) -> None:
    x, y = np.array(scores).T
    better = compared(x, y, n_folds=5)
    worse = compared(x, y, n_folds=5, higher_is_better=False)
    for column, turned in (("gain", "gain"), ("t", "t"), ("effect", "effect"), ("low", "high"), ("high", "low")):
        assert worse[turned] == -better[column] or np.isnan(better[column])
    for column, turned in (("p_worse", "p_better"), ("p_equivalent", "p_equivalent"), ("p_better", "p_worse")):
        assert worse[turned] == pytest.approx(better[column], abs=1e-9, nan_ok=True)
    for column in ("value", "value_std", "p_raw", "p_holm", "p_wilcoxon", "p_paired_t"):
        assert worse[column] == better[column] or np.isnan(better[column])


@settings(max_examples=20)
@given(st.sets(st.integers(0, 71), max_size=30))
def test_splits_that_lack_are_counted(lacking: set[int]) -> None:
    scores = drawn_scores(0, scenarios=("x",), augmenters=("none", "smote"))
    present = scores.drop(index=sorted(lacking))
    everyone = len(present.groupby(["seed", "fold"]))
    table = compare(present)
    tested = present[present["decision"] != ARGMAX_CHOSEN_STEP]
    have = {key: set(rows[["seed", "fold"]].itertuples(index=False)) for key, rows in tested.groupby(METHOD)}
    for row in table.itertuples():
        common = have[row.augmenter, row.loss, row.decision] & have["none", "", "argmax"]
        assert row.n_splits == len(common)
        assert row.missing == everyone - len(common)
    if ("none", "", "argmax") in have:
        assert len(table) == len(have) - 1


# What the labels promise: the type I error under overlapping folds


def simulated_members(
    n_data_sets: int, n_seeds: int, n_folds: int, learner: str = "centroid", advantage: float = 0.0
) -> pd.DataFrame:
    """Two learners, cross-validated on the folds of small data sets, each its own scenario.

    Both are nearest-centroid or 1-nearest-neighbour classifiers, each on five of ten features, which
    tell two classes apart equally well; so their expected accuracies are the same, unless one is
    given an advantage.
    """
    draw = np.random.RandomState(n_seeds * 100 + n_folds)
    n_rows, n_features, shift = 200, 5, 0.3
    labels = np.arange(n_rows) % 2
    hits = {"centroid": centroid_hits, "neighbour": neighbour_hits}[learner]
    frames = []
    for scenario in range(n_data_sets):
        folds = draw.rand(n_seeds, n_rows).argsort(1) % n_folds
        tests = folds[:, None] == np.arange(n_folds)[:, None]  # [seed, fold, row]
        for name, gain in (("none", 0.0), ("smote", advantage)):
            x = draw.randn(n_rows, n_features) + np.where(labels, 1, -1)[:, None] * (shift + gain)
            accuracy = (hits(x, labels, tests) & tests).sum(-1) / tests.sum(-1)
            frames.append(scored(accuracy.ravel(), (name, "", "argmax"), n_folds, f"data set {scenario}"))
    return pd.concat(frames, ignore_index=True)


def centroid_hits(x: Array, labels: NDArray[np.int64], tests: NDArray[np.bool_]) -> NDArray[np.bool_]:
    trains = ~tests[:, :, None] * np.eye(2)[labels].T  # [seed, fold, class, row]
    centroids = trains @ x / trains.sum(-1, keepdims=True)
    direction = centroids[:, :, 1] - centroids[:, :, 0]
    threshold = (centroids.mean(2) * direction).sum(-1)
    return (direction @ x.T > threshold[..., None]) == labels  # type: ignore[no-any-return]


def neighbour_hits(x: Array, labels: NDArray[np.int64], tests: NDArray[np.bool_]) -> NDArray[np.bool_]:
    fold = tests.argmax(1)  # [seed, row]
    together = fold[:, :, None] == fold[:, None]
    distances = np.where(together, np.inf, ((x[:, None] - x) ** 2).sum(-1))
    return (labels[distances.argmin(-1)] == labels)[:, None]  # type: ignore[no-any-return]


N_DATA_SETS = 1000
# Of an estimated rate, where the true one is the level.
STANDARD_ERROR = np.sqrt(LEVEL * (1 - LEVEL) / N_DATA_SETS)


@pytest.mark.parametrize(("n_seeds", "n_folds"), [(1, 10), (3, 10), (10, 10), (5, 5)])
def test_under_overlapping_folds_the_corrected_test_keeps_its_level_and_the_plain_ones_do_not(
    n_seeds: int, n_folds: int
) -> None:
    table = compare(simulated_members(N_DATA_SETS, n_seeds, n_folds))
    sizes = (table[["p_raw", "p_paired_t", "p_wilcoxon"]] < LEVEL).mean()
    told = f"rejected at {LEVEL} of {N_DATA_SETS} true nulls, {n_seeds} x {n_folds} folds: {sizes.to_dict()}"
    assert sizes["p_raw"] <= LEVEL + 3 * STANDARD_ERROR, told
    if n_seeds > 1:
        assert sizes["p_paired_t"] > LEVEL + 3 * STANDARD_ERROR, told
        assert sizes["p_wilcoxon"] > LEVEL + 3 * STANDARD_ERROR, told
    # Nor does the Bayesian test often become sure of either.
    sure = (table[["p_worse", "p_better"]] > 1 - LEVEL / 2).any(axis=1).mean()
    assert sure <= LEVEL + 3 * STANDARD_ERROR, told


def test_of_unstable_learners_the_corrected_test_is_closer_to_its_level_than_the_plain_ones() -> None:
    n_data_sets = 300
    table = compare(simulated_members(n_data_sets, 3, 10, learner="neighbour"))
    sizes = (table[["p_raw", "p_paired_t", "p_wilcoxon"]] < LEVEL).mean()
    told = f"rejected at {LEVEL} of {n_data_sets} true nulls, 1-nearest-neighbour, 3 x 10 folds: {sizes.to_dict()}"
    assert sizes["p_raw"] < 0.15, told  # about 0.08: the docstring tells
    assert sizes["p_raw"] < min(sizes["p_paired_t"], sizes["p_wilcoxon"]) / 2, told


def test_a_planted_difference_is_found() -> None:
    table = compare(simulated_members(100, 1, 10, advantage=0.3))
    assert (table["p_raw"] < LEVEL).mean() > 0.8
    assert (table["gain"] > 0).all()
    assert (table["p_better"] > 0.95).mean() > 0.8
    assert (table["low"] < table["gain"]).all()


def by_all_signs(differences: NDArray[np.float64]) -> float:
    """The p-value of signed ranks by scipy's count of all changes of signs."""

    def signed_ranks(x: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return np.asarray((np.sign(x) * stats.rankdata(np.abs(x), axis=axis)).sum(axis=axis))

    test = stats.permutation_test(
        (differences,), signed_ranks, permutation_type="samples", vectorized=True, n_resamples=np.inf
    )
    return float(test.pvalue)


@given(st.lists(st.integers(-4, 4), min_size=2, max_size=9))
def test_signed_ranks_are_exact_with_ties_and_zeros(values: list[int]) -> None:
    differences = np.array(values, dtype=float)
    p = signed_rank_test(differences)
    assert p == pytest.approx(by_all_signs(differences) if differences.any() else 1.0)
    assert signed_rank_test(-differences) == p


def test_signed_ranks_without_ties_are_scipys_exact_ones() -> None:
    for n in (1, 5, 20, EXACT_RANKS):
        differences = np.random.RandomState(n).normal(0.3, 1, (3, 4, n))
        np.testing.assert_allclose(
            signed_rank_test(differences), stats.wilcoxon(differences, axis=-1, method="exact").pvalue, rtol=1e-9
        )


def test_signed_ranks_are_those_of_published_examples() -> None:
    # Hollander and Wolfe's depression scores (in the help of R's wilcox.test): V = 40, two-sided p 0.0391. Darwin's 15
    # pairs of maize (Fisher 1935): T = 24, two-sided p 0.0413.
    before = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
    after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
    assert signed_rank_test(np.subtract(before, after)) == pytest.approx(0.0390625)
    darwin = [6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75]
    assert signed_rank_test(darwin) == pytest.approx(0.0413, abs=5e-5)


def test_beyond_the_exact_ones_signed_ranks_are_scipys_approximation() -> None:
    differences = np.random.RandomState(0).randint(-3, 5, (4, EXACT_RANKS + 1)).astype(float)
    differences[2] = 0
    p = signed_rank_test(differences)
    approximate = stats.wilcoxon(differences[[0, 1, 3]], axis=-1, zero_method="zsplit", method="asymptotic").pvalue
    np.testing.assert_array_equal(p[[0, 1, 3]], approximate)
    assert p[2] == 1
    near = np.random.RandomState(1).randint(-3, 5, EXACT_RANKS).astype(float)
    expected = stats.wilcoxon(near, zero_method="zsplit", method="asymptotic", correction=True).pvalue
    assert signed_rank_test(near) == pytest.approx(expected, rel=0.05)


# Intervals keep to what a score can be


@given(
    st.lists(st.tuples(SCORES, SCORES), min_size=2, max_size=4),
    st.sampled_from([1.0, 3.0, 8.0]),
)
def test_an_interval_keeps_to_the_range_and_to_its_side_of_zero(
    pairs: list[tuple[float, float]], factor: float
) -> None:
    gains = [one - other for one, other in pairs]
    test = corrected_t_test(gains, len(gains))
    low, high = intervals(test.mean, test.error, len(gains), factor)
    cut_low, cut_high = intervals(test.mean, test.error, len(gains), factor, within=gain_range("balanced_accuracy"))
    assert -1 <= cut_low <= test.mean <= cut_high <= 1
    assert (cut_low == low) == (low >= -1)
    assert (cut_high == high) == (high <= 1)
    assert np.array_equal(np.sign([cut_low, cut_high]), np.sign([low, high]))


@pytest.mark.parametrize(
    ("metric", "range_"),
    [("balanced_accuracy", (-1, 1)), ("f1[spam]", (-1, 1)), ("mcc", (-2, 2)), ("brier_score", (-2, 2))],
)
def test_differences_have_the_range_that_their_score_allows(metric: str, range_: tuple[float, float]) -> None:
    assert gain_range(metric) == range_
    low, high = gain_range("log_loss")
    assert low == -high < -700


def test_with_two_splits_intervals_are_cut_and_nothing_else_changes() -> None:
    free, cut = (compared([0.5, 0.7], [0.9, 0.7], n_folds=2, **more) for more in ({}, {"within": (-1.0, 1.0)}))
    assert free["low"] < -1
    assert free["high"] > 1
    assert (cut["low"], cut["high"]) == (-1, 1)
    ends = ["low", "high", "low_family", "high_family", "low_raw", "high_raw"]
    assert cut.drop(ends).equals(free.drop(ends))
