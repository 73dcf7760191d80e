import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from synaug.comparison.ranking import Ranking, rank
from synaug.comparison.stats import signed_rank_test

# Demšar 2006, Table 6: AUC of C4.5 without and with tuning of m, of the confidence, and of both. The paper ranks
# voting by more digits than it prints: "0.975 (2) 0.975 (3)".
METHODS = ["C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf"]
DEMSAR = pd.DataFrame.from_dict(
    {
        "adult (sample)": [0.763, 0.768, 0.771, 0.798],
        "breast cancer": [0.599, 0.591, 0.590, 0.569],
        "breast cancer wisconsin": [0.954, 0.971, 0.968, 0.967],
        "cmc": [0.628, 0.661, 0.654, 0.657],
        "ionosphere": [0.882, 0.888, 0.886, 0.898],
        "iris": [0.936, 0.931, 0.916, 0.931],
        "liver disorders": [0.661, 0.668, 0.609, 0.685],
        "lung cancer": [0.583, 0.583, 0.563, 0.625],
        "lymphography": [0.775, 0.838, 0.866, 0.875],
        "mushroom": [1.000, 1.000, 1.000, 1.000],
        "primary tumor": [0.940, 0.962, 0.965, 0.962],
        "rheum": [0.619, 0.666, 0.614, 0.669],
        "voting": [0.972, 0.981, 0.97501, 0.975],
        "wine": [0.957, 0.978, 0.946, 0.970],
    },
    orient="index",
    columns=METHODS,
)


def ranked(values: pd.DataFrame, higher_is_better: bool = True) -> Ranking:
    """As if each scenario were a data set of its own."""
    return rank(values, {scenario: scenario for scenario in values.index}, higher_is_better=higher_is_better)


def test_mean_ranks_are_demsars() -> None:
    np.testing.assert_allclose(ranked(DEMSAR).mean_ranks, [3.143, 2.000, 2.893, 1.964], atol=5e-4)


def test_friedman_and_iman_davenport_are_demsars_but_for_ties() -> None:
    ranking = ranked(DEMSAR)
    n, k = DEMSAR.shape
    # The paper's 9.28 does not correct for ties, and scipy does: by 1 − Σ(t³ − t) / (N k (k² − 1)), here for three
    # pairs and one row of four that are equal.
    ties = 3 * (2**3 - 2) + (4**3 - 4)
    uncorrected = ranking.friedman * (1 - ties / (n * k * (k**2 - 1)))
    assert uncorrected == pytest.approx(9.28, abs=5e-3)
    assert (n - 1) * uncorrected / (n * (k - 1) - uncorrected) == pytest.approx(3.69, abs=5e-3)
    chi2 = ranking.friedman
    assert ranking.iman_davenport_f == pytest.approx(13 * chi2 / (42 - chi2))
    assert ranking.iman_davenport_p == pytest.approx(stats.f.sf(ranking.iman_davenport_f, 3, 39))
    assert ranking.iman_davenport_p < 0.05  # as in the paper, where the critical value is 2.85


def test_the_critical_difference_is_demsars() -> None:
    ranking = ranked(DEMSAR)
    assert ranking.critical_difference == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=1e-3)
    assert ranking.critical_difference == pytest.approx(1.25, abs=5e-3)
    # At 0.10, where it is 1.12, C4.5 differs from both that tune m.
    p = ranking.nemenyi.to_numpy(dtype=float)
    differ = {(METHODS[i], METHODS[j]) for i, j in zip(*np.nonzero(np.triu(p < 0.1)), strict=True)}
    assert differ == {("C4.5", "C4.5+m"), ("C4.5", "C4.5+m+cf")}
    assert p.min() > 0.05  # as the paper says, too


def test_signed_ranks_of_a_pair_are_demsars() -> None:
    # Table 2: of C4.5 and C4.5+m, R⁺ = 93 and R⁻ = 12 where equals share their ranks.
    differences = (DEMSAR["C4.5+m"] - DEMSAR["C4.5"]).round(3).to_numpy()
    p = signed_rank_test(differences)
    # Of all 2¹² signs of the 12 that differ, how many have sums as far apart; the two that do not are ranked, too.
    ranks = stats.rankdata(np.abs(differences))
    signed = (ranks * np.sign(differences))[differences != 0]
    assert (signed[signed > 0].sum(), -signed[signed < 0].sum()) == (93 - 1.5, 12 - 1.5)  # zeros half to either
    signs = 1 - 2 * ((np.arange(2 ** len(signed))[:, None] >> np.arange(len(signed))) & 1)
    assert p == pytest.approx((np.abs(signs @ signed) >= np.abs(signed.sum()) - 1e-9).mean())
    assert p < 0.05  # T = 12 is below the paper's critical value, 21


