"""Who trains, judges and tests."""

import dataclasses
import hashlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synaug.errors import UserError
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.settings import PROFILES
from synaug.splits import InnerFold, Outside, Rows, Split, Validation, make_splits, rows_needed
from synaug.validation import Holdout, Nested, Oracle

NAMES = ("a", "b", "c", "d", "e")
EVERY_VALIDATION = pytest.mark.parametrize(
    "validation", [Nested(), Holdout(), Oracle()], ids=lambda each: type(each).__name__
)


def shuffled(counts: Sequence[int]) -> NDArray[np.int64]:
    labels = np.repeat(np.arange(len(counts)), counts)
    return np.random.RandomState(7).permutation(labels)


def splits_of(counts: Sequence[int], ratio: float | None = 10, profile: str = "step", **more: Any) -> list[Split]:
    arguments: dict[str, Any] = {"dataset": "toy", "seeds": [0], "n_folds": 5, "validation": Nested()}
    arguments |= {"minority": None} | more
    return make_splits(
        labels=shuffled(counts),
        class_names=NAMES[: len(counts)],
        imbalance_ratio=ImbalanceRatio(ratio, profile, arguments.pop("minority")),
        **arguments,
    )


def per_class(counts: Sequence[int], rows: NDArray[np.int64]) -> list[int]:
    return np.bincount(shuffled(counts)[rows], minlength=len(counts)).tolist()  # type: ignore[no-any-return]


def same(first: Split, second: Split, *fields: str) -> bool:
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in fields)


def same_inner(first: Split, second: Split) -> bool:
    return all(
        np.array_equal(one.fit, two.fit) and np.array_equal(one.left_out, two.left_out)
        for one, two in zip(first.inner, second.inner, strict=True)
    )


def outside(each: Split) -> NDArray[np.int64]:
    """All rows that a split could train on, where nothing is thinned."""
    return np.union1d(each.train, each.out_of_fold)


def test_there_is_one_split_for_each_seed_and_fold_in_order() -> None:
    found = splits_of((60, 60), seeds=[3, 1], n_folds=4)
    assert [(each.seed, each.fold) for each in found] == [(seed, fold) for seed in (3, 1) for fold in range(4)]


@EVERY_VALIDATION
@pytest.mark.parametrize("ratio", [None, 1, 10])
@pytest.mark.parametrize("counts", [(200, 200), (310, 150, 205)])
def test_rows_of_a_split_are_disjoint_distinct_and_of_the_data_set(
    counts: tuple[int, ...], ratio: float | None, validation: Validation
) -> None:
    for each in splits_of(counts, ratio, seeds=[0, 1], validation=validation):
        assert not np.isin(outside(each), each.test).any()
        assert len(np.unique(each.out_of_fold)) == len(each.out_of_fold)
        everything = np.union1d(outside(each), each.test)
        assert everything.min() >= 0
        assert everything.max() < sum(counts)
        for inner in each.inner:
            assert not np.isin(inner.fit, inner.left_out).any()
            assert np.isin(inner.fit, each.train).all()
        for rows in (each.train, each.test, *(rows for inner in each.inner for rows in (inner.fit, inner.left_out))):
            assert (np.diff(rows) > 0).all()


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(3, 30), min_size=2, max_size=5),
    n_folds=st.integers(2, 6),
    ratio=st.sampled_from([None, 1.0, 2.0, 6.0]),
    seed=st.integers(-5, 1000),
)
def test_nested_leaves_every_row_out_once_but_the_only_one_of_a_class(
    counts: list[int], n_folds: int, ratio: float | None, seed: int
) -> None:
    counts = [40, *(count if ratio is None else max(count, 9) for count in counts[1:])]
    (each, *_) = splits_of(counts, ratio, seeds=[seed], n_folds=3, validation=Nested(n_folds))
    assert len(each.inner) == n_folds
    rows = np.array(per_class(counts, each.train))
    assert per_class(counts, each.out_of_fold) == np.where(rows > 1, rows, 0).tolist()
    sizes = [len(inner.left_out) for inner in each.inner]
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) >= 1
    for inner in each.inner:
        assert np.array_equal(np.union1d(inner.fit, inner.left_out), each.train)
        assert min(per_class(counts, inner.fit)) >= 1
    of_folds = np.array([per_class(counts, inner.left_out) for inner in each.inner])
    assert (np.ptp(of_folds, axis=0) <= 1).all()


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(3, 30), min_size=2, max_size=5),
    share=st.sampled_from([0.01, 0.1, 0.5, 0.99]),
    ratio=st.sampled_from([None, 6.0]),
)
def test_holdout_leaves_a_share_of_each_class_out_but_never_its_last_row(
    counts: list[int], share: float, ratio: float | None
) -> None:
    counts = [40, *(count if ratio is None else max(count, 9) for count in counts[1:])]
    (each, *_) = splits_of(counts, ratio, n_folds=3, validation=Holdout(share))
    (inner,) = each.inner
    rows = np.array(per_class(counts, each.train))
    left_out = np.array(per_class(counts, inner.left_out))
    assert (left_out == np.clip(np.rint(share * rows), 1, rows - 1).clip(0)).all()
    assert np.array_equal(np.union1d(inner.fit, inner.left_out), each.train)


