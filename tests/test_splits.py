"""Who trains, validates and tests."""

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synaug.errors import UserError
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.settings import PROFILES
from synaug.splits import Split, make_splits, rows_needed

NAMES = ("a", "b", "c", "d", "e")


def shuffled(counts: Sequence[int]) -> NDArray[np.int64]:
    labels = np.repeat(np.arange(len(counts)), counts)
    return np.random.RandomState(7).permutation(labels)


def splits_of(counts: Sequence[int], ratio: float | None = 10, profile: str = "step", **more: Any) -> list[Split]:
    arguments: dict[str, Any] = {"dataset": "toy", "seeds": [0], "n_folds": 5, "validation_share": 0.1}
    arguments |= {"thin_validation": False, "minority": None} | more
    imbalance_ratio = ImbalanceRatio(ratio, profile, arguments.pop("minority"))
    class_names = NAMES[: len(counts)]
    return make_splits(
        labels=shuffled(counts),
        class_names=class_names,
        imbalance_ratio=imbalance_ratio,
        minority=imbalance_ratio.minority_classes(class_names, np.array(counts)),
        **arguments,
    )


def per_class(counts: Sequence[int], rows: NDArray[np.int64]) -> list[int]:
    return np.bincount(shuffled(counts)[rows], minlength=len(counts)).tolist()  # type: ignore[no-any-return]


def same(first: Split, second: Split, *fields: str) -> bool:
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in fields)


def test_there_is_one_split_for_each_seed_and_fold_in_order() -> None:
    found = splits_of((60, 60), seeds=[3, 1], n_folds=4)
    assert [(each.seed, each.fold) for each in found] == [(seed, fold) for seed in (3, 1) for fold in range(4)]


@pytest.mark.parametrize("ratio", [None, 1, 10])
@pytest.mark.parametrize("counts", [(200, 200), (310, 150, 205)])
def test_rows_of_a_split_are_disjoint_distinct_and_of_the_data_set(
    counts: tuple[int, ...], ratio: float | None
) -> None:
    for each in splits_of(counts, ratio, seeds=[0, 1]):
        everything = np.concatenate([each.train, each.validation, each.test])
        assert len(np.unique(everything)) == len(everything)
        assert everything.min() >= 0
        assert everything.max() < sum(counts)
        for rows in (each.train, each.validation, each.test):
            assert (np.diff(rows) > 0).all()


@pytest.mark.parametrize("ratio", [None, 10])
def test_every_row_is_tested_once_for_each_seed(ratio: float | None) -> None:
    counts = (310, 153, 205)
    for seed in (0, 1):
        found = splits_of(counts, ratio, seeds=[seed])
        tested = np.concatenate([each.test for each in found])
        assert len(np.unique(tested)) == len(tested)
        assert per_class(counts, tested) == ([310, 153, 205] if ratio is None else [153] * 3)
        used = np.unique(np.concatenate([np.concatenate([each.train, each.validation]) for each in found]))
        assert np.isin(used, tested).all()  # no row outside the balanced data set ever trains


def test_test_folds_are_balanced_where_classes_are_thinned() -> None:
    counts = (310, 150, 205)
    for each in splits_of(counts):
        assert per_class(counts, each.test) == [30, 30, 30]
    uneven = (157, 200)  # no multiple of the folds
    for each in splits_of(uneven):
        assert np.ptp(per_class(uneven, each.test)) <= 1


def test_test_folds_are_natural_where_nothing_is_thinned() -> None:
    counts = (310, 50, 200)
    for each in splits_of(counts, None):
        assert per_class(counts, each.test) == [62, 10, 40]
        assert per_class(counts, each.validation) == [25, 4, 16]  # a tenth of what is left: 24.8, 4, 16
        assert per_class(counts, each.train) == [223, 36, 144]


def test_only_training_rows_are_thinned() -> None:
    counts = (200, 200, 200)
    for each in splits_of(counts, 8):
        assert per_class(counts, each.test) == [40, 40, 40]
        assert per_class(counts, each.validation) == [16, 16, 16]
        assert per_class(counts, each.train) == [144, 144, 18]


@pytest.mark.parametrize("profile", PROFILES)
def test_training_counts_are_those_of_the_ratio(profile: str) -> None:
    counts = (100, 100, 100, 100, 100)
    ratio = ImbalanceRatio(6, profile, ["a", "d"])
    for each in splits_of(counts, 6, profile, minority=["a", "d"]):
        assert per_class(counts, each.train) == ratio.rows_to_keep(np.full(5, 72), [0, 3]).tolist()


