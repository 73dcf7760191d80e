"""Scores, each against a confusion matrix or probabilities worked by hand."""

import sys
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.metrics import geometric_mean_score
from numpy.typing import NDArray
from sklearn import metrics as sk

from synaug.scores.metrics import (
    CALIBRATION_BINS,
    CLASS_METRICS,
    LOSSES,
    METRICS,
    areas,
    confusion,
    counted,
    matthews,
    of_classes,
    overall_scores,
    reliability,
    scores,
)

# Rows are actual, columns decided.
MATRIX = np.array([[3, 1, 0], [1, 2, 0], [1, 0, 2]])


def of_matrix(matrix: NDArray[np.int64], sure: float = 0.8) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels and probabilities that a confusion matrix came from."""
    n_classes = len(matrix)
    actual, decided = (np.repeat(each.ravel(), matrix.ravel()) for each in np.indices(matrix.shape))
    probabilities = np.full((len(actual), n_classes), (1 - sure) / (n_classes - 1))
    probabilities[np.arange(len(actual)), decided] = sure
    return actual, probabilities


def table(labels: Any, probabilities: Any, minority: Any = (1,)) -> dict[Any, float]:
    rows = list(scores(np.asarray(labels), np.asarray(probabilities, dtype=float), minority))
    assert len({row[:2] for row in rows}) == len(rows)
    assert all(np.isfinite(value) for _, _, value in rows)
    return {metric if label is None else (metric, label): float(value) for metric, label, value in rows}


def test_scores_of_decisions_by_hand() -> None:
    found = table(*of_matrix(MATRIX), minority=[0, 2])
    recall, precision, f1 = (3 / 4, 2 / 3, 2 / 3), (3 / 5, 2 / 3, 2 / 2), (2 / 3, 2 / 3, 4 / 5)
    for label in range(3):
        assert found["recall", label] == pytest.approx(recall[label])
        assert found["precision", label] == pytest.approx(precision[label])
        assert found["f1", label] == pytest.approx(f1[label])
    assert found["accuracy"] == pytest.approx(7 / 10)
    assert found["balanced_accuracy"] == found["recall_macro"] == pytest.approx(sum(recall) / 3)
    assert found["precision_macro"] == pytest.approx(sum(precision) / 3)
    assert found["f1_macro"] == pytest.approx(sum(f1) / 3)
    assert found["geometric_mean"] == pytest.approx((3 / 4 * 2 / 3 * 2 / 3) ** (1 / 3))
    assert found["minority_recall"] == pytest.approx((recall[0] + recall[2]) / 2)
    assert found["majority_recall"] == pytest.approx(recall[1])
    assert found["minority_precision"] == pytest.approx((precision[0] + precision[2]) / 2)
    # Gorodkin's R_K: (c s - sum t p) / sqrt((s^2 - sum p^2) (s^2 - sum t^2)), t = (4, 3, 3), p = (5, 3, 2).
    assert found["mcc"] == pytest.approx((7 * 10 - 35) / np.sqrt((100 - 38) * (100 - 34)))
    assert confusion(*of_matrix(MATRIX)) == MATRIX.tolist()


@settings(max_examples=300)
@given(st.data())
def test_scores_of_decisions_are_scikit_learns_to_the_last_bit(data: st.DataObject) -> None:
    n_classes = data.draw(st.integers(2, 6))
    label = st.integers(0, n_classes - 1)
    rows = data.draw(st.lists(st.tuples(label, label), min_size=1, max_size=60)) * data.draw(st.sampled_from([1, 1009]))
    labels, decided = np.array(rows).T
    matrix, classes = counted(labels, decided, n_classes), np.arange(n_classes)
    np.testing.assert_array_equal(matrix, sk.confusion_matrix(labels, decided, labels=classes), strict=True)
    theirs = sk.precision_recall_fscore_support(labels, decided, labels=classes, zero_division=0.0)
    for ours, of_sk in zip(of_classes(matrix), theirs, strict=False):
        np.testing.assert_array_equal(ours, of_sk, strict=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A single label was found", UserWarning)
        assert matthews(matrix) == sk.matthews_corrcoef(labels, decided)


def test_scores_of_probabilities_by_hand() -> None:
    second = np.array([0.1, 0.38, 0.35, 0.82])
    found = table([0, 0, 1, 1], np.stack([1 - second, second], axis=1))
    # Of four pairs of one row of each class three stand in the right order, from either side.
    assert found["auroc_macro"] == pytest.approx(3 / 4)
    # Class 1 ranks + - + -: (1/1 + 2/3) / 2; class 0 ranks + - + - as well.
    assert found["auprc_macro"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["log_loss"] == pytest.approx(-np.log([0.9, 0.62, 0.35, 0.82]).mean())
    assert found["brier_score"] == pytest.approx(2 * (0.1**2 + 0.38**2 + 0.65**2 + 0.18**2) / 4)
    # Of 15 bins 0.9 has one, 0.62 and 0.65 share one (one of two right), 0.82 has one.
    assert found["calibration_error"] == pytest.approx(0.1 / 4 + abs(0.5 - 0.635) / 2 + 0.18 / 4)


def test_the_balanced_log_loss_is_a_mean_over_classes() -> None:
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.5, 0.5], [0.8, 0.2]])
    found = table([0, 0, 0, 1], probabilities)
    assert found["balanced_log_loss"] == pytest.approx((-np.log([0.9, 0.6, 0.5]).mean() - np.log(0.2)) / 2)
    assert found["log_loss"] == pytest.approx(-np.log([0.9, 0.6, 0.5, 0.2]).mean())


def test_where_classes_have_as_many_rows_both_log_losses_are_one() -> None:
    labels = np.repeat(np.arange(4), 6)
    found = table(labels, np.random.RandomState(0).dirichlet(np.ones(4), 24))
    assert found["balanced_log_loss"] == pytest.approx(found["log_loss"])


# Rows that inner folds leave out need not be of every class.


@pytest.mark.parametrize("absent", [0, 1, 3])
def test_of_a_class_without_rows_nothing_enters_the_means(absent: int) -> None:
    labels = np.concatenate([np.full(6 + label, label) for label in range(4) if label != absent])
    logits = np.random.RandomState(1).standard_normal((len(labels), 4)) + 2 * np.eye(4)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    decided, present = probabilities.argmax(1), np.unique(labels)
    assert (decided == absent).any()
    found = table(labels, probabilities, minority=[2, 3])
    recall, precision = (
        {label: float(np.mean(of[where == label] == label)) for label in present.tolist()}
        for of, where in ((decided, labels), (labels, decided))
    )
    f1 = [2 * recall[label] * precision[label] / (recall[label] + precision[label]) for label in present.tolist()]
    few = [label for label in (2, 3) if label != absent]
    assert found["balanced_accuracy"] == found["recall_macro"] == pytest.approx(np.mean(list(recall.values())))
    assert found["precision_macro"] == pytest.approx(np.mean(list(precision.values())))
    assert found["f1_macro"] == pytest.approx(np.mean(f1))
    assert found["geometric_mean"] == pytest.approx(np.prod(list(recall.values())) ** (1 / 3))
    assert found["minority_recall"] == pytest.approx(np.mean([recall[label] for label in few]))
    assert found["minority_precision"] == pytest.approx(np.mean([precision[label] for label in few]))
    assert found["majority_recall"] == pytest.approx(np.mean([recall[label] for label in (0, 1) if label != absent]))
    one_vs_rest = [sk.roc_auc_score(labels == label, probabilities[:, label]) for label in present]
    assert found["auroc_macro"] == pytest.approx(np.mean(one_vs_rest))
    average = [sk.average_precision_score(labels == label, probabilities[:, label]) for label in present]
    assert found["auprc_macro"] == pytest.approx(np.mean(average))
    nats = -np.log(probabilities[np.arange(len(labels)), labels])
    assert found["balanced_log_loss"] == pytest.approx(np.mean([nats[labels == label].mean() for label in present]))
    assert {label for key in found if not isinstance(key, str) for label in key[1:]} == set(present.tolist())


def test_a_minority_without_rows_has_no_scores_of_its_own() -> None:
    labels = np.repeat([0, 1], 5)
    found = table(labels, np.random.RandomState(0).dirichlet(np.ones(3), 10), minority=[2])
    assert not {"minority_recall", "minority_precision"} & set(found)
    assert "majority_recall" in found


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("only", [0, 1])
def test_rows_of_one_class_alone_have_scores_that_are_finite(n_classes: int, only: int) -> None:
    # All that inner folds leave out where the other classes train with one row each.
    probabilities = np.random.RandomState(0).dirichlet(np.ones(n_classes), 8)
    found = table(np.full(8, only), probabilities, minority=[1])
    right = float(np.mean(probabilities.argmax(1) == only))
    assert found["balanced_accuracy"] == found["accuracy"] == right
    assert (
        found["balanced_log_loss"]
        == pytest.approx(found["log_loss"])
        == pytest.approx(-np.log(probabilities[:, only]).mean())
    )
    # There is nothing to tell rows of a class from.
    assert set(METRICS) - set(found) - {"minority_recall", "minority_precision", "majority_recall"} == {
        "auroc_macro",
        "auprc_macro",
        "mcc",
    }


def test_rows_of_one_class_that_are_all_right_raise_no_warning() -> None:
    found = table([1] * 4, np.tile([0.2, 0.8], (4, 1)))
    assert found["accuracy"] == found["balanced_accuracy"] == found["minority_precision"] == 1


def test_scores_of_three_classes_by_hand() -> None:
    labels = np.array([0, 1, 2])
    probabilities = np.array([[0.7, 0.2, 0.1], [0.4, 0.35, 0.25], [0.3, 0.45, 0.25]])
    found = table(labels, probabilities)
    # One against rest: class 0 ahead of both others, class 1 ahead of one, class 2 ties with one and leads the other.
    assert found["auroc_macro"] == pytest.approx((1 + 1 / 2 + (1 + 1 / 2) / 2) / 3)
    # A tie counts as one threshold: precision 1/2 for class 2; class 1 comes second.
    assert found["auprc_macro"] == pytest.approx((1 + 1 / 2 + 1 / 2) / 3)
    assert found["log_loss"] == pytest.approx(-np.log(0.7 * 0.35 * 0.25) / 3)
    brier = (0.3**2 + 0.2**2 + 0.1**2) + (0.4**2 + 0.65**2 + 0.25**2) + (0.3**2 + 0.45**2 + 0.75**2)
    assert found["brier_score"] == pytest.approx(brier / 3)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), n_classes=st.integers(2, 5), n=st.integers(5, 80))
def test_every_score_is_the_librarys(seed: int, n_classes: int, n: int) -> None:
    draw = np.random.RandomState(seed)
    labels = draw.permutation(np.concatenate([np.arange(n_classes), draw.randint(n_classes, size=n)]))
    probabilities = draw.dirichlet(np.ones(n_classes), len(labels))
    decided, one_hot = probabilities.argmax(1), np.eye(n_classes)[labels]
    found = table(labels, probabilities, minority=[0])
    expected = {
        "accuracy": (decided == labels).mean(),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, decided),
        "precision_macro": sk.precision_score(labels, decided, average="macro", zero_division=0),
        "recall_macro": sk.recall_score(labels, decided, average="macro"),
        "f1_macro": sk.f1_score(labels, decided, average="macro", zero_division=0),
        "geometric_mean": geometric_mean_score(labels, decided, average="multiclass"),
        "mcc": sk.matthews_corrcoef(labels, decided),
        "auroc_macro": np.mean([sk.roc_auc_score(labels == c, probabilities[:, c]) for c in range(n_classes)]),
        "auprc_macro": np.mean(
            [sk.average_precision_score(labels == c, probabilities[:, c]) for c in range(n_classes)]
        ),
        "log_loss": -np.log(probabilities[np.arange(len(labels)), labels]).mean(),
        "brier_score": ((probabilities - one_hot) ** 2).sum(1).mean(),
        "calibration_error": calibration_error(labels, probabilities, 15),
    }
    for metric, value in expected.items():
        # torchmetrics bins in float32.
        assert found[metric] == pytest.approx(value, abs=1e-5 if metric == "calibration_error" else 1e-9), metric
    for label in range(n_classes):
        assert found["recall", label] == pytest.approx((decided[labels == label] == label).mean())


def guesses(seed: int, n_classes: int, n: int, decimals: int | None, scale: float) -> tuple[Any, NDArray[np.float64]]:
    """Labels of unequal classes and probabilities; rounded ones have ties."""
    draw = np.random.RandomState(seed)
    others = draw.choice(n_classes, n, p=draw.dirichlet(np.ones(n_classes)))
    labels = draw.permutation(np.concatenate([np.arange(n_classes), others]))
    logits = scale * (draw.standard_normal((len(labels), n_classes)) + 2 * np.eye(n_classes)[labels])
    probabilities = np.exp(logits - logits.max(1, keepdims=True))
    probabilities /= probabilities.sum(1, keepdims=True)
    return labels, probabilities if decimals is None else np.round(probabilities, decimals)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_classes=st.sampled_from([2, 3, 6, 40]),
    n=st.sampled_from([0, 1, 30, 300]),
    decimals=st.sampled_from([None, 2, 1, 0]),
    scale=st.sampled_from([0.1, 1.0, 200.0]),
    at_once=st.sampled_from([1, 500, 2**19]),
)
def test_areas_are_the_librarys_to_the_last_bit(
    seed: int, n_classes: int, n: int, decimals: int | None, scale: float, at_once: int
) -> None:
    labels, probabilities = guesses(seed, n_classes, n, decimals, scale)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("synaug.scores.metrics.RANKED_AT_ONCE", at_once)
        auroc, auprc = areas(labels, probabilities)
    one_hot = np.eye(n_classes)[labels]
    np.testing.assert_array_equal(auroc, sk.roc_auc_score(one_hot, probabilities, average=None))
    np.testing.assert_array_equal(auprc, sk.average_precision_score(one_hot, probabilities, average=None))
    assert auroc.mean() == sk.roc_auc_score(one_hot, probabilities)
    assert auprc.mean() == sk.average_precision_score(one_hot, probabilities)


@pytest.mark.parametrize(("decimals", "scale"), [(None, 1.0), (2, 1.0), (None, 200.0)])
def test_areas_of_151_classes_are_the_librarys(decimals: int | None, scale: float) -> None:
    labels, probabilities = guesses(0, 151, 200, decimals, scale)
    auroc, auprc = areas(labels, probabilities)
    one_hot = np.eye(151)[labels]
    np.testing.assert_array_equal(auroc, sk.roc_auc_score(one_hot, probabilities, average=None))
    np.testing.assert_array_equal(auprc, sk.average_precision_score(one_hot, probabilities, average=None))


def test_many_classes_are_ranked_together() -> None:
    """Counted in calls, which no other load on the machine changes: from class to class they would be thousands."""
    labels, probabilities = np.repeat(np.arange(151), 2), guesses(0, 151, 151, None, 1.0)[1]
    calls: list[str] = []
    sys.setprofile(lambda frame, event, argument: calls.append(event))
    try:
        areas(labels, probabilities)
    finally:
        sys.setprofile(None)
    assert calls.count("call") + calls.count("c_call") < 10 * 151


def calibration_error(labels: NDArray[np.int64], probabilities: NDArray[np.float64], n_bins: int) -> float:
    """Guo et al. 2017, equation 3."""
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    bins = np.floor(confidence * n_bins)
    return float(
        sum(
            (bins == each).mean() * abs(right[bins == each].mean() - confidence[bins == each].mean())
            for each in set(bins)
        )
    )


def test_all_metrics_are_there_and_in_the_order_of_the_tables() -> None:
    rows = list(scores(*of_matrix(MATRIX), [1]))
    assert tuple(metric for metric, label, _ in rows if label is None) == METRICS
    assert [(metric, label) for metric, label, _ in rows if label is not None] == [
        (metric, label) for metric in CLASS_METRICS for label in range(3)
    ]


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("sure", [1.0, 0.9])
def test_perfect_predictions(n_classes: int, sure: float) -> None:
    found = table(*of_matrix(5 * np.eye(n_classes, dtype=int), sure))
    for metric in set(METRICS) - set(LOSSES):
        assert found[metric] == pytest.approx(1), metric
    assert found["log_loss"] == pytest.approx(-np.log(sure), abs=1e-9)
    assert found["balanced_log_loss"] == pytest.approx(-np.log(sure), abs=1e-9)
    assert found["calibration_error"] == pytest.approx(1 - sure, abs=1e-5)
    if sure == 1:
        assert found["brier_score"] == 0


def test_worst_predictions() -> None:
    found = table(*of_matrix(np.array([[0, 5], [5, 0]]), sure=1))
    for metric in ("accuracy", "balanced_accuracy", "f1_macro", "geometric_mean", "minority_recall", "auroc_macro"):
        assert found[metric] == 0
    assert found["mcc"] == -1
    assert found["brier_score"] == 2
    assert found["calibration_error"] == pytest.approx(1)
    assert 30 < found["log_loss"] < 40  # scikit-learn holds 0 for the smallest step from 0 to 1


@pytest.mark.parametrize("n_classes", [2, 3])
def test_one_class_for_every_row(n_classes: int) -> None:
    # Warnings are errors here, and none of these are defined without care.
    labels = np.repeat(np.arange(n_classes), 4)
    probabilities = np.tile(np.eye(n_classes)[0] * 0.5 + 0.5 / n_classes, (len(labels), 1))
    found = table(labels, probabilities, minority=[1])
    assert found["balanced_accuracy"] == pytest.approx(1 / n_classes)
    assert found["geometric_mean"] == found["mcc"] == found["minority_recall"] == 0
    assert found["majority_recall"] == pytest.approx(1 / (n_classes - 1))
    assert found["precision", 1] == found["recall", 1] == found["f1", 1] == 0
    assert found["auroc_macro"] == pytest.approx(1 / 2)
    assert found["auprc_macro"] == pytest.approx(1 / n_classes)
    assert confusion(labels, probabilities) == [[4] + [0] * (n_classes - 1)] * n_classes


def test_a_row_of_each_class_is_enough() -> None:
    assert table([1, 0], [[0.3, 0.7], [0.6, 0.4]])["accuracy"] == 1


@pytest.mark.parametrize(
    ("minority", "left_out"),
    [
        ([], {"minority_recall", "minority_precision"}),
        ([0, 1, 2], {"majority_recall"}),
        ([2, 0], set()),
        ([0, 2], set()),
    ],
)
def test_the_means_over_no_class_are_left_out(minority: list[int], left_out: set[str]) -> None:
    found = table(*of_matrix(MATRIX), minority=minority)
    assert set(METRICS) - set(found) == left_out
    if not left_out:
        assert found["minority_recall"] == pytest.approx((3 / 4 + 2 / 3) / 2)


@settings(max_examples=8, deadline=None)
@given(st.permutations(range(10)), st.permutations(range(3)))
def test_neither_the_order_of_rows_nor_of_classes_matters(order: list[int], classes: list[int]) -> None:
    labels, probabilities = of_matrix(MATRIX, sure=0.7)
    probabilities = probabilities + 0.01 * np.random.RandomState(0).dirichlet(np.ones(3), len(labels))
    probabilities /= probabilities.sum(1, keepdims=True)
    place = np.argsort(classes)
    found = table(labels, probabilities, minority=[1])
    turned = table(place[labels][order], probabilities[order][:, classes], minority=[place[1]])
    for key, value in found.items():
        other = key if isinstance(key, str) else (key[0], place[key[1]])
        assert turned[other] == pytest.approx(value, abs=1e-5 if key == "calibration_error" else None), key
    assert np.array(confusion(place[labels][order], probabilities[order][:, classes]))[
        np.ix_(place, place)
    ].tolist() == (MATRIX.tolist())


@given(st.integers(0, 1000), st.integers(2, 5))
@settings(max_examples=30, deadline=None)
def test_the_reliability_sums_give_the_calibration_error_back(seed: int, n_classes: int) -> None:
    draw = np.random.RandomState(seed)
    labels = np.concatenate([np.arange(n_classes), draw.randint(n_classes, size=40)])
    probabilities = draw.dirichlet(np.ones(n_classes), len(labels))
    rows, confidence, hits = reliability(labels, probabilities).T
    assert rows.shape == (CALIBRATION_BINS,)
    assert rows.sum() == len(labels)
    error = np.abs(confidence - hits).sum() / len(labels)
    assert error == pytest.approx(overall_scores(labels, probabilities, [0])["calibration_error"], abs=1e-6)


def test_overall_scores_are_those_of_all_classes() -> None:
    labels, probabilities = of_matrix(MATRIX)
    overall = overall_scores(labels, probabilities, [1])
    assert tuple(overall) == METRICS
    assert overall["accuracy"] == pytest.approx(0.7)
    assert set(LOSSES) <= set(METRICS)