@pytest.mark.parametrize(
    ("ratio", "share", "digest"),
    [
        (10, 0.1, "8c99d3d6b38fcc1c"),
        (10, 0.25, "2c02356ce3880608"),
        (None, 0.1, "e0a6ecf4c8c90e4f"),
        (None, 0.25, "5346c5aac25f927b"),
    ],
)
def test_the_oracle_s_rows_are_those_of_the_first_edition(ratio: float | None, share: float, digest: str) -> None:
    # Of rows that train, validate and test, as version 1 drew them.
    drawn = hashlib.sha256()
    for each in splits_of((310, 150, 205), ratio, seeds=[0, 1], validation=Oracle(share)):
        for rows in (each.train, each.inner[0].left_out, each.test):
            drawn.update(rows.astype("<i8").tobytes() + b"|")
    assert drawn.hexdigest()[:16] == digest


def test_the_oracle_judges_by_rows_that_are_not_thinned() -> None:
    counts = (200, 200, 200)
    for each in splits_of(counts, 8, validation=Oracle()):
        assert per_class(counts, each.test) == [40, 40, 40]
        assert per_class(counts, each.out_of_fold) == [16, 16, 16]
        assert per_class(counts, each.train) == [144, 144, 18]
        assert np.array_equal(each.inner[0].fit, each.train)


def test_nested_and_holdout_thin_all_rows_outside_the_test_fold() -> None:
    counts = (200, 200, 200)
    for nested, holdout in zip(splits_of(counts, 8), splits_of(counts, 8, validation=Holdout()), strict=True):
        assert per_class(counts, nested.train) == [160, 160, 20]
        assert same(nested, holdout, "train", "test")
        assert per_class(counts, holdout.inner[0].left_out) == [16, 16, 2]


@EVERY_VALIDATION
@pytest.mark.parametrize("ratio", [None, 1, 10])
def test_held_back_rows_are_just_those_that_the_ratio_took_away(validation: Validation, ratio: float | None) -> None:
    whole = splits_of((60, 60, 60), None, validation=validation)
    for each, unthinned in zip(splits_of((60, 60, 60), ratio, validation=validation), whole, strict=True):
        used = np.concatenate([each.train, each.out_of_fold, each.test])
        assert not np.isin(each.held_back, used).any()
        assert np.array_equal(np.union1d(each.held_back, np.union1d(each.train, each.out_of_fold)), outside(unthinned))
        assert set(shuffled((60, 60, 60))[each.held_back]) == (set(each.minority) if ratio == 10 else set())


