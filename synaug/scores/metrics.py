"""Probabilities to scores."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import trapezoid
from scipy.stats import gmean
from sklearn import config_context
from sklearn.metrics import brier_score_loss, log_loss

from synaug.scores.names import CLASS_METRICS as CLASS_METRICS
from synaug.scores.names import LOSSES as LOSSES
from synaug.scores.names import METRICS as METRICS

CALIBRATION_BINS = 15
# How many probabilities are ranked at once: a few megabytes for each array that it takes.
RANKED_AT_ONCE = 2**19

Array = NDArray[np.float64]


def scores(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], minority: Sequence[int]
) -> Iterator[tuple[str, int | None, float]]:
    """Score one split under one decision rule.

    Parameters
    ----------
    labels
        int64 `[n]`. Of a class without a row nothing can be said: means are of the others. Where all rows are of one
        class there is nothing to tell them from, and `mcc` and the areas under curves are left out.
    probabilities
        `[n, n_classes]`; the largest is the decision.
    minority
        Labels of the minority classes; where there are none, or no others, the means over
        minority or majority are left out.

    Yields
    ------
    metric, label, value
        `label` is None for scores of all classes. Shares lie in 0 … 1, `mcc` in −1 … 1, `log_loss`
        and `balanced_log_loss` are in nats, `brier_score` in 0 … 2 (the sum over classes), `calibration_error` is the
        expected calibration error of the top label in 15 equal bins (Guo et al. 2017).
    """
    # Here, as what only compares scores needs the names above and no torch.
    import torch
    from torchmetrics.functional.classification import multiclass_calibration_error

    n_classes = probabilities.shape[1]
    classes = np.arange(n_classes)
    decided = probabilities.argmax(1)
    has_rows = np.bincount(labels, minlength=n_classes) > 0
    matrix = counted(labels, decided, n_classes)
    precision, recall, f1 = of_classes(matrix)
    mcc = matthews(matrix) if has_rows.sum() > 1 else None
    # The parameters are right; looking at them again for each score takes a good part of the time.
    with config_context(skip_parameter_validation=True):
        nats = log_loss(labels, probabilities, labels=classes)
        brier = brier_score_loss(labels, probabilities, labels=classes, scale_by_half=False)
    # One against rest, then the mean over classes; for two classes both one-against-rests count.
    with np.errstate(invalid="ignore"):  # of classes without a row
        auroc, auprc = areas(labels, ranked_by(probabilities))
    yield "balanced_accuracy", None, balanced_accuracy(labels, decided)
    yield "f1_macro", None, f1[has_rows].mean()
    yield "geometric_mean", None, gmean(recall[has_rows]) if recall[has_rows].all() else 0.0
    is_minority = np.isin(classes, minority)
    for name, values, chosen in (
        ("minority_recall", recall, is_minority),
        ("minority_precision", precision, is_minority),
        ("majority_recall", recall, ~is_minority),
    ):
        if (chosen & has_rows).any():
            yield name, None, values[chosen & has_rows].mean()
    yield "accuracy", None, (labels == decided).mean()
    yield "precision_macro", None, precision[has_rows].mean()
    yield "recall_macro", None, recall[has_rows].mean()
    if mcc is not None:
        yield "mcc", None, mcc
        yield "auroc_macro", None, auroc[has_rows].mean()
        yield "auprc_macro", None, auprc[has_rows].mean()
    yield "log_loss", None, nats
    yield "balanced_log_loss", None, balanced_log_loss(labels, probabilities)
    yield "brier_score", None, brier
    error = multiclass_calibration_error(
        torch.from_numpy(probabilities), torch.from_numpy(labels), num_classes=n_classes, n_bins=CALIBRATION_BINS
    )
    yield "calibration_error", None, error.item()
    for name, values in zip(CLASS_METRICS, (precision, recall, f1), strict=True):
        for label in np.flatnonzero(has_rows).tolist():
            yield name, label, values[label]


def counted(labels: NDArray[np.int64], decided: NDArray[np.int64], n_classes: int) -> NDArray[np.int64]:
    """Confusion matrix, int64 `[n_classes, n_classes]`: rows of each class (first) by what was decided on them."""
    pairs = np.bincount(labels * n_classes + decided, minlength=n_classes**2)
    return pairs.reshape(n_classes, n_classes)


def of_classes(matrix: NDArray[np.int64]) -> tuple[Array, Array, Array]:
    """Precision, recall and F1 of each class, `[n_classes]` each; 0 where there is nothing to divide by.

    They are, to the last bit, those of scikit-learn's `precision_recall_fscore_support`, and `matthews` its
    `matthews_corrcoef`. Each of these counts the matrix anew, and looks at all labels first, which takes most of the
    time that scores take.
    """
    hits, rows, decisions = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    precision, recall, f1 = (
        np.divide(part, whole, out=np.zeros(len(matrix)), where=whole > 0)
        for part, whole in ((hits, decisions), (hits, rows), (2 * hits, rows + decisions))
    )
    return precision, recall, f1


def matthews(matrix: NDArray[np.int64]) -> float:
    """Matthews' correlation coefficient (Gorodkin 2004); 0 where all rows, or all decisions, are of one class."""
    counts = matrix.astype(np.float64)
    rows, decisions, n = counts.sum(axis=1), counts.sum(axis=0), counts.sum()
    together = counts.trace() * n - rows @ decisions
    scale = (n**2 - decisions @ decisions) * (n**2 - rows @ rows)
    return float(together / np.sqrt(scale)) if scale else 0.0


