"""Classifiers that are fitted at once, through the same seam as the stack; replicas; what is known of two Gaussians."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from imblearn import FunctionSampler
from imblearn.ensemble import BalancedBaggingClassifier, BalancedRandomForestClassifier
from imblearn.over_sampling import SMOTE
from imblearn.under_sampling import RandomUnderSampler
from numpy.typing import NDArray
from scipy.special import log_softmax
from scipy.stats import norm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from synaug.augmenter import Augmenter
from synaug.classifier import Classifier, FittedAtOnce, NearestClassMean, NearestNeighbours, ScikitLearn
from synaug.dataset import LabelledTexts
from synaug.errors import UserError
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.loss import BalancedSoftmax, ClassWeighted, LogitAdjusted, Loss, Plain
from synaug.scores.prior_correction import corrected
from synaug.settings import BAGGED
from synaug.splits import make_splits
from synaug.training.at_once import TrainingAtOnce
from synaug.training.fit import Fits, StackedTraining
from synaug.training.predictions import Predictions
from synaug.training.training_sets import TrainingData, augment, neighbour_graphs
from synaug.validation import Nested

NAMES = ("a", "b", "c")
QUIET = {"accelerator": "cpu", "enable_progress_bar": False}


def training_data(
    rows_per_class: int = 60,
    centres: NDArray[Any] | None = None,
    sampler: Any = None,
    replicas: int = 1,
    ratio: float = 4.0,
    n_folds: int = 3,
    standardize: bool = False,
) -> TrainingData:
    centres = 2 * np.eye(3, 8) if centres is None else centres
    draw = np.random.RandomState(0)
    labels = np.repeat(np.arange(len(centres)), rows_per_class)
    embeddings = (draw.standard_normal((len(labels), centres.shape[1])) + centres[labels]).astype(np.float32)
    names = NAMES[: len(centres)]
    texts = LabelledTexts("toy", [str(row) for row in range(len(labels))], labels, names)
    splits = make_splits(
        "toy", labels, names, ImbalanceRatio(ratio), seeds=[0], n_folds=n_folds, validation=Nested(n_folds=3)
    )
    return augment(
        texts,
        embeddings,
        splits,
        Augmenter(FunctionSampler() if sampler is None else sampler),
        neighbour_graphs(embeddings, labels),
        ratio=ratio,
        replicas=replicas,
        standardize=standardize,
    )


def stack(loss: Loss | None = None, hidden: Sequence[int] = (), lr: float = 0.01, **settings: Any) -> StackedTraining:
    classifier = partial(Classifier, hidden=hidden, optimizer=partial(torch.optim.Adam, lr=lr))
    return StackedTraining(
        classifier,
        loss or Plain(),
        **{"batch_size": 16, "max_steps": 45, "trainer": QUIET, "final": BAGGED, **settings},
    )


# The seam


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("final", ["bagged", "refit"])
def test_scikit_learn_s_regression_is_what_it_is_on_the_same_rows_with_and_without_correction(
    final: str, standardize: bool
) -> None:
    data = training_data(standardize=standardize)
    found = TrainingAtOnce(ScikitLearn(LogisticRegression()), final, progress_bar=False).fit(data)

    def said(rows: NDArray[Any], on: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        X = data.embeddings
        if standardize:
            X = (X - X[rows].mean(0)) / X[rows].std(0)
        fitted = LogisticRegression().fit(X[rows], data.labels[rows])
        return fitted.predict_log_proba(X[on]), np.bincount(data.labels[rows]) / len(rows)

    for split, of_split in zip(data.splits, found.splits, strict=True):
        last, shares = said(split.train, split.test)
        np.testing.assert_allclose(of_split.last, last, atol=1e-3)
        chosen = of_split.chosen["prior_corrected"]
        left_out = [corrected(*said(fold.fit, fold.left_out), np.full(3, 1 / 3)) for fold in split.inner]
        np.testing.assert_allclose(chosen.out_of_fold, np.concatenate(left_out), atol=1e-3)
        bag = [corrected(*said(fold.fit, split.test), np.full(3, 1 / 3)) for fold in split.inner]
        expected = corrected(last, shares, np.full(3, 1 / 3)) if final == "refit" else np.log(np.mean(np.exp(bag), 0))
        np.testing.assert_allclose(chosen.test, expected, atol=1e-3)
        labels = data.labels[split.out_of_fold]
        losses = -np.concatenate(left_out)[np.arange(len(labels)), labels]
        balanced = np.mean([losses[labels == label].mean() for label in range(3)])
        assert chosen.loss == pytest.approx(balanced, abs=1e-3)
        assert chosen.step == 0
    assert found.members == 12
    assert found.n_trained == sum(len(training_set.rows) for training_set in data.training_sets)


@pytest.mark.parametrize(
    "classifier",
    [NearestClassMean(), NearestNeighbours(), ScikitLearn(RandomForestClassifier(5))],
    ids=lambda each: type(each).__name__,
)
def test_synthetic_rows_train_and_every_row_is_predicted(classifier: FittedAtOnce) -> None:
    data = training_data(sampler=SMOTE(k_neighbors=2))
    found = TrainingAtOnce(classifier, BAGGED, progress_bar=False).fit(data)
    assert found.n_trained == data.class_counts().sum() > sum(len(each.rows) for each in data.training_sets)
    for split, of_split in zip(data.splits, found.splits, strict=True):
        for said, rows in (
            (of_split.last, split.test),
            (of_split.chosen["tuned"].test, split.test),
            (of_split.chosen["tuned"].out_of_fold, split.out_of_fold),
        ):
            assert said.shape == (len(rows), 3)
            assert np.isfinite(said).all()
            assert (said.argmax(1) == data.labels[rows]).mean() > 0.5


def test_a_forest_s_draws_follow_from_the_member() -> None:
    data = training_data()
    training = TrainingAtOnce(ScikitLearn(RandomForestClassifier(3)), BAGGED, progress_bar=False)
    once, again = training.fit(data), training.fit(data)
    np.testing.assert_array_equal(once.splits[0].last, again.splits[0].last)
    X, y = data.embeddings, data.labels
    one, other = (ScikitLearn(RandomForestClassifier(3)).fit(X, y, len(X), seed)(X) for seed in (0, 1))
    assert not np.array_equal(one, other)


# Nearest class mean


def test_the_nearest_class_mean_decides_as_scikit_learn_s_whatever_the_sizes() -> None:
    data = training_data(ratio=10.0)
    X, y = data.embeddings, data.labels
    rows = np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:9], np.flatnonzero(y == 2)[:2]])
    found = NearestClassMean().fit(X[rows], y[rows], len(rows), 0)(X)
    np.testing.assert_array_equal(found.argmax(1), NearestCentroid().fit(X[rows], y[rows]).predict(X))
    np.testing.assert_allclose(NearestClassMean().carried_prior(np.array([[60, 9, 2]])), [[1 / 3] * 3])


def test_of_two_normal_densities_the_nearest_mean_says_the_right_probabilities() -> None:
    draw = np.random.RandomState(0)
    y = np.repeat([0, 1], [8000, 800])  # unequal, and the probabilities are of equal classes
    scale = 0.3
    X = (scale * draw.standard_normal((8800, 2)) + np.array([[0, 0], [0.5, 0]])[y]).astype(np.float32)
    found = NearestClassMean().fit(X, y, len(X), 0)(X)
    log_odds = (X[:, 0] - 0.25) * 0.5 / scale**2
    slope = np.polyfit(log_odds, found[:, 1] - found[:, 0], 1)
    np.testing.assert_allclose(slope, [1, 0], atol=0.1)


def test_synthetic_copies_do_not_make_the_nearest_mean_surer() -> None:
    draw = np.random.RandomState(0)
    y = np.repeat([0, 1], [40, 3])
    X = draw.standard_normal((43, 20)).astype(np.float32)
    X[y == 1] += 0.5
    copies = np.repeat(np.flatnonzero(y == 1), 12)
    alone = NearestClassMean().fit(X, y, 43, 0)(X)
    repeated = NearestClassMean().fit(np.concatenate([X, X[copies]]), np.concatenate([y, y[copies]]), 43, 0)(X)
    np.testing.assert_allclose(repeated, alone, atol=1e-6)


@pytest.mark.parametrize("counts", [[5, 1], [1, 1]])
def test_a_class_of_one_row_has_a_mean(counts: list[int]) -> None:
    y = np.repeat([0, 1], counts)
    X = np.random.RandomState(0).standard_normal((len(y), 3)).astype(np.float32)
    found = NearestClassMean().fit(X, y, len(X), 0)(X)
    assert np.isfinite(found).all()
    assert found[-1].argmax() == 1


# Nearest neighbours


def test_neighbours_vote_as_scikit_learn_s_and_one_vote_more_is_shared_out() -> None:
    data = training_data()
    X, y = data.embeddings, data.labels
    rows = np.concatenate([np.arange(60), 60 + np.arange(20), 120 + np.arange(10)])
    found = np.exp(NearestNeighbours(k=7).fit(X[rows], y[rows], len(rows), 0)(X))
    votes = 7 * KNeighborsClassifier(7).fit(X[rows], y[rows]).predict_proba(X)
    np.testing.assert_allclose(found, (votes + np.array([60, 20, 10]) / 90) / 8)


def test_where_all_rows_are_neighbours_probabilities_are_the_prior_that_is_carried() -> None:
    X, y = np.random.RandomState(0).standard_normal((9, 2)).astype(np.float32), np.repeat([0, 1], [6, 3])
    classifier = NearestNeighbours(k=50)
    found = np.exp(classifier.fit(X, y, 9, 0)(X))
    np.testing.assert_allclose(found, classifier.carried_prior(np.array([[6, 3]])).repeat(9, 0))


# What is refused


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: NearestNeighbours(k=0), "classifier.k=0 must be at least 1"),
        (lambda: NearestNeighbours(metric="cosin"), "classifier.metric=cosin is no metric of scikit-learn's"),
        (lambda: ScikitLearn(LinearSVC()), "classifier.estimator=LinearSVC is no classifier of scikit-learn's kind"),
        (lambda: ScikitLearn(LogisticRegression), "classifier.estimator=LogisticRegression is no classifier"),
        (lambda: ScikitLearn(LogisticRegression(), "both"), "classifier.carries=both must be one of counts, uniform"),
        (
            lambda: ScikitLearn(LogisticRegression(class_weight="balanced")),
            "classifier.estimator.class_weight=balanced changes the class frequencies that probabilities follow",
        ),
        (
            lambda: ScikitLearn(LinearDiscriminantAnalysis(priors=[0.5, 0.5])),
            "classifier.estimator.priors=[0.5,0.5] changes the class frequencies",
        ),
        (
            lambda: ScikitLearn(BalancedRandomForestClassifier()),
            "classifier.estimator=BalancedRandomForestClassifier resamples classes itself (sampling_strategy)",
        ),
        (
            lambda: ScikitLearn(make_pipeline(StandardScaler(), BalancedBaggingClassifier())),
            "resamples classes itself (balancedbaggingclassifier.sampling_strategy)",
        ),
    ],
)
def test_what_cannot_be_used_is_said_in_a_sentence(make: Callable[[], Any], sentence: str) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)):
        make()


class Boosted(GaussianNB):  # type: ignore[misc]
    """A classifier with the parameters that boosting libraries have."""

    def __init__(
        self,
        scale_pos_weight: Any = None,
        is_unbalance: Any = False,
        class_weights: Any = None,
        auto_class_weights: Any = None,
    ) -> None:
        super().__init__()
        self.scale_pos_weight = scale_pos_weight
        self.is_unbalance = is_unbalance
        self.class_weights = class_weights
        self.auto_class_weights = auto_class_weights


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scale_pos_weight", 9),
        ("is_unbalance", True),
        ("is_unbalance", 1),
        ("class_weights", [1, 9]),
        ("class_weights", np.array([1, 9])),
        ("auto_class_weights", "Balanced"),
    ],
)
def test_weights_of_boosting_libraries_change_the_frequencies(name: str, value: Any) -> None:
    with pytest.raises(UserError, match=rf"classifier\.estimator\.{name}=.* changes the class frequencies"):
        ScikitLearn(Boosted(**{name: value}))
    ScikitLearn(Boosted(**{name: value}), carries="uniform")


def test_weights_that_change_nothing_are_taken() -> None:
    for unset in (
        Boosted(scale_pos_weight=1.0, is_unbalance=None, auto_class_weights="None"),
        Boosted(scale_pos_weight=1, is_unbalance=False),
    ):
        np.testing.assert_array_equal(ScikitLearn(unset).carried_prior(np.array([[90, 10]])), [[0.9, 0.1]])


@pytest.mark.parametrize("ensemble", [BalancedRandomForestClassifier(10), BalancedBaggingClassifier(n_estimators=10)])
def test_ensembles_that_balance_classes_themselves_carry_uniform_frequencies(ensemble: Any) -> None:
    classifier = ScikitLearn(ensemble, carries="uniform")
    np.testing.assert_array_equal(classifier.carried_prior(np.array([[90, 10]])), [[0.5, 0.5]])
    X, y = np.random.RandomState(0).standard_normal((100, 2)).astype(np.float32), np.repeat([0, 1], [90, 10])
    said = np.exp(classifier.fit(X, y, 100, 0)(np.random.RandomState(1).standard_normal((500, 2)).astype(np.float32)))
    assert said.mean(0)[1] == pytest.approx(0.5, abs=0.15)  # of rows that tell nothing


class Doubtful(GaussianNB):  # type: ignore[misc]
    """Says of one row that it is none of the classes."""

    def predict_proba(self, X: NDArray[np.float32]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = super().predict_proba(X)
        found[0] = np.nan
        return found


def test_a_classifier_that_says_what_is_no_number_is_refused() -> None:
    training = TrainingAtOnce(ScikitLearn(Doubtful()), BAGGED, progress_bar=False)
    with pytest.raises(UserError, match="log probabilities that are not finite in seed 0 fold 0: choose other"):
        training.fit(training_data())


def test_weights_of_scikit_learn_s_can_be_had_where_it_is_said_what_they_carry() -> None:
    classifier = ScikitLearn(LogisticRegression(class_weight="balanced"), carries="uniform")
    np.testing.assert_array_equal(classifier.carried_prior(np.array([[9, 1]])), [[0.5, 0.5]])
    assert ScikitLearn(GaussianNB()).carried_prior(np.array([[9, 1]])).tolist() == [[0.9, 0.1]]


# Ensembles


def under_bagged(replicas: int) -> TrainingData:
    return training_data(sampler=RandomUnderSampler(), replicas=replicas)


def assert_same(one: Predictions, other: Predictions) -> None:
    for left, right in zip(one.splits, other.splits, strict=True):
        np.testing.assert_array_equal(left.last, right.last)
        for rule, chosen in left.chosen.items():
            np.testing.assert_array_equal(chosen.test, right.chosen[rule].test)
            np.testing.assert_array_equal(chosen.out_of_fold, right.chosen[rule].out_of_fold)


@pytest.mark.parametrize(
    "training", [stack(hidden=[16]), TrainingAtOnce(ScikitLearn(LogisticRegression()), BAGGED, progress_bar=False)]
)
def test_an_ensemble_is_the_mean_of_members_on_other_undersamples(training: Fits) -> None:
    data = under_bagged(3)
    of_split = [each for each in data.training_sets if each.place == 0 and each.inner is None]
    assert [each.replica for each in of_split] == [0, 1, 2]
    assert len({tuple(each.real) for each in of_split}) == 3
    assert {tuple(counts) for counts in data.class_counts()[-9:]} == {(10, 10, 10)}
    alone = under_bagged(1)
    np.testing.assert_array_equal(alone.training_sets[0].real, data.training_sets[0].real)
    together = training.fit(data)
    heads = []
    for replica in range(3):
        kept = [each for each in data.training_sets if each.replica == replica]
        only = TrainingData(data.dataset, data.embeddings, data.labels, NAMES, data.splits, kept, data.target)
        heads.append(training.fit(only))
    assert_same(heads[0], training.fit(alone))
    for place, of_three in enumerate(together.splits):
        mean = np.mean([np.exp(head.splits[place].last) for head in heads], axis=0)
        np.testing.assert_allclose(np.exp(of_three.last), mean, rtol=1e-5)
        assert not np.allclose(np.exp(of_three.last), np.exp(heads[0].splits[place].last), atol=1e-3)


# What is known


@pytest.mark.parametrize(
    ("loss", "left"),
    [(Plain(), 1.0), (ClassWeighted(), 0.0), (BalancedSoftmax(), 0.0), (LogitAdjusted(0.5), 0.5)],
    ids=lambda value: type(value).__name__ if isinstance(value, Loss) else "",
)
def test_two_gaussians_are_told_apart_as_well_as_the_formula_says(loss: Loss, left: float) -> None:
    """Balanced accuracy ½ [Φ(Δ/2 − L/Δ) + Φ(Δ/2 + L/Δ)] where odds of e^L are followed; Φ(Δ/2) after the correction."""
    distance, ratio = 2.0, 10.0
    centres = np.zeros((2, 4))
    centres[1, 0] = distance
    data = training_data(6000, centres, ratio=ratio, n_folds=2)
    found = stack(loss, batch_size=256, max_steps=724).fit(data)
    shift = left * np.log(ratio) / distance
    expected = (norm.cdf(distance / 2 - shift) + norm.cdf(distance / 2 + shift)) / 2
    by_rule = {"argmax": [], "prior_corrected": [], "tuned": []}  # type: dict[str, list[float]]
    for split, of_split in zip(data.splits, found.splits, strict=True):
        labels = data.labels[split.test]
        said = {"argmax": of_split.last, **{rule: chosen.test for rule, chosen in of_split.chosen.items()}}
        for rule in by_rule:
            hits = said[rule].argmax(1) == labels
            by_rule[rule].append(float(np.mean([hits[labels == label].mean() for label in range(2)])))
    # 12,000 test rows in all: a standard error of 0.004; and a border that is fitted on 300 rows of the minority.
    assert np.mean(by_rule["argmax"]) == pytest.approx(expected, abs=0.02)
    assert np.mean(by_rule["prior_corrected"]) == pytest.approx(norm.cdf(distance / 2), abs=0.012)
    assert np.mean(by_rule["tuned"]) == pytest.approx(norm.cdf(distance / 2), abs=0.012)


def test_scikit_learn_s_regression_and_the_linear_stack_agree() -> None:
    centres = np.zeros((2, 4))
    centres[1, 0] = 2.0
    data = training_data(3000, centres, ratio=10.0, n_folds=2)
    ours = stack(batch_size=256, max_steps=1024).fit(data)
    theirs = TrainingAtOnce(ScikitLearn(LogisticRegression()), BAGGED, progress_bar=False).fit(data)
    for mine, other in zip(ours.splits, theirs.splits, strict=True):
        assert np.abs(np.exp(log_softmax(mine.last, 1)) - np.exp(other.last)).mean() < 0.02
