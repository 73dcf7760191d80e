"""Rows that each class keeps, against the formulas of Buda et al. 2018 and Cui et al. 2019."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synaug.errors import UserError
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.settings import PROFILES

CIFAR10 = np.full(10, 5000)
LATER_HALF = [5, 6, 7, 8, 9]

profiles = pytest.mark.parametrize("profile", PROFILES)
ratios = st.floats(1, 1000)


def test_step_is_that_of_buda() -> None:
    # Section 3.1, with rho = 10 and mu = 0.5 on classes of 5000.
    keep = ImbalanceRatio(10, "step").rows_to_keep(CIFAR10, LATER_HALF)
    assert keep.tolist() == [5000] * 5 + [500] * 5


def test_linear_is_that_of_buda() -> None:
    # Section 3.1, with rho = 10 on classes of 5000, evenly spaced from 5000 to 500.
    keep = ImbalanceRatio(10, "linear").rows_to_keep(CIFAR10, LATER_HALF)
    assert keep.tolist() == [5000, 4500, 4000, 3500, 3000, 2500, 2000, 1500, 1000, 500]


def test_exponential_is_the_long_tail_of_cui() -> None:
    # Long-tailed CIFAR-10 with imbalance factor 100; the authors' program rounds down, ours to the nearest.
    published = np.array([5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50])
    keep = ImbalanceRatio(100, "exponential").rows_to_keep(CIFAR10, LATER_HALF)
    assert keep.tolist() == [5000, 2997, 1797, 1077, 646, 387, 232, 139, 83, 50]
    assert np.isin(keep - published, [0, 1]).all()
    steps = keep[1:] / keep[:-1]
    np.testing.assert_allclose(steps, 100 ** (-1 / 9), rtol=0.02)  # mu, class by class


@profiles
def test_the_named_minority_is_thinned_wherever_it_stands(profile: str) -> None:
    ratio = ImbalanceRatio(10, profile, ["a", "c"])
    minority = ratio.minority_classes("abcd", np.full(4, 100), 0)
    assert minority == [0, 2]
    keep = ratio.rows_to_keep(np.full(4, 100), minority)
    assert keep[[0, 2]].max() < keep[[1, 3]].max() == 100
    assert keep[2] == keep.min() == 10
    ordered = keep[[1, 3, 0, 2]]
    assert (np.diff(ordered) <= 0).all()


@profiles
@pytest.mark.parametrize("n_classes", [2, 3, 10])
@given(ratio=ratios, n=st.integers(1, 10_000))
def test_largest_and_smallest_are_ratio_to_one(profile: str, n_classes: int, ratio: float, n: int) -> None:
    keep = ImbalanceRatio(ratio, profile).rows_to_keep(
        np.full(n_classes, n), list(range((n_classes + 1) // 2, n_classes))
    )
    assert keep.max() == keep[0] == n
    assert abs(keep.min() - n / ratio) <= 0.5 + 1e-9
    assert keep[-1] == keep.min()


@profiles
@given(st.tuples(ratios, ratios), st.lists(st.integers(1, 500), min_size=2, max_size=6))
def test_a_higher_ratio_keeps_no_more_of_any_class(profile: str, two: tuple[float, float], rows: list[int]) -> None:
    counts, minority = np.array(rows), list(range(len(rows) - len(rows) // 2, len(rows)))
    mild, severe = (ImbalanceRatio(each, profile).rows_to_keep(counts, minority) for each in sorted(two))
    assert (severe <= mild).all()
    assert (mild <= counts).all()


@profiles
def test_ratio_1_keeps_every_row(profile: str) -> None:
    assert ImbalanceRatio(1, profile).rows_to_keep(np.array([7, 7, 7]), [2]).tolist() == [7, 7, 7]


def test_no_ratio_keeps_classes_as_they_are_in_a_copy() -> None:
    counts = np.array([5, 900])
    keep = ImbalanceRatio(None).rows_to_keep(counts, [0])
    assert keep.tolist() == [5, 900]
    assert not np.shares_memory(keep, counts)


def test_a_class_may_be_left_with_nothing_for_the_caller_to_refuse() -> None:
    assert ImbalanceRatio(100).rows_to_keep(np.array([40, 40]), [1]).tolist() == [40, 0]


@pytest.mark.parametrize(("names", "minority"), [("ab", [1]), ("abc", [2]), ("abcd", [2, 3]), ("abcde", [3, 4])])
def test_the_default_minority_is_the_later_and_smaller_half(names: str, minority: list[int]) -> None:
    assert ImbalanceRatio(10).minority_classes(names, np.arange(len(names)), 0) == minority


@pytest.mark.parametrize(
    ("names", "by_seed"),
    [
        ("ab", [[1], [0], [1]]),
        ("abc", [[2], [0], [1], [2]]),
        ("abcd", [[2, 3], [0, 1], [2, 3]]),
        ("abcde", [[3, 4], [0, 1], [2, 3], [4, 0], [1, 2], [3, 4]]),
    ],
)
def test_rotate_turns_through_the_classes_by_seed_from_the_default(names: str, by_seed: list[list[int]]) -> None:
    turning, rows = ImbalanceRatio(10, minority="rotate"), np.full(len(names), 9)
    assert [turning.minority_classes(names, rows, seed) for seed in range(len(by_seed))] == by_seed
    assert turning.minority_classes(names, rows, 0) == ImbalanceRatio(10).minority_classes(names, rows, 0)
    assert turning.minority_classes(names, rows, -len(names)) == by_seed[0]


@pytest.mark.parametrize("profile", ["linear", "exponential"])
def test_rotate_turns_the_order_of_a_profile_too(profile: str) -> None:
    turning, rows = ImbalanceRatio(10, profile, "rotate"), np.full(5, 1000)
    kept = [turning.rows_to_keep(rows, turning.minority_classes("abcde", rows, seed)) for seed in range(5)]
    assert kept[0].tolist() == ImbalanceRatio(10, profile).rows_to_keep(rows, [3, 4]).tolist()
    for seed, of_seed in enumerate(kept):
        assert of_seed.tolist() == np.roll(kept[0], 2 * seed).tolist()
    # Each class is once the largest, once the smallest, and once at each place between.
    np.testing.assert_array_equal(np.sort(kept, axis=0), np.sort([kept[0]] * 5, axis=1).T)


@given(n_classes=st.integers(2, 12), start=st.integers(-100, 100))
def test_as_many_seeds_as_classes_thin_each_class_alike(n_classes: int, start: int) -> None:
    turning, rows = ImbalanceRatio(10, minority="rotate"), np.full(n_classes, 9)
    found = [turning.minority_classes("x" * n_classes, rows, start + seed) for seed in range(n_classes)]
    assert np.bincount(np.concatenate(found)).tolist() == [n_classes // 2] * n_classes


def test_a_class_called_rotate_is_named_in_a_list() -> None:
    ratio = ImbalanceRatio(10, minority=["rotate"])
    assert [ratio.minority_classes(["rotate", "b"], np.array([9, 9]), seed) for seed in (0, 1)] == [[0], [0]]


def test_rotating_without_a_ratio_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        ImbalanceRatio(None, minority="rotate")
    assert str(caught.value) == (
        "imbalance_ratio.minority=rotate thins other classes with each seed, but imbalance_ratio.ratio=null thins "
        "none: choose a ratio, or leave imbalance_ratio.minority out"
    )


def test_without_a_ratio_the_minority_is_below_the_mean_class() -> None:
    natural = ImbalanceRatio(None)
    assert natural.minority_classes("abc", np.array([90, 10, 50]), 0) == [1]
    assert natural.minority_classes("abc", np.array([50, 50, 50]), 0) == []


def test_a_named_minority_holds_without_a_ratio_too() -> None:
    assert ImbalanceRatio(None, minority=["a"]).minority_classes("abc", np.array([90, 10, 50]), 0) == [0]


def test_names_that_yaml_takes_for_numbers_are_names() -> None:
    assert ImbalanceRatio(10, minority=[1]).minority_classes(["0", "1"], np.array([9, 9]), 0) == [1]


def test_an_unknown_name_is_answered_with_the_classes() -> None:
    with pytest.raises(ValueError, match=r"names 'hma', which is no class of the data set: choose among 'spam', 'ham'"):
        ImbalanceRatio(10, minority=["hma"]).minority_classes(["spam", "ham"], np.array([9, 9]), 0)


@pytest.mark.parametrize(("minority", "n"), [([], 0), (["spam", "ham"], 2), (["ham", "ham", "spam"], 2)])
def test_all_classes_or_none_are_no_minority(minority: list[str], n: int) -> None:
    with pytest.raises(ValueError, match=f"names {n} of 2 classes: name at least one, and leave at least one"):
        ImbalanceRatio(10, minority=minority).minority_classes(["spam", "ham"], np.array([9, 9]), 0)


def test_one_name_without_a_list_is_not_spelt_out_into_letters() -> None:
    with pytest.raises(ValueError, match=r"minority=ham must be rotate or a list of class names: write \[ham\]"):
        ImbalanceRatio(10, minority="ham")


@pytest.mark.parametrize("ratio", [0.5, 0, -10])
def test_a_ratio_below_1_is_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match=f"imbalance_ratio.ratio={ratio} must be at least 1"):
        ImbalanceRatio(ratio)


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(ValueError, match="profile=cubic must be one of step, linear, exponential"):
        ImbalanceRatio(10, "cubic")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (True, "true"),
        (False, "no"),
        (float("nan"), "NaN"),
        (1000.0, "1e3"),
        (1000, "1_000"),
        (None, "null"),
        (7, "007"),
        (1, "1"),
        (1.0, "1.0"),
        (0.1, "0.10"),
        (-1, "-1"),
        ("true", "true"),
    ],
)
def test_what_yaml_made_of_a_class_s_name_stands_for_the_class(given: Any, name: str) -> None:
    assert ImbalanceRatio(10, minority=[given]).minority_classes(["ham", name, "x"], np.array([9, 9, 9]), 0) == [1]


def test_a_value_that_stands_for_two_classes_is_refused_with_the_way_to_quote() -> None:
    with pytest.raises(UserError) as caught:
        ImbalanceRatio(10, minority=[True]).minority_classes(["True", "true", "x"], np.array([9, 9, 9]), 0)
    assert str(caught.value) == (
        "imbalance_ratio.minority names true, which stands for several classes ('True', 'true'): quote the one you "
        "mean, 'imbalance_ratio.minority=[\"True\"]'"
    )
    assert ImbalanceRatio(10, minority=["true"]).minority_classes(["True", "true", "x"], np.array([9, 9, 9]), 0) == [1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["1.0"], r"names '1\.0', which is no class of the data set: choose among '1', '2'"),
        ([1.0], r"names 1\.0, which is no class"),
        ([None], "names null, which is no class"),
        ([True], "names true, which is no class"),
    ],
)
def test_a_value_that_stands_for_no_class_is_refused_as_it_was_written(given: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        ImbalanceRatio(10, minority=given).minority_classes(["1", "2"], np.array([9, 9]), 0)


@pytest.mark.parametrize(
    ("minority", "message"),
    [
        (5, r"minority=5 must be rotate or a list of class names: write \[5\]"),
        (True, r"minority=true must be rotate or a list of class names: write \[true\]"),
        ({"a": 1}, "must be rotate or a list of class names"),
        ([["a"]], r"minority holds \['a'\], but each"),
        ([{"a": 1}], "minority holds .*, but each"),
    ],
)
def test_what_is_no_list_of_names_is_refused(minority: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        ImbalanceRatio(10, minority=minority)


@pytest.mark.parametrize("ratio", [True, "10", "abc", [10], float("inf"), float("nan"), {}])
def test_a_ratio_that_is_no_number_is_refused(ratio: Any) -> None:
    with pytest.raises(UserError, match="must be a number that is at least 1"):
        ImbalanceRatio(ratio)


@pytest.mark.parametrize("ratio", [1_000_001, 1e300, 10**400])
def test_a_ratio_beyond_that_of_the_table_is_refused(ratio: float) -> None:
    with pytest.raises(UserError, match="must be at most 1,000,000, or null"):
        ImbalanceRatio(ratio)


@pytest.mark.parametrize("profile", [None, 1, ["step"], {}])
def test_a_profile_that_is_no_word_is_refused(profile: Any) -> None:
    with pytest.raises(UserError, match="must be one of step"):
        ImbalanceRatio(10, profile)