def balanced_accuracy(labels: NDArray[np.int64], decided: NDArray[np.int64]) -> float:
    """Mean over the classes that have rows of the share of a class's rows that are decided rightly."""
    return _mean_of_classes(labels, labels == decided)


def balanced_log_loss(labels: NDArray[np.int64], probabilities: Array) -> float:
    """Mean over the classes that have rows of the mean log loss of a class's rows, in nats."""
    found = np.maximum(probabilities[np.arange(len(labels)), labels], np.finfo(np.float64).tiny)
    return _mean_of_classes(labels, -np.log(found))


def _mean_of_classes(labels: NDArray[np.int64], of_rows: NDArray[Any]) -> float:
    counts = np.bincount(labels)
    return float((np.bincount(labels, of_rows)[counts > 0] / counts[counts > 0]).mean())


def overall_scores(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], minority: Sequence[int]
) -> dict[str, float]:
    """Those of `scores` that are of all classes."""
    return {metric: float(value) for metric, label, value in scores(labels, probabilities, minority) if label is None}


def ranked_by(probabilities: Array) -> Array:
    """What rows are ranked by, for each class against the rest, `[n, n_classes]`.

    Of two classes, each class's odds: an offset of a decision rule multiplies them all by one number, so no rule
    changes how rows are ranked, also those whose probabilities are so near 1 that double precision has them equal.
    Of more, each class's probability under the rule. There an offset does change the ranking, and should: the rest is a
    mixture of classes, and the offsets say in which proportions.
    """
    if probabilities.shape[1] != 2:
        return probabilities
    positive = np.maximum(probabilities, np.finfo(np.float64).tiny)
    odds: Array = positive / positive[:, ::-1]
    return odds


def areas(labels: NDArray[np.int64], probabilities: Array) -> tuple[Array, Array]:
    """Areas under the ROC curve, and average precisions, of each class against the rest.

    They are, to the last bit, those of scikit-learn's `roc_auc_score` and `average_precision_score`,
    which go from class to class and take thirty times as long over 151 classes.

    Parameters
    ----------
    labels, probabilities
        As in `scores`.

    Returns
    -------
    auroc, auprc
        `[n_classes]` each.
    """
    n_rows, n_classes = probabilities.shape
    auroc, auprc = np.empty(n_classes), np.empty(n_classes)
    at_once = max(RANKED_AT_ONCE // n_rows, 1)
    for start in range(0, n_classes, at_once):
        block = np.arange(start, min(start + at_once, n_classes))
        descending = np.argsort(probabilities[:, block].T, axis=1)[:, ::-1]
        ranked = probabilities[descending, block[:, None]]
        true_positives = np.cumsum(labels[descending] == block[:, None], axis=1, dtype=np.float64)
        false_positives = np.arange(1.0, n_rows + 1) - true_positives
        # Rows of one probability are one threshold.
        last = np.ones(ranked.shape, dtype=bool)
        last[:, :-1] = np.diff(ranked, axis=1) != 0
        for of_block, (hits, misses) in _of_one_length(last, true_positives, false_positives):
            auprc[block[of_block]] = _average_precision(hits, misses)
            corner = np.ones(hits.shape, dtype=bool)
            corner[:, 1:-1] = (np.diff(hits, 2, axis=1) != 0) | (np.diff(misses, 2, axis=1) != 0)
            for of_group, (up, right) in _of_one_length(corner, hits, misses):
                auroc[block[of_block[of_group]]] = _area_under_roc(up, right)
    return auroc, auprc


def _of_one_length(mask: NDArray[np.bool_], *curves: Array) -> Iterator[tuple[NDArray[np.intp], list[Array]]]:
    """The marked points of curves `[c, n]`, curves of as many points together: how a sum is rounded depends on it."""
    counts = mask.sum(1)
    for count in np.unique(counts):
        which = np.flatnonzero(counts == count)
        yield which, [each[which][mask[which]].reshape(-1, count) for each in curves]


def _average_precision(hits: Array, misses: Array) -> Array:
    recall, precision = hits / hits[:, -1:], hits / (hits + misses)
    falling = np.concatenate([recall[:, ::-1], np.zeros((len(hits), 1))], axis=1)
    area: Array = -(np.diff(falling, axis=1) * precision[:, ::-1]).sum(1)
    return np.maximum(0.0, area)


def _area_under_roc(hits: Array, misses: Array) -> Array:
    tpr, fpr = (np.pad(each / each[:, -1:], ((0, 0), (1, 0))) for each in (hits, misses))
    area: Array = trapezoid(tpr, fpr, axis=1)
    return area


def reliability(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums for a reliability diagram of the top label, in 15 equal bins (Guo et al. 2017).

    Returns
    -------
    ndarray
        `[15, 3]`: rows, sum of the confidences, hits. Sums of several splits may be added.
    """
    confidence = probabilities.max(1)
    hit = probabilities.argmax(1) == labels
    # As in torchmetrics: a bin holds its lower edge, the last one both.
    place = np.minimum((confidence * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    sums = [np.bincount(place, weights, CALIBRATION_BINS) for weights in (None, confidence, hit)]
    return np.stack(sums, axis=1).astype(np.float64)


def confusion(labels: NDArray[np.int64], probabilities: NDArray[np.float64]) -> list[list[int]]:
    """Confusion matrix `[actual][decided]`."""
    matrix: list[list[int]] = counted(labels, probabilities.argmax(1), probabilities.shape[1]).tolist()
    return matrix