@settings(max_examples=40, deadline=None)
@given(
    two=st.tuples(st.floats(1, 60), st.floats(1, 60)),
    profile=st.sampled_from(PROFILES),
    seed=st.integers(0, 1000),
    thinned=st.booleans(),
)
def test_rows_kept_at_a_higher_ratio_are_among_those_kept_at_a_lower(
    two: tuple[float, float], profile: str, seed: int, thinned: bool
) -> None:
    counts, low, high = (90, 120, 100), min(two), max(two)
    more = {"seeds": [seed], "n_folds": 3, "thin_validation": thinned}
    for mild, severe in zip(
        splits_of(counts, low, profile, **more), splits_of(counts, high, profile, **more), strict=True
    ):
        assert np.isin(severe.train, mild.train).all()
        assert np.isin(severe.validation, mild.validation).all()
        assert same(mild, severe, "test")
        assert thinned or same(mild, severe, "validation")


def test_a_ratio_is_paired_with_no_thinning_at_all() -> None:
    for all_rows, thinned in zip(splits_of((200, 200), 1), splits_of((200, 200), 50), strict=True):
        assert same(all_rows, thinned, "validation", "test")
        assert np.isin(thinned.train, all_rows.train).all()


def test_another_profile_keeps_the_folds() -> None:
    for step, tail in zip(splits_of((200,) * 4), splits_of((200,) * 4, profile="exponential"), strict=True):
        assert same(step, tail, "validation", "test")


def test_the_same_arguments_give_the_same_rows_whatever_was_drawn_before() -> None:
    first = splits_of((200, 200), seeds=[0, 1])
    np.random.seed(5)
    again = splits_of((200, 200), seeds=[0, 1])
    assert all(same(one, two, "train", "validation", "test") for one, two in zip(first, again, strict=True))


def test_a_split_does_not_depend_on_the_other_seeds() -> None:
    alone, among = splits_of((200, 200), seeds=[1]), splits_of((200, 200), seeds=[0, 1])[5:]
    assert all(same(one, two, "train", "validation", "test") for one, two in zip(alone, among, strict=True))


def places(chosen: NDArray[np.int64], among: NDArray[np.int64], label: int, counts: Sequence[int]) -> tuple[int, ...]:
    """Which of a class's rows, counted in the order of the data set, were chosen."""
    labels = shuffled(counts)
    return tuple(np.searchsorted(among[labels[among] == label], chosen[labels[chosen] == label]).tolist())


@pytest.mark.parametrize("other", [{"seeds": [1]}, {"dataset": "another"}, {"fold": 1}])
def test_folds_validation_and_thinning_each_draw_by_data_set_seed_and_fold(other: dict[str, Any]) -> None:
    counts, other = (200, 200), dict(other)
    fold = other.pop("fold", 0)
    drawn = []
    for index, more in ((0, {}), (fold, other)):
        all_rows, thinned = (splits_of(counts, ratio, **more)[index] for ratio in (1, 10))
        rest = np.union1d(all_rows.train, all_rows.validation)
        everything = np.arange(400)
        drawn.append(
            {
                "folds": places(thinned.test, everything, 0, counts),
                "validation": places(thinned.validation, rest, 0, counts),
                "thinning": places(thinned.train, all_rows.train, 1, counts),
            }
        )
    for stage, chosen in drawn[0].items():
        assert chosen != drawn[1][stage], stage


def test_each_class_is_drawn_from_by_itself() -> None:
    # Two classes of one size and one permutation would be chosen from at the same places.
    counts = (200, 200, 200)
    each, all_rows = splits_of(counts, 10, minority=["a", "c"])[0], splits_of(counts, 1)[0]
    assert places(each.train, all_rows.train, 0, counts) != places(each.train, all_rows.train, 2, counts)
    rest = np.union1d(all_rows.train, all_rows.validation)
    assert len({places(each.validation, rest, label, counts) for label in range(3)}) == 3


def test_another_seed_balances_with_other_rows() -> None:
    tested = [np.concatenate([each.test for each in splits_of((50, 200), seeds=[seed])]) for seed in (0, 1)]
    assert set(tested[0].tolist()) != set(tested[1].tolist())


def test_which_rows_are_kept_does_not_follow_their_place() -> None:
    labels = np.repeat([0, 1], 2000)
    options: dict[str, Any] = {"seeds": [0], "n_folds": 5, "validation_share": 0.1, "thin_validation": False}
    found = make_splits("toy", labels, "ab", ImbalanceRatio(10), [1], **options)[0]
    for rows in (found.train[found.train >= 2000], found.validation, found.test):
        place = (rows % 2000) / 2000
        assert abs(place.mean() - 0.5) < 5 * np.sqrt(1 / 12 / len(rows))


def test_the_augmenter_never_enters() -> None:
    assert set(inspect.signature(make_splits).parameters) == {
        "dataset",
        "labels",
        "class_names",
        "imbalance_ratio",
        "minority",
        "seeds",
        "n_folds",
        "validation_share",
        "thin_validation",
    }