@pytest.mark.parametrize("ratio", [None, 10])
def test_every_row_is_tested_once_for_each_seed(ratio: float | None) -> None:
    counts = (310, 153, 205)
    for seed in (0, 1):
        found = splits_of(counts, ratio, seeds=[seed])
        tested = np.concatenate([each.test for each in found])
        assert len(np.unique(tested)) == len(tested)
        assert per_class(counts, tested) == ([310, 153, 205] if ratio is None else [153] * 3)
        used = np.unique(np.concatenate([outside(each) for each in found]))
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
    for each in splits_of(counts, None, validation=Oracle()):
        assert per_class(counts, each.test) == [62, 10, 40]
        assert per_class(counts, each.out_of_fold) == [25, 4, 16]  # a tenth of what is left: 24.8, 4, 16
        assert per_class(counts, each.train) == [223, 36, 144]
    for each in splits_of(counts, None):
        assert per_class(counts, each.train) == per_class(counts, each.out_of_fold) == [248, 40, 160]


@pytest.mark.parametrize("profile", PROFILES)
def test_training_counts_are_those_of_the_ratio(profile: str) -> None:
    counts = (100, 100, 100, 100, 100)
    ratio = ImbalanceRatio(6, profile, ["a", "d"])
    for each in splits_of(counts, 6, profile, minority=["a", "d"]):
        assert per_class(counts, each.train) == ratio.rows_to_keep(np.full(5, 80), [0, 3]).tolist()


@settings(max_examples=40, deadline=None)
@given(
    two=st.tuples(st.floats(1, 60), st.floats(1, 60)),
    profile=st.sampled_from(PROFILES),
    seed=st.integers(0, 1000),
    validation=st.sampled_from([Nested(), Oracle()]),
)
def test_rows_kept_at_a_higher_ratio_are_among_those_kept_at_a_lower(
    two: tuple[float, float], profile: str, seed: int, validation: Validation
) -> None:
    counts, low, high = (90, 120, 100), min(two), max(two)
    more = {"seeds": [seed], "n_folds": 3, "validation": validation}
    for mild, severe in zip(
        splits_of(counts, low, profile, **more), splits_of(counts, high, profile, **more), strict=True
    ):
        assert np.isin(severe.train, mild.train).all()
        assert same(mild, severe, "test")
        assert isinstance(validation, Nested) or same(mild, severe, "out_of_fold")


def test_a_ratio_is_paired_with_no_thinning_at_all() -> None:
    for all_rows, thinned in zip(splits_of((200, 200), 1), splits_of((200, 200), 50), strict=True):
        assert same(all_rows, thinned, "test")
        assert np.isin(thinned.train, all_rows.train).all()


def test_another_profile_keeps_the_folds() -> None:
    for step, tail in zip(splits_of((200,) * 4), splits_of((200,) * 4, profile="exponential"), strict=True):
        assert same(step, tail, "test")


@EVERY_VALIDATION
def test_the_same_arguments_give_the_same_rows_whatever_was_drawn_before(validation: Validation) -> None:
    first = splits_of((200, 200), seeds=[0, 1], validation=validation)
    np.random.seed(5)
    again = splits_of((200, 200), seeds=[0, 1], validation=validation)
    assert all(same(one, two, "train", "test") and same_inner(one, two) for one, two in zip(first, again, strict=True))


@EVERY_VALIDATION
def test_a_split_does_not_depend_on_the_other_seeds(validation: Validation) -> None:
    alone = splits_of((200, 200), seeds=[1], validation=validation)
    among = splits_of((200, 200), seeds=[0, 1], validation=validation)[5:]
    assert all(same(one, two, "train", "test") and same_inner(one, two) for one, two in zip(alone, among, strict=True))


def places(chosen: NDArray[np.int64], among: NDArray[np.int64], label: int, counts: Sequence[int]) -> tuple[int, ...]:
    """Which of a class's rows, counted in the order of the data set, were chosen."""
    labels = shuffled(counts)
    return tuple(np.searchsorted(among[labels[among] == label], chosen[labels[chosen] == label]).tolist())


