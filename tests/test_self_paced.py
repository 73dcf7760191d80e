"""The chain of under-samples of a Self-paced Ensemble: its formula, its draws, and the members that train on it."""

import math
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pytest
from imblearn.under_sampling import RandomUnderSampler
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from synaug.augmenter import Augmented, Augmenter, SelfPaced, ToAugment, TrainingRows
from synaug.augmenter.self_paced import hardness_shares, rounded_at_random
from synaug.dataset import LabelledTexts
from synaug.errors import UserError
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.splits import make_splits
from synaug.training.training_sets import TrainingData, augment, neighbour_graphs
from synaug.validation import Nested

Chain = list[NDArray[np.int64]]


def rows(*counts: int, d: int = 8, gap: float = 2.0, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    draw = np.random.RandomState(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    X = draw.normal(size=(len(y), d))
    X[np.arange(len(y)), y] += gap
    order = draw.permutation(len(y))
    return X[order].astype(np.float32), y[order]


def chain(sampler: Any, X: Any, y: Any, n: int, amount: float = 1.0, seed: int = 0) -> list[Augmented]:
    """What each of `n` replicas makes of a training set."""
    given = TrainingRows.of(X, y)
    draws = [np.random.RandomState(1000 * seed + replica) for replica in range(n)]
    sets = [ToAugment(given, random_state, "here", replica) for replica, random_state in enumerate(draws)]
    return list(Augmenter(sampler, amount).augment_all(sets))


def kept(sampler: Any, X: Any, y: Any, n: int, **options: Any) -> Chain:
    return [augmented.kept for augmented in chain(sampler, X, y, n, **options)]


def assert_equal(one: Chain, other: Chain) -> None:
    for left, right in zip(one, other, strict=True):
        np.testing.assert_array_equal(left, right)


# The formula


def test_shares_are_those_of_a_computation_by_hand() -> None:
    # Bins [.1, .3), [.3, .5), [.5, .7), [.7, .9]: the third is empty.
    hardness = np.array([0.1, 0.2, 0.2, 0.1, 0.2, 0.1, 0.4, 0.45, 0.35, 0.4, 0.8, 0.9, 0.75, 0.9])
    alpha = 0.5
    weights = np.array([1 / (0.15 + 0.5), 1 / (0.4 + 0.5), 0, 1 / (0.8375 + 0.5)])
    bins, shares = hardness_shares(hardness, 5, alpha, 4)
    assert bins.tolist() == [0] * 6 + [1] * 4 + [3] * 4
    np.testing.assert_allclose(shares, 5 * weights / weights.sum(), rtol=1e-12)


def test_a_bin_gives_no_more_rows_than_it_has_and_the_others_share_the_rest() -> None:
    hardness = np.concatenate([[0.0], np.full(50, 0.5), np.full(50, 1.0)])
    bins, shares = hardness_shares(hardness, 21, 0.1, 3)
    # 1 / .1 outweighs the others by far, but there is one row; the other 20 go by 1 / .6 to 1 / 1.1.
    assert np.bincount(bins, minlength=3).tolist() == [1, 50, 50]
    np.testing.assert_allclose(shares, [1, 20 * 1.1 / 1.7, 20 * 0.6 / 1.7])
    for n_kept in (1, 100, 101):
        assert hardness_shares(hardness, n_kept, 0.1, 3)[1].sum() == pytest.approx(n_kept)


def test_rows_that_are_equally_hard_are_one_bin() -> None:
    bins, shares = hardness_shares(np.full(30, 0.3), 7, 0.2, 20)
    assert np.unique(bins).tolist() == [0]
    assert shares.tolist() == [7, *[0] * 19]


def test_alpha_goes_from_weights_by_hardness_to_all_bins_alike() -> None:
    hardness = np.repeat([0.05, 0.5, 0.95], 1000)
    _, first = hardness_shares(hardness, 90, math.tan(math.pi / 2 / 1000), 3)
    _, last = hardness_shares(hardness, 90, math.tan(999 * math.pi / 2 / 1000), 3)
    np.testing.assert_allclose(first[0] / first[2], 0.95 / 0.05, rtol=0.05)
    np.testing.assert_allclose(last, [30, 30, 30], rtol=0.01)


@pytest.mark.parametrize("shares", [[0.4] * 20, [2.5, 0, 3, 0.25, 1.25], [3.0, 0.0, 2.0], [0.1] * 10])
def test_shares_are_rounded_to_their_sum_and_kept_in_expectation(shares: list[float]) -> None:
    total = round(sum(shares))
    draw = np.random.RandomState(0)
    found = np.stack([rounded_at_random(np.array(shares), total, draw) for _ in range(4000)])
    assert set(found.sum(1)) == {total}
    assert (np.abs(found - shares) < 1).all()
    np.testing.assert_allclose(found.mean(0), shares, atol=0.04)


class Told(BaseEstimator):  # type: ignore[misc]
    """Says as class 0's probability what stands second in a row; writes down what it is fitted on."""

    fitted_on: ClassVar[list[NDArray[np.int64]]] = []

    def __init__(self, fault: str = "") -> None:
        self.fault = fault

    def fit(self, X: Any, y: Any) -> "Told":
        Told.fitted_on.append(X[:, 0].astype(int))
        if self.fault == "refuses":
            raise ValueError("two rows of a class\nat least.")
        return self

    def predict_proba(self, X: Any) -> NDArray[Any]:
        said = np.stack([X[:, 1], 1 - X[:, 1]], axis=1)
        if self.fault == "says NaN":
            said[0] = np.nan
        return said[:, :1] if self.fault == "forgets a class" else said


def told(hardness: NDArray[Any], n_few: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Rows of class 0 of a given hardness, before those of class 1."""
    X = np.zeros((len(hardness) + n_few, 2), np.float32)
    X[:, 0] = np.arange(len(X))
    X[: len(hardness), 1] = 1 - hardness
    return X, (np.arange(len(X)) >= len(hardness)).astype(np.int64)


def test_each_replica_draws_from_bins_by_the_mean_of_what_was_learned_before() -> None:
    # Easy rows are many, hard ones few. The stand-in says the same each time, and so does its mean.
    levels, of_level = np.array([0.02, 0.5, 0.98]), np.repeat([0, 1, 2], [600, 60, 60])
    X, y = told(levels[of_level], 60)
    n = 8
    found = kept(SelfPaced(estimator=Told(), k_bins=3), X, y, n)
    for replica in range(1, n):
        weights = 1 / (levels + math.tan(replica * math.pi / (2 * n)))
        drawn = np.bincount(of_level[found[replica][found[replica] < 720]], minlength=3)
        assert (np.abs(drawn - 60 * weights / weights.sum()) < 1).all(), replica
    hard = [levels[of_level[rows[rows < 720]]].mean() for rows in found]
    assert all(later > earlier - 0.02 for earlier, later in pairwise(hard))
    assert hard[-1] > 0.4 > 0.3 > hard[0]


def test_the_stand_in_is_fitted_on_each_replica_but_the_last_in_turn() -> None:
    Told.fitted_on.clear()
    X, y = told(np.linspace(0.1, 0.9, 50), 10)
    found = kept(SelfPaced(estimator=Told()), X, y, 4)
    assert_equal(Told.fitted_on, found[:-1])


def test_the_mean_is_of_the_classifiers_so_far() -> None:
    X, y = rows(120, 20, gap=0.5)
    few = np.flatnonzero(y == 1)
    n = 4
    found = kept(SelfPaced(k_bins=4), X, y, n)
    said = []
    for replica in range(1, n):
        of_before = LogisticRegression().fit(X[found[replica - 1]].astype(float), y[found[replica - 1]])
        said.append(of_before.predict_proba(X.astype(float))[:, 0])
        many = np.flatnonzero(y == 0)
        alpha = math.tan(replica * math.pi / (2 * n))
        bins, shares = hardness_shares(1 - np.mean(said, axis=0)[many], len(few), alpha, 4)
        drawn = np.bincount(bins[np.isin(many, found[replica])], minlength=4)
        assert (np.abs(drawn - shares) < 1).all()


# The chain


@pytest.mark.parametrize("counts", [(60, 15), (40, 40, 12, 12), (50, 1), (30, 20, 1)])
@pytest.mark.parametrize(
    "estimator",
    [None, GaussianNB(), make_pipeline(StandardScaler(), LogisticRegression())],
    ids=["default", "bayes", "pipeline"],
)
def test_every_replica_is_balanced_and_keeps_given_rows_once(counts: tuple[int, ...], estimator: Any) -> None:
    X, y = rows(*counts)
    for augmented in chain(SelfPaced(estimator=estimator), X, y, 5):
        assert np.bincount(y[augmented.kept]).tolist() == [min(counts)] * len(counts)
        assert len(np.unique(augmented.kept)) == len(augmented.kept)
        assert len(augmented.labels) == 0
        assert [(entry.new, entry.reason) for entry in augmented.balance] == [(0, None)] * len(counts)


def test_amount_is_the_share_of_the_surplus_that_is_removed() -> None:
    X, y = rows(40, 40, 12, 12)
    for rows_kept in kept(SelfPaced(), X, y, 3, amount=0.5):
        assert np.bincount(y[rows_kept]).tolist() == [26, 26, 12, 12]
    for rows_kept in kept(SelfPaced(), X, y, 3, amount=0.0):
        assert rows_kept.tolist() == list(range(104))


@pytest.mark.parametrize(
    "estimator", [None, LogisticRegression(), RandomForestClassifier(5)], ids=["default", "regression", "forest"]
)
def test_the_first_replica_is_random_under_sampling_s_to_the_bit(estimator: Any) -> None:
    X, y = rows(60, 30, 15)
    (expected,) = kept(RandomUnderSampler(), X, y, 1)
    for n in (1, 2, 5):
        np.testing.assert_array_equal(kept(SelfPaced(estimator=estimator), X, y, n)[0], expected)
    by_itself = SelfPaced(estimator=estimator, random_state=np.random.RandomState(0))
    np.testing.assert_array_equal(by_itself.fit_resample(X, y)[0], X[expected])
    np.testing.assert_array_equal(by_itself.sample_indices_, expected)


@pytest.mark.parametrize("estimator", [None, RandomForestClassifier(5)], ids=["default", "forest"])
def test_a_chain_follows_from_the_seeds_of_its_replicas_alone(estimator: Any) -> None:
    X, y = rows(200, 20, gap=0.7)
    sampler = SelfPaced(estimator=estimator)
    found = kept(sampler, X, y, 6)
    np.random.seed(7)
    assert_equal(kept(sampler, X, y, 6), found)
    assert len({tuple(each) for each in found}) == 6
    # Another seed of a replica changes none before it.
    given = TrainingRows.of(X, y)
    seeds = [0, 1, 2, 99, 4, 5]
    sets = [ToAugment(given, np.random.RandomState(seed), "", replica) for replica, seed in enumerate(seeds)]
    others = [each.kept for each in Augmenter(sampler).augment_all(sets)]
    assert_equal(others[:3], found[:3])
    assert (others[3] != found[3]).any()


def test_later_replicas_draw_harder_rows_than_random_ones() -> None:
    X, y = rows(900, 30, gap=1.5)
    judge = LogisticRegression(class_weight="balanced").fit(X, y)
    hardness = 1 - judge.predict_proba(X)[:, 0]
    found = np.array(
        [
            [hardness[each[y[each] == 0]].mean() for each in kept(SelfPaced(), X, y, 10, seed=seed)]
            for seed in range(1, 6)
        ]
    ).mean(0)
    assert found[-3:].mean() > found[1:4].mean() > found[0]
    assert found[-1] > 1.5 * found[0]


def test_sparse_rows_and_labels_of_any_kind_will_do() -> None:
    X, y = rows(40, 10)
    names = np.array(["many", "few"])[y]
    draws = [np.random.RandomState(replica) for replica in range(3)]
    for found, labels in SelfPaced().fit_resample_replicas(sparse.csr_matrix(X), names, draws):
        assert found.shape == (20, 8)
        assert sorted(labels) == ["few"] * 10 + ["many"] * 10


def test_replicas_of_one_set_are_resampled_together_and_of_two_apart() -> None:
    calls = []

    class Counting(SelfPaced):
        def fit_resample_replicas(self, X: Any, y: Any, random_states: Any) -> Any:
            calls.append(len(random_states))
            return super().fit_resample_replicas(X, y, random_states)

    sets = []
    for n, seed in ((3, 0), (1, 1), (2, 2)):
        given = TrainingRows.of(*rows(30, 10, seed=seed))
        sets += [ToAugment(given, np.random.RandomState(replica), "", replica) for replica in range(n)]
    assert len(list(Augmenter(Counting()).augment_all(sets))) == 6
    assert calls == [3, 1, 2]
    with pytest.raises(ValueError, match="replica 1 must follow those before it"):
        list(Augmenter(SelfPaced()).augment_all(sets[1:]))


# What cannot judge


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (
            "refuses",
            r"augmenter.estimator=Told failed on an under-sample with 4, 4 rows of the classes \(two rows of a",
        ),
        ("says NaN", "augmenter.estimator=Told must say a probability from 0 to 1 for each row and class"),
        ("forgets a class", "augmenter.estimator=Told must say a probability from 0 to 1 for each row and class"),
    ],
)
def test_a_stand_in_that_cannot_judge_is_an_error_of_one_sentence(fault: str, said: str) -> None:
    X, y = told(np.linspace(0, 1, 30), 4)
    with pytest.raises(UserError, match=said):
        chain(SelfPaced(estimator=Told(fault)), X, y, 2)
    assert len(chain(SelfPaced(estimator=Told(fault)), X, y, 1)) == 1  # a single replica needs none


def test_a_stand_in_that_needs_more_rows_says_so() -> None:
    X, y = rows(30, 1)
    with pytest.raises(
        UserError, match="LinearDiscriminantAnalysis failed on an under-sample with 1, 1 rows"
    ) as raised:
        chain(SelfPaced(estimator=LinearDiscriminantAnalysis()), X, y, 2)
    assert "lower the imbalance ratio" in str(raised.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"k_bins": 0}, "augmenter.k_bins=0 must be at least 1"),
        ({"k_bins": 2.5}, "augmenter.k_bins=2.5 must be a whole number"),
        ({"estimator": SVC()}, "augmenter.estimator=SVC cannot tell which rows are hard"),
        ({"estimator": LogisticRegression}, "augmenter.estimator=LogisticRegression cannot tell which rows are hard"),
    ],
)
def test_settings_without_meaning_are_refused_at_once(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        SelfPaced(**options)


# Members


def training_data(sampler: Any, replicas: int, folds: tuple[int, ...] = (0, 1, 2)) -> TrainingData:
    draw = np.random.RandomState(0)
    labels = np.repeat([0, 1, 2], 60)
    embeddings = (draw.normal(size=(180, 6)) + 2 * np.eye(3, 6)[labels]).astype(np.float32)
    texts = LabelledTexts("toy", [str(row) for row in range(180)], labels, ("a", "b", "c"))
    splits = make_splits(
        "toy", labels, texts.class_names, ImbalanceRatio(5.0), seeds=[0], n_folds=3, validation=Nested(n_folds=2)
    )
    chosen = [split for split in splits if split.fold in folds]
    graphs = neighbour_graphs(embeddings, labels)
    return augment(texts, embeddings, chosen, Augmenter(sampler), graphs, ratio=5.0, replicas=replicas)


def test_a_member_trains_on_its_own_replica_whatever_other_sets_are_beside_it() -> None:
    together = training_data(SelfPaced(), 4)
    counts = together.class_counts()
    assert (counts == counts[:, :1]).all()
    for fold in range(3):
        alone = {(each.inner, each.replica): each.real for each in training_data(SelfPaced(), 4, (fold,)).training_sets}
        beside = [each for each in together.training_sets if each.split.fold == fold]
        assert len(alone) == len(beside) == 12
        for each in beside:
            np.testing.assert_array_equal(each.real, alone[each.inner, each.replica])
            assert np.isin(each.real, each.rows).all()


def test_one_replica_of_a_run_is_that_of_random_under_and_the_first_of_many_too() -> None:
    of_random, of_one, of_three = (
        training_data(RandomUnderSampler(), 1),
        training_data(SelfPaced(), 1),
        training_data(SelfPaced(estimator=LogisticRegression()), 3),
    )
    for expected, one, first in zip(
        of_random.training_sets, of_one.training_sets, of_three.training_sets[::3], strict=True
    ):
        np.testing.assert_array_equal(one.real, expected.real)
        np.testing.assert_array_equal(first.real, expected.real)
        assert one.augmented.balance == expected.augmented.balance
