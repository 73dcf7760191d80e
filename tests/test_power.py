"""How large a difference must be to be found, and whether the primary question's statistics keep what they promise."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.power import TTestPower

from synaug.comparison import power
from synaug.comparison.choices import KEY, choose, with_choices
from synaug.comparison.significance import LEVEL, POWER
from synaug.comparison.stats import compare, corrected_t_test


@pytest.mark.parametrize("n", [5, 10, 30, 100])
@pytest.mark.parametrize("level", [0.05, 0.05 / 12])
def test_what_is_found_is_the_power_analysis_of_a_t_test(n: int, level: float) -> None:
    effect = TTestPower().solve_power(nobs=n, alpha=level, power=POWER)  # in standard deviations
    assert power.detectable_in_errors(n - 1, level) == pytest.approx(effect * np.sqrt(n), rel=1e-4)


def test_of_ever_so_many_splits_it_is_that_of_a_normal() -> None:
    assert power.detectable_in_errors(0) == pytest.approx(1.959964 + 0.841621, abs=1e-5)
    assert power.detectable_in_errors(100_000) == pytest.approx(power.detectable_in_errors(0), rel=1e-3)


@given(st.integers(1, 200), st.integers(1, 200))
def test_stricter_tests_find_only_larger_differences(degrees: int, factor: int) -> None:
    found = power.detectable_in_errors(degrees, LEVEL / factor)
    assert found >= power.detectable_in_errors(degrees)
    critical = stats.t.isf(LEVEL / factor / 2, degrees)
    assert found > critical * 0.99


def test_more_seeds_lower_what_is_found_down_to_a_floor_that_only_rows_lower() -> None:
    found = [power.power_before(200, 10, n_seeds) for n_seeds in (1, 3, 10, 1000)]
    differences = [each.difference for each in found]
    assert differences == sorted(differences, reverse=True)
    floor = found[0].with_any_seeds
    assert all(each.with_any_seeds == floor for each in found)
    assert differences[-1] == pytest.approx(floor, rel=0.01)
    more_rows = power.power_before(800, 10, 1)
    assert more_rows.with_any_seeds == pytest.approx(floor / 2, rel=0.01)
    assert more_rows.difference == pytest.approx(differences[0] / 2, rel=0.02)


@pytest.mark.parametrize("n_seeds", [1, 3, 10])
def test_of_the_smaller_difference_that_is_named_every_second_one_is_found(n_seeds: int) -> None:
    found = power.detectable_in_errors(degrees := 10 * n_seeds - 1)
    critical = stats.t.ppf(1 - LEVEL / 2, degrees)
    assert stats.nct.sf(critical, degrees, power.EVERY_SECOND * found) == pytest.approx(0.5, abs=0.02)
    points = 100 * power.power_before(200, 10, n_seeds).difference
    said = power.sentence_before([100, 100], 10, n_seeds)
    assert (
        f"find a true difference of about {points:.1f} points of balanced accuracy with a probability of 80 %" in said
    )
    assert said.startswith(f"10 folds of 200 test rows and {n_seeds} seed")
    assert f"and one of {0.7 * points:.1f} points half of the time. This holds for one scenario alone" in said


def test_before_a_sweep_it_is_what_the_spread_of_such_rows_gives_afterwards() -> None:
    n_rows, n_folds, n_seeds, disagreement = 400, 10, 3, 0.1
    before = power.power_before(n_rows, n_folds, n_seeds, disagreement)
    spread = np.sqrt((disagreement - before.difference**2) / n_rows)
    n_splits = n_folds * n_seeds
    error = spread * np.sqrt(1 / n_splits + 1 / (n_folds - 1))
    after = power.after([error], [n_splits], [n_folds], [1.0])
    assert after.difference[0] == pytest.approx(before.difference, rel=1e-9)
    assert after.with_any_seeds[0] == pytest.approx(before.with_any_seeds, rel=0.01)


def test_what_has_no_error_has_no_power_either() -> None:
    nothing = power.after([np.nan, np.nan], [1, 4], [10, 1], [np.nan, np.nan])
    assert np.isnan(nothing.difference).all()
    assert np.isnan(nothing.with_any_seeds).all()


# The primary question, simulated: differences as the correction supposes them, splits that share ρ of their variance

N_FOLDS, N_SEEDS, N_TIMES = 10, 3, 2000
SPREAD = 0.02


def differences(n_times: int, gain: float, seed: int) -> np.ndarray:
    """Differences of splits `[n_times, split]` that are correlated by ρ = 1 / k, as Nadeau and Bengio's test has it."""
    draw = np.random.RandomState(seed)
    rho = 1 / N_FOLDS
    shared = draw.normal(0, SPREAD * np.sqrt(rho), (n_times, 1))
    return gain + shared + draw.normal(0, SPREAD * np.sqrt(1 - rho), (n_times, N_FOLDS * N_SEEDS))