@pytest.mark.parametrize("other", [{"seeds": [1]}, {"dataset": "another"}, {"fold": 1}])
def test_folds_inner_folds_validation_and_thinning_each_draw_by_data_set_seed_and_fold(other: dict[str, Any]) -> None:
    counts, other = (200, 200), dict(other)
    fold = other.pop("fold", 0)
    drawn = []
    for index, more in ((0, {}), (fold, other)):
        all_rows, thinned = (splits_of(counts, ratio, **more)[index] for ratio in (1, 10))
        oracle = splits_of(counts, 10, validation=Oracle(), **more)[index]
        everything = np.arange(400)
        drawn.append(
            {
                "folds": places(thinned.test, everything, 0, counts),
                "validation": places(oracle.out_of_fold, all_rows.train, 0, counts),
                "inner": places(all_rows.inner[0].left_out, all_rows.train, 0, counts),
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
    oracle = splits_of(counts, 10, validation=Oracle())[0]
    for rows in (oracle.out_of_fold, all_rows.inner[0].left_out):
        assert len({places(rows, all_rows.train, label, counts) for label in range(3)}) == 3


def test_another_seed_balances_with_other_rows() -> None:
    tested = [np.concatenate([each.test for each in splits_of((50, 200), seeds=[seed])]) for seed in (0, 1)]
    assert set(tested[0].tolist()) != set(tested[1].tolist())


def test_which_rows_are_kept_does_not_follow_their_place() -> None:
    labels = np.repeat([0, 1], 2000)
    found = make_splits("toy", labels, "ab", ImbalanceRatio(10), seeds=[0], n_folds=5, validation=Nested())[0]
    for rows in (found.train[found.train >= 2000], found.inner[0].left_out, found.test):
        place = (rows % 2000) / 2000
        assert abs(place.mean() - 0.5) < 5 * np.sqrt(1 / 12 / len(rows))


def test_the_augmenter_never_enters() -> None:
    assert set(inspect.signature(make_splits).parameters) == {
        "dataset",
        "labels",
        "class_names",
        "imbalance_ratio",
        "seeds",
        "n_folds",
        "validation",
        "groups",
    }


def test_inner_folds_do_not_depend_on_the_ratio_but_through_the_rows_it_keeps() -> None:
    counts = (200, 200)
    for mild, severe in zip(splits_of(counts, 5), splits_of(counts, 50), strict=True):
        labels = shuffled(counts)
        for one, two in zip(mild.inner, severe.inner, strict=True):
            assert np.array_equal(one.left_out[labels[one.left_out] == 0], two.left_out[labels[two.left_out] == 0])


def test_another_number_of_inner_folds_leaves_the_training_rows_as_they_are() -> None:
    for three, five in zip(splits_of((60, 60), validation=Nested(3)), splits_of((60, 60)), strict=True):
        assert same(three, five, "train", "test")
        assert (len(three.inner), len(five.inner)) == (3, 5)


def test_a_class_of_one_training_row_trains_everywhere_and_judges_nowhere() -> None:
    counts = (100, 100)
    for validation in (Nested(), Holdout()):
        for each in splits_of(counts, 80, validation=validation):
            assert per_class(counts, each.train) == [80, 1]
            assert per_class(counts, each.out_of_fold)[1] == 0
            assert {per_class(counts, inner.fit)[1] for inner in each.inner} == {1}


def test_a_class_of_fewer_rows_than_inner_folds_is_left_out_one_by_one() -> None:
    counts = (100, 100)
    for each in splits_of(counts, 26):
        assert sorted(per_class(counts, inner.left_out)[1] for inner in each.inner) == [0, 0, 1, 1, 1]


def test_fewer_rows_than_inner_folds_are_refused_with_a_number_that_works() -> None:
    with pytest.raises(UserError) as caught:
        splits_of((4, 2), None, n_folds=2)
    assert str(caught.value) == (
        "validation.n_folds=5 needs 5 rows that can be left out, but seed 0 fold 0 has 2 (the last of a class always "
        "trains): lower validation.n_folds to 2 or use more data"
    )
    splits_of((4, 2), None, n_folds=2, validation=Nested(2))
    with pytest.raises(UserError, match=r"has 0 \(the last of a class always trains\): use more data"):
        splits_of((2, 2), None, n_folds=2)
    with pytest.raises(
        UserError, match=r"share=0\.1 leaves out no training row in seed 0 fold 0, as every class has one:"
    ):
        splits_of((2, 2), None, n_folds=2, validation=Holdout())


def test_the_minority_is_that_of_the_seed() -> None:
    counts = (100, 100)
    for each in splits_of(counts, 10, minority="rotate", seeds=[0, 1, 2]):
        thinned = 0 if each.seed == 1 else 1
        assert each.minority == (thinned,)
        assert per_class(counts, each.train)[thinned] == 8
        assert len(each.train) == 88
    assert {each.minority for each in splits_of(counts, None)} == {()}


def test_rotating_changes_neither_folds_nor_the_default_s_rows() -> None:
    fixed = splits_of((100, 100), seeds=[0, 1])
    turned = splits_of((100, 100), seeds=[0, 1], minority="rotate")
    assert all(same(one, two, "test") for one, two in zip(fixed, turned, strict=True))
    assert all(same(one, two, "train") for one, two in zip(fixed[:5], turned[:5], strict=True))
    assert not any(same(one, two, "train") for one, two in zip(fixed[5:], turned[5:], strict=True))


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
        match=r"imbalance_ratio.ratio=100 leaves class 'b' no training row of 40 in seed 2 fold 0: "
        r"lower the ratio \(77 would do\) or use more data",
    ):
        splits_of((50, 50), 100, profile, seeds=[2])


def test_an_oracle_s_share_that_leaves_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(
        UserError,
        match="class 'b' has 2 rows, fewer than the 4 that n_folds=2 and the rows set aside to validate need: "
        "choose validation=nested, or use more data",
    ):
        splits_of((50, 2), None, n_folds=2, validation=Oracle())
    with pytest.raises(
        UserError,
        match=r"2 of 2 classes have fewer rows than the \d+ that n_folds=5 and the rows set aside to validate need: .*"
        "choose validation=nested, or",
    ):
        splits_of((50, 50), validation=Oracle(0.99))


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
    validation=st.sampled_from([Nested(2), Holdout(), *map(Oracle, (0.01, 0.1, 0.25, 0.5, 0.8, 0.9))]),
)
def test_the_remedies_that_are_named_work_and_what_passes_needs_none(
    counts: list[int], n_folds: int, validation: Validation
) -> None:
    counts = [60, *counts]
    arguments: dict[str, Any] = {"ratio": None, "validation": validation}
    try:
        found = splits_of(counts[:5], n_folds=n_folds, **arguments)
    except UserError as error:
        sentence = str(error)
    else:
        assert min(counts[:5]) >= rows_needed(n_folds, validation)
        for each in found:
            judging = [each.out_of_fold] if isinstance(validation, Oracle) else []
            for rows in (each.train, each.test, *judging, *(inner.fit for inner in each.inner)):
                assert min(per_class(counts[:5], rows)) >= 1
        return
    assert min(counts[:5]) < rows_needed(n_folds, validation)
    if "lower n_folds to" in sentence:
        splits_of(counts[:5], n_folds=int(sentence.split("lower n_folds to ")[1].split(",")[0]), **arguments)
    if "choose validation=nested" in sentence:
        splits_of(counts[:5], None, n_folds=n_folds, validation=Nested(2))
    if "dataset.min_per_class" in sentence:
        least = int(sentence.split("min_per_class=")[1].split()[0])
        splits_of([count for count in counts[:5] if count >= least], n_folds=n_folds, **arguments)