def test_scenarios_that_lack_a_method_are_not_ranked() -> None:
    values = DEMSAR.copy()
    values.loc["iris", "C4.5"] = np.nan
    ranking = ranked(values)
    assert list(map(str, ranking.scenarios)) == list(DEMSAR.index.drop("iris"))
    pd.testing.assert_series_equal(ranking.mean_ranks, ranked(DEMSAR.drop(index="iris")).mean_ranks)


def test_less_is_better_for_losses() -> None:
    turned = ranked(-DEMSAR, higher_is_better=False)
    pd.testing.assert_series_equal(turned.mean_ranks, ranked(DEMSAR).mean_ranks)
    assert turned.friedman == ranked(DEMSAR).friedman


@pytest.mark.parametrize(
    ("n_scenarios", "n_methods", "cautions"),
    [
        (0, 3, []),
        (1, 3, ["1 complete scenario this ranking describes"]),
        (4, 2, ["4 complete scenarios this ranking describes", "needs 3 methods, and 2 were ranked"]),
        (9, 3, ["9 complete scenarios, fewer than 10"]),
        (10, 3, []),
        (3, 1, ["3 complete scenarios", "needs 3 methods, and 1 was ranked"]),
    ],
)
def test_what_the_numbers_cannot_bear_is_said(n_scenarios: int, n_methods: int, cautions: list[str]) -> None:
    values = pd.DataFrame(np.random.RandomState(0).rand(n_scenarios, n_methods))
    ranking = ranked(values)
    assert len(ranking.cautions) == len(cautions)
    for said, part in zip(ranking.cautions, cautions, strict=True):
        assert part in said
    tested = n_scenarios >= 2 and n_methods >= 3
    assert np.isfinite([ranking.friedman, ranking.iman_davenport_f, ranking.iman_davenport_p]).all() == tested
    compared = n_scenarios >= 2 and n_methods >= 2
    assert np.isfinite(ranking.critical_difference) == compared
    assert ranking.nemenyi.shape == (n_methods, n_methods)
    assert ranking.nemenyi.notna().all(axis=None) == compared


def test_scenarios_that_share_a_data_set_are_told() -> None:
    datasets = {scenario: "uci" if at < 2 else scenario for at, scenario in enumerate(DEMSAR.index)}
    (caution,) = rank(DEMSAR, datasets).cautions
    assert "14 complete scenarios come from 13 data sets" in caution
    assert "not independent" in caution


def test_equals_but_for_rounding_are_equals() -> None:
    assert (ranked(pd.DataFrame([[0.1 + 0.2, 0.3], [0.3, 0.1 + 0.2]])).mean_ranks == 1.5).all()
    assert (ranked(pd.DataFrame([[0.1 + 0.2, 0.3]])).mean_ranks == 1.5).all()


def test_methods_that_score_alike_do_not_differ() -> None:
    ranking = ranked(pd.DataFrame(np.full((12, 4), 0.5)))
    assert (ranking.mean_ranks == 2.5).all()
    assert (ranking.friedman, ranking.iman_davenport_p) == (0, 1)
    assert (ranking.nemenyi == 1).all(axis=None)


def test_scenarios_that_all_agree_give_the_largest_f() -> None:
    ranking = ranked(pd.DataFrame(np.arange(12)[:, None] + np.array([0.1, 0.2, 0.3])))
    assert ranking.friedman == pytest.approx(24)
    assert (ranking.iman_davenport_f, ranking.iman_davenport_p) == (np.inf, 0)


@settings(max_examples=20)
@given(st.permutations(range(14)), st.permutations(range(4)))
def test_the_order_of_scenarios_and_methods_does_not_matter(scenarios: list[int], methods: list[int]) -> None:
    expected, found = ranked(DEMSAR), ranked(DEMSAR.iloc[scenarios, methods])
    pd.testing.assert_series_equal(found.mean_ranks[METHODS], expected.mean_ranks)
    assert found.friedman == pytest.approx(expected.friedman)
    pd.testing.assert_frame_equal(found.nemenyi.loc[METHODS, METHODS], expected.nemenyi)


def test_under_independent_scenarios_the_tests_keep_their_level() -> None:
    draw = np.random.RandomState(0)
    n_times, level = 300, 0.05
    rejected = np.zeros(2)
    for _ in range(n_times):
        ranking = ranked(pd.DataFrame(draw.rand(15, 5)))
        rejected += np.array([ranking.iman_davenport_p, ranking.nemenyi.to_numpy().min()]) < level
    sizes = dict(zip(("iman_davenport", "nemenyi"), rejected / n_times, strict=True))
    told = f"rejected at {level} of {n_times} true nulls: {sizes}"
    assert max(sizes.values()) <= level + 3 * np.sqrt(level * (1 - level) / n_times), told
    assert min(sizes.values()) > 0, told
