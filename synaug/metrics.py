"""Probabilities to scores."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gmean
from sklearn import config_context
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    log_loss,
    matthews_corrcoef,
    precision_recall_fscore_support,
    roc_auc_score,
)

CALIBRATION_BINS = 15
# The order of tables; scores that ignore the prior come first.
METRICS = (
    "balanced_accuracy",
    "f1_macro",
    "geometric_mean",
    "minority_recall",
    "majority_recall",
    "accuracy",
    "precision_macro",
    "recall_macro",
    "mcc",
    "auroc_macro",
    "auprc_macro",
    "log_loss",
    "brier_score",
    "calibration_error",
)
CLASS_METRICS = ("precision", "recall", "f1")
# The metrics of which less is better.
LOSSES = ("log_loss", "brier_score", "calibration_error")


def scores(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], minority: Sequence[int]
) -> Iterator[tuple[str, int | None, float]]:
    """Score one member under one decision rule.

    Parameters
    ----------
    labels
        int64 `[n]`; every class has at least one row.
    probabilities
        `[n, n_classes]`; the largest is the decision.
    minority
        Labels of the minority classes; where there are none, or no others, the mean recall of
        minority or majority is left out.

    Yields
    ------
    metric, label, value
        `label` is None for scores of all classes. Shares lie in 0 … 1, `mcc` in −1 … 1, `log_loss`
        is in nats, `brier_score` in 0 … 2 (the sum over classes), `calibration_error` is the
        expected calibration error of the top label in 15 equal bins (Guo et al. 2017).
    """
    # Here, as what only compares scores needs the names above and no torch.
    import torch
    from torchmetrics.functional.classification import multiclass_calibration_error

    n_classes = probabilities.shape[1]
    classes = np.arange(n_classes)
    decided = probabilities.argmax(1)
    one_hot = np.eye(n_classes)[labels]
    # The parameters are right; looking at them again for each score takes a good part of the time.
    with config_context(skip_parameter_validation=True):
        precision, recall, f1, _ = precision_recall_fscore_support(labels, decided, labels=classes, zero_division=0.0)
        mcc = matthews_corrcoef(labels, decided)
        # One against rest, then the mean over classes; for two classes both one-against-rests count.
        auroc = roc_auc_score(one_hot, probabilities, average="macro")
        auprc = average_precision_score(one_hot, probabilities, average="macro")
        nats = log_loss(labels, probabilities, labels=classes)
        brier = brier_score_loss(labels, probabilities, labels=classes, scale_by_half=False)
    yield "balanced_accuracy", None, recall.mean()
    yield "f1_macro", None, f1.mean()
    yield "geometric_mean", None, gmean(recall) if recall.all() else 0.0
    is_minority = np.isin(classes, minority)
    for name, chosen in (("minority_recall", is_minority), ("majority_recall", ~is_minority)):
        if chosen.any():
            yield name, None, recall[chosen].mean()
    yield "accuracy", None, (labels == decided).mean()
    yield "precision_macro", None, precision.mean()
    yield "recall_macro", None, recall.mean()
    yield "mcc", None, mcc
    yield "auroc_macro", None, auroc
    yield "auprc_macro", None, auprc
    yield "log_loss", None, nats
    yield "brier_score", None, brier
    error = multiclass_calibration_error(
        torch.from_numpy(probabilities), torch.from_numpy(labels), num_classes=n_classes, n_bins=CALIBRATION_BINS
    )
    yield "calibration_error", None, error.item()
    for name, values in zip(CLASS_METRICS, (precision, recall, f1), strict=True):
        for label in range(n_classes):
            yield name, label, values[label]


def overall_scores(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], minority: Sequence[int]
) -> dict[str, float]:
    """Those of `scores` that are of all classes."""
    return {metric: float(value) for metric, label, value in scores(labels, probabilities, minority) if label is None}


def reliability(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums for a reliability diagram of the top label, in 15 equal bins (Guo et al. 2017).

    Returns
    -------
    ndarray
        `[15, 3]`: rows, sum of the confidences, hits. Sums of several members may be added.
    """
    confidence = probabilities.max(1)
    hit = probabilities.argmax(1) == labels
    # As in torchmetrics: a bin holds its lower edge, the last one both.
    place = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    sums = [np.bincount(place, weights, CALIBRATION_BINS) for weights in (None, confidence, hit)]
    return np.stack(sums, axis=1).astype(np.float64)


def confusion(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> list[list[int]]:
    """Confusion matrix `[actual][decided]`."""
    n_classes = probabilities.shape[1]
    matrix = confusion_matrix(labels, probabilities.argmax(1), labels=np.arange(n_classes))
    return matrix.tolist()  # type: ignore[no-any-return]