def test_a_share_next_to_1_is_answered_at_once() -> None:
    assert rows_needed(10, Oracle(1 - 1e-12)) > 10**11
    assert rows_needed(10, Oracle(0.1)) == 10
    assert rows_needed(2, Oracle(0.1)) == 4
    assert rows_needed(10, Nested()) == rows_needed(10, Holdout(0.9)) == 10


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
        match=r"ratio=1000 leaves 2 classes no training row in seed 0 fold 0, of 'c' \(40\), 'd' \(40\): "
        r"lower the ratio \(77 would do\)",
    ):
        splits_of((50, 50, 50, 50), 1000)


# ---- groups


def grouped(
    counts: Sequence[int], groups: Sequence[int] | NDArray[np.int64], ratio: float | None = None, **more: Any
) -> list[Split]:
    return splits_of(counts, ratio, groups=np.asarray(groups), **more)


def assert_no_group_is_parted(found: Sequence[Split], groups: NDArray[np.int64]) -> None:
    for each in found:
        assert not np.isin(groups[each.test], groups[outside(each)]).any()
        for inner in each.inner:
            assert not np.isin(groups[inner.left_out], groups[inner.fit]).any()


@EVERY_VALIDATION
@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=60, max_size=90),
    ratio=st.sampled_from([None, 1.0, 4.0]),
    seed=st.integers(0, 1000),
)
def test_no_group_is_parted_and_every_class_trains(
    validation: Validation, sizes: list[int], ratio: float | None, seed: int
) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    counts = (len(groups) // 2, len(groups) - len(groups) // 2)
    found = grouped(counts, groups, ratio, seeds=[seed], validation=validation)
    assert_no_group_is_parted(found, groups)
    tested = np.concatenate([each.test for each in found])
    assert len(np.unique(tested)) == len(tested) == (sum(counts) if ratio is None else 2 * min(counts))
    for each in found:
        assert len(np.unique(each.out_of_fold)) == len(each.out_of_fold)
        for inner in each.inner:
            assert len(inner.left_out)
            assert min(per_class(counts, inner.fit)) >= 1
            assert np.isin(inner.fit, each.train).all()
            if not isinstance(validation, Oracle):
                assert np.array_equal(np.union1d(inner.fit, inner.left_out), each.train)
        assert not np.isin(groups[each.held_back], groups[outside(each)]).any()


def test_groups_of_one_row_give_folds_of_about_one_size() -> None:
    counts = (100, 100)
    for each in grouped(counts, np.arange(200), 10):
        assert per_class(counts, each.train) == [80, 8]
        sizes = np.array([per_class(counts, inner.left_out) for inner in each.inner])
        assert np.ptp(sizes, axis=0).max() <= 2
    for share in (0.1, 0.5):
        for each in grouped(counts, np.arange(200), 10, validation=Oracle(share)):
            assert per_class(counts, each.out_of_fold) == [80 * share] * 2


def test_a_group_that_has_all_training_rows_of_a_class_trains_everywhere() -> None:
    # Class b stands in groups 0 and 1 alone: one is tested, and the other is all there is to train on.
    labels = shuffled((40, 8))
    groups = np.where(labels == 1, np.arange(48) % 2, np.arange(48) + 2)
    for validation in (Nested(), Holdout()):
        for each in grouped((40, 8), groups, n_folds=2, validation=validation):
            assert not np.isin(np.flatnonzero(labels == 1), each.out_of_fold).any()
            assert_no_group_is_parted([each], groups)


def test_inner_folds_of_few_groups_leave_each_class_something_to_train_on() -> None:
    # Three groups of class b outside a test fold of four, and two inner folds: two stand in one of them.
    labels = shuffled((60, 12))
    groups = np.where(labels == 1, np.arange(72) % 4, np.arange(72) + 4)
    found = grouped((60, 12), groups, n_folds=2, validation=Nested(2))
    assert_no_group_is_parted(found, groups)
    assert all(min(per_class((60, 12), inner.fit)) >= 1 for each in found for inner in each.inner)


def test_a_class_of_large_groups_gives_its_smallest_to_the_holdout() -> None:
    labels = shuffled((60, 60))
    place_in_class = np.where(labels == 1, np.cumsum(labels == 1) - 1, -1)
    # Class b: groups of 5, 15, 20 and 20 rows; a tenth of 30 to 45 training rows is fewer than any.
    large = np.searchsorted([5, 20, 40], place_in_class, side="right")
    groups = np.where(labels == 1, large, np.arange(120) + 4)
    for each in grouped((60, 60), groups, n_folds=2, validation=Holdout()):
        of_class = [int((groups[each.train] == group).sum()) for group in range(4)]
        assert per_class((60, 60), each.out_of_fold) == [3, min(size for size in of_class if size)]


def test_fewer_groups_than_folds_are_refused_with_what_would_help() -> None:
    groups = np.arange(100) % 4
    with pytest.raises(UserError) as caught:
        grouped((50, 50), groups)
    assert str(caught.value) == (
        "2 of 2 classes have rows in fewer groups of dataset.group than n_folds=5: 'a' (4), 'b' (4): lower n_folds to "
        "4, or group by a column with more values"
    )
    found = grouped((50, 50), groups, n_folds=4, validation=Nested(2))
    assert_no_group_is_parted(found, groups)
    alone = np.where(shuffled((50, 50)) == 1, 0, np.arange(100))
    with pytest.raises(
        UserError, match=r"class 'b' has rows in 1 group of dataset\.group, fewer than n_folds=5: use data with more gr"
    ):
        grouped((50, 50), alone)


def test_fewer_groups_than_inner_folds_are_refused_with_a_number_that_works() -> None:
    groups = np.arange(100) % 4
    with pytest.raises(UserError) as caught:
        grouped((50, 50), groups, n_folds=4)
    assert str(caught.value) == (
        "validation.n_folds=5 needs 5 groups that can be left out, but seed 0 fold 0 has 3 (the last of a class always "
        "trains): lower validation.n_folds to 3 or use more data"
    )
    grouped((50, 50), groups, n_folds=4, validation=Nested(3))


def test_groups_too_large_for_a_class_in_every_fold_are_refused() -> None:
    # Of class b, 41 rows stand in one group with most of class a, and a row each in four others.
    labels = shuffled((45, 45))
    groups = np.zeros(90, np.int64)
    groups[np.flatnonzero(labels == 1)[:4]] = [1, 2, 3, 4]
    groups[np.flatnonzero(labels == 0)[:4]] = [1, 2, 3, 4]
    found = grouped((45, 45), groups, validation=Nested(2))
    assert_no_group_is_parted(found, groups)
    assert sorted(len(each.test) for each in found) == [2, 2, 2, 2, 82]


def test_a_holdout_of_groups_that_leaves_nothing_out_is_refused() -> None:
    groups = np.arange(100) % 2
    with pytest.raises(
        UserError, match=r"leaves out no training row in seed 0 fold 0, as the groups of dataset\.group"
    ):
        grouped((50, 50), groups, n_folds=2, validation=Holdout())


class DealingRows(Nested):
    """Deals row by row whatever groups there are."""

    def divide(self, outside: Outside, thin: Callable[[Rows], Rows]) -> tuple[Rows, tuple[InnerFold, ...]]:
        return super().divide(dataclasses.replace(outside, groups=None), thin)


class JudgingByTestRows(Nested):
    """Leaves out test rows, and trains on none of them."""

    def divide(self, outside: Outside, thin: Callable[[Rows], Rows]) -> tuple[Rows, tuple[InnerFold, ...]]:
        train = thin(outside.rows)
        test = np.setdiff1d(np.arange(len(outside.labels)), outside.rows)
        return train, (InnerFold(train, test),)


def test_a_validation_of_one_s_own_that_parts_groups_is_refused() -> None:
    groups = np.repeat(np.arange(60), 2)
    assert splits_of([60, 60], None, validation=DealingRows())
    with pytest.raises(
        UserError,
        match=r"validation\._target_=.*DealingRows leaves rows out of whose groups others train in the same inner fold "
        r"in seed 0 fold 0: mend it, as synaug\.splits\.Validation says, or choose nested",
    ):
        splits_of([60, 60], None, validation=DealingRows(), groups=groups)


def test_a_validation_of_one_s_own_that_judges_by_test_rows_is_refused() -> None:
    with pytest.raises(UserError, match=r"JudgingByTestRows uses rows of the test fold in seed 0 fold 0"):
        splits_of([60, 60], None, validation=JudgingByTestRows())


def test_a_fold_that_groups_leave_without_a_class_is_refused() -> None:
    # Groups 2 and 3 in one fold would do; scikit-learn deals the largest first, and never goes back.
    labels, groups = np.array([0, 1, 1, 1, 1, 0, 0, 1]), np.array([4, 2, 2, 0, 4, 3, 0, 1])
    with pytest.raises(UserError) as caught:
        make_splits("toy", labels, "ab", ImbalanceRatio(None), seeds=[0], n_folds=3, validation=Nested(), groups=groups)
    assert str(caught.value) == (
        "dataset.group leaves seed 0 fold 2 no test row of class 'b', as its groups are large or few: lower n_folds, "
        "or group by a column with more values"
    )
