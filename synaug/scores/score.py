"""Log probabilities of every split to its scores under every decision rule, from the same fitted classifier."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaug.record import tables
from synaug.scores import metrics
from synaug.scores.decision import DECISION_RULES, RULES, Known, on_validation_rows, shift
from synaug.splits import Split

Array = NDArray[np.float64]


def score(
    splits: Sequence[Split],
    labels: NDArray[np.int64],
    class_names: Sequence[str],
    minority: Sequence[int],
    *,
    validation: Sequence[Array],
    test: Sequence[Array],
    prior: Array,
    target_prior: str,
) -> dict[str, Any]:
    """Score every split under every decision rule.

    The validation rows are scored, too: a comparison that chooses a rule must choose it there.
    There the offsets of rules that look at these rows are cross-fitted.

    Parameters
    ----------
    labels
        int64 `[n]`, of the whole data set.
    minority
        Labels of the minority classes.
    validation, test
        Log probabilities `[n_rows, n_classes]` of each split.
    prior
        Class frequencies that they follow, `[splits, n_classes]`.
    target_prior
        As in `target_frequencies`.

    Returns
    -------
    dict
        The record's tables of scores.
    """
    rows: list[tuple[int, int, str, str, str | None, float]] = []
    validation_rows, confusion, offsets = [], [], []
    reliability = {rule: np.zeros((metrics.CALIBRATION_BINS, 3)) for rule in RULES}
    for index, split in enumerate(splits):
        test_labels, validation_labels = labels[split.test], labels[split.validation]
        target = target_frequencies(split, labels, len(class_names), target_prior)
        known = Known(validation[index], validation_labels, prior[index], target)
        for rule in DECISION_RULES:
            offset = rule.offset(known)
            probabilities = shift(test[index], offset)
            where = {"seed": split.seed, "fold": split.fold, "decision": rule.name}
            for metric, label, value in metrics.scores(test_labels, probabilities, minority):
                name = None if label is None else class_names[label]
                rows.append((split.seed, split.fold, rule.name, metric, name, float(value)))
            reliability[rule.name] += metrics.reliability(test_labels, probabilities)
            fitted = on_validation_rows(rule, known)
            for metric, value in metrics.overall_scores(validation_labels, fitted, minority).items():
                validation_rows.append((split.seed, split.fold, rule.name, metric, value))
            confusion.append({**where, "matrix": metrics.confusion(test_labels, probabilities)})
            offsets.append({**where, "offset": offset.tolist()})
    return {
        "scores": tables.as_table(tables.SCORE_COLUMNS, rows),
        "validation_scores": tables.as_table(tables.VALIDATION_COLUMNS, validation_rows),
        "confusion": confusion,
        "reliability": [
            {"decision": rule, "rows_confidence_hits": sums.tolist()} for rule, sums in reliability.items()
        ],
        "offsets": offsets,
    }


def target_frequencies(split: Split, labels: NDArray[np.int64], n_classes: int, target_prior: str) -> Array:
    """Class frequencies that the decisions of a split shall serve, `[n_classes]`.

    Parameters
    ----------
    target_prior
        ``uniform``, or ``natural`` for the class frequencies of the split's rows outside the test fold
        (which are those of the data set under ``imbalance_ratio=natural``).
    """
    if target_prior == "natural":
        outside = labels[np.concatenate([split.train, split.validation])]
        frequencies: Array = np.bincount(outside, minlength=n_classes) / len(outside)
        return frequencies
    return np.full(n_classes, 1 / n_classes)