def of_rate(rate: float, n_times: int) -> float:
    """Three standard errors of a simulated rate."""
    return 3 * float(np.sqrt(rate * (1 - rate) / n_times))


def test_the_test_keeps_its_level_and_finds_what_it_is_said_to_find() -> None:
    null = corrected_t_test(differences(N_TIMES, 0.0, 1), N_FOLDS)
    rejected = float((null.p < LEVEL).mean())
    assert rejected == pytest.approx(LEVEL, abs=of_rate(LEVEL, N_TIMES) + 0.01)
    # The standard deviation within an experiment is without what its splits share.
    error = SPREAD * np.sqrt(1 - 1 / N_FOLDS) * np.sqrt(power.variance_factor(N_FOLDS * N_SEEDS, N_FOLDS))
    gain = power.detectable_in_errors(N_FOLDS * N_SEEDS - 1) * error
    found = float((corrected_t_test(differences(N_TIMES, gain, 2), N_FOLDS).p < LEVEL).mean())
    assert found == pytest.approx(POWER, abs=of_rate(POWER, N_TIMES) + 0.02)


def fabricated_scores(n_scenarios: int, gain: float, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Test scores and out-of-fold losses of two methods without synthesis and three with, all alike but for a gain."""
    draw = np.random.RandomState(seed)
    n_splits = N_FOLDS * N_SEEDS
    rows, losses = [], []
    for scenario in range(n_scenarios):
        of_split = draw.normal(0.8, 0.03, n_splits)
        for augmenter, loss in (("none", ""), ("none", "class_weighted"), ("smote", ""), ("adasyn", ""), ("vae", "")):
            is_new = augmenter != "none"
            rho = 1 / N_FOLDS
            own = draw.normal(0, SPREAD * np.sqrt(rho)) + draw.normal(0, SPREAD * np.sqrt(1 - rho), n_splits)
            values = of_split + own / np.sqrt(2) + gain * is_new
            for at in range(n_splits):
                key = (scenario, augmenter, loss, "prior_corrected", at // N_FOLDS, at % N_FOLDS, is_new)
                rows.append((*key, values[at]))
                losses.append((*key, draw.rand()))
    columns = [*KEY, "with_synthesis", "value"]
    return pd.DataFrame(rows, columns=columns), pd.DataFrame(losses, columns=columns)


@pytest.mark.parametrize(("gain", "least", "most"), [(0.0, 0.0, 0.07), (0.026, 0.8, 1.0)])
def test_the_primary_question_errs_seldom_under_the_null_and_finds_a_planted_gain(
    gain: float, least: float, most: float
) -> None:
    """Of 300 scenarios, each asked by itself; picking is on losses that tell nothing of the test scores."""
    scores, losses = fabricated_scores(300, gain, seed=3)
    table = compare(with_choices(scores, choose(losses)))
    primary = table[table["family"] == "primary"]
    assert len(primary) == 300
    said = float(((primary["p_raw"] < LEVEL) & (primary["gain"] > 0)).mean())
    assert least <= said <= most


def test_over_scenarios_holm_keeps_the_chance_of_any_false_answer() -> None:
    n_times, n_scenarios = 40, 6
    scores, losses = fabricated_scores(n_times * n_scenarios, 0.0, seed=4)
    values = with_choices(scores, choose(losses))
    any_wrong = 0
    for at in range(n_times):
        of_sweep = values[values["scenario"].isin(range(at * n_scenarios, (at + 1) * n_scenarios))]
        table = compare(of_sweep.astype({"scenario": object}))
        any_wrong += bool((table.loc[table["family"] == "primary", "p_holm"] < LEVEL).any())
    assert any_wrong / n_times <= LEVEL + of_rate(LEVEL, n_times)


def test_of_unequal_classes_the_line_before_a_sweep_counts_the_small_one() -> None:
    """A mean of two recalls, of 60 and of 6 rows, varies as an accuracy of 2² / (1/60 + 1/6) rows."""
    points = 100 * power.power_before(4 / (1 / 60 + 1 / 6), 10, 1).difference
    said = power.sentence_before([60, 6], 10, 1)
    assert said.startswith("10 folds of 66 test rows (6 of the smallest class) and 1 seed")
    assert f"about {points:.1f} points of balanced accuracy" in said
    assert points > 1.5 * 100 * power.power_before(66, 10, 1).difference