def test_validation_can_be_thinned_too() -> None:
    counts = (400, 400)
    for plain, thinned in zip(splits_of(counts, 8), splits_of(counts, 8, thin_validation=True), strict=True):
        assert same(plain, thinned, "train", "test")
        assert per_class(counts, plain.validation) == [32, 32]
        assert per_class(counts, thinned.validation) == [32, 4]
        assert np.isin(thinned.validation, plain.validation).all()


def test_validation_has_a_row_of_every_class_however_thin() -> None:
    counts = (400, 400)
    for each in splits_of(counts, 100, thin_validation=True):
        assert per_class(counts, each.validation) == [32, 1]
    for each in splits_of((400, 6), None, n_folds=3, validation_share=0.01):
        assert min(per_class((400, 6), each.validation)) == 1


def test_more_folds_than_rows_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"class 'b' has 4 rows, fewer than n_folds=5: lower n_folds to 4, or use more data"
    ):
        splits_of((50, 4))


def test_a_class_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="class 'c' has 0 rows, fewer than n_folds=5"):
        splits_of((50, 50, 0))


@pytest.mark.parametrize("profile", PROFILES)
def test_a_ratio_that_leaves_a_class_without_rows_is_refused(profile: str) -> None:
    with pytest.raises(
        ValueError,
        match=r"imbalance_ratio.ratio=100 leaves class 'b' no training row of 36 in seed 2 fold 0: "
        r"lower the ratio \(69 would do\) or use more data",
    ):
        splits_of((50, 50), 100, profile, seeds=[2])


def test_a_validation_share_that_leaves_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(
        UserError,
        match=r"class 'b' has 2 rows, fewer than the 4 that n_folds=2 and validation.share=0.1 need: use more data",
    ):
        splits_of((50, 2), None, n_folds=2)
    with pytest.raises(
        UserError,
        match=r"2 of 2 classes have fewer rows than the \d+ that n_folds=5 and validation.share=0.99 need: .* lower v",
    ):
        splits_of((50, 50), validation_share=0.99)


def test_all_classes_with_too_few_rows_are_told_at_once_with_what_would_help() -> None:
    with pytest.raises(UserError) as caught:
        splits_of((50, 1, 40, 2, 3), None, n_folds=10)
    assert str(caught.value) == (
        "3 of 5 classes have fewer rows than n_folds=10: 'b' (1), 'd' (2), 'e' (3): set dataset.min_per_class=10 to "
        "drop them, or use more data"
    )
    with pytest.raises(UserError) as caught:
        splits_of((50, 8, 40, 9), None, n_folds=10)
    assert str(caught.value) == (
        "2 of 4 classes have fewer rows than n_folds=10: 'b' (8), 'd' (9): lower n_folds to 8, set "
        "dataset.min_per_class=10 to drop them, or use more data"
    )


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(0, 14), min_size=2, max_size=5),
    n_folds=st.integers(2, 9),
    share=st.sampled_from([0.01, 0.1, 0.25, 0.5, 0.8, 0.9]),
)
def test_the_remedies_that_are_named_work_and_what_passes_needs_none(
    counts: list[int], n_folds: int, share: float
) -> None:
    counts.append(60)
    arguments: dict[str, Any] = {"ratio": None, "validation_share": share}
    try:
        found = splits_of(counts[:5], n_folds=n_folds, **arguments)
    except UserError as error:
        sentence = str(error)
    else:
        assert min(counts[:5]) >= rows_needed(n_folds, share)
        for each in found:
            for rows in (each.train, each.validation, each.test):
                assert min(per_class(counts[:5], rows)) >= 1
        return
    assert min(counts[:5]) < rows_needed(n_folds, share)
    if "lower n_folds to" in sentence:
        splits_of(counts[:5], n_folds=int(sentence.split("lower n_folds to ")[1].split(",")[0]), **arguments)
    if "dataset.min_per_class" in sentence:
        least = int(sentence.split("min_per_class=")[1].split()[0])
        splits_of([count for count in counts[:5] if count >= least], n_folds=n_folds, **arguments)


def test_a_share_next_to_1_is_answered_at_once() -> None:
    assert rows_needed(10, 1 - 1e-12) > 10**11
    assert rows_needed(10, 0.1) == 10
    assert rows_needed(2, 0.1) == 4


def test_all_classes_that_the_ratio_empties_are_told_at_once_and_the_ratio_that_is_named_works() -> None:
    for profile in PROFILES:
        with pytest.raises(UserError) as caught:
            splits_of((50, 50, 50, 50), 1000, profile)
        low_enough = float(str(caught.value).split("lower the ratio (")[1].split()[0])
        assert (
            min(per_class((50,) * 4, each.train)[-1] for each in splits_of((50, 50, 50, 50), low_enough, profile)) == 1
        )
    with pytest.raises(
        UserError,
        match=r"ratio=1000 leaves 2 classes no training row in seed 0 fold 0, of 'c' \(36\), 'd' \(36\): "
        r"lower the ratio \(69 would do\)",
    ):
        splits_of((50, 50, 50, 50), 1000)
