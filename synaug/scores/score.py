"""Log probabilities of every split to its scores under every decision rule, from the same fitted classifiers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaug.record import tables
from synaug.scores import metrics
from synaug.scores.decision import OutOfFold, Rule, shift

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """What one decision rule has to be scored on, in one split.

    Attributes
    ----------
    rule
        Its name.
    offset
        That it adds, `[n_classes]`.
    test
        Probabilities `[n_test, n_classes]` under the rule.
    out_of_fold
        Probabilities of the out-of-fold rows under the rule, no row under an offset that it helped to choose; None
        for a rule that is never chosen.
    """

    rule: str
    offset: Array
    test: Array
    out_of_fold: Array | None = None


def judged(rule: Rule, known: OutOfFold, test: Array) -> Judged:
    """A candidate, whose offset all out-of-fold rows choose, on corrected log probabilities `[n_test, n_classes]`."""
    offset = rule.offset(known)
    return Judged(rule.name, offset, shift(test, offset), np.exp(rule.out_of_fold(known)))


def as_it_is(rule: str, log_probabilities: Array) -> Judged:
    """A rule that adds nothing and is never chosen."""
    nothing = np.zeros(log_probabilities.shape[1])
    return Judged(rule, nothing, shift(log_probabilities, nothing))


@dataclass(frozen=True)
class ToScore:
    """One split's labels and all that is said of its rows.

    Attributes
    ----------
    seed, fold, minority
        As in `synaug.splits.Split`.
    labels, out_of_fold_labels
        int64, of the test rows and of the out-of-fold rows.
    rules
        In the order of `synaug.scores.decision.RULES`; all splits have the same.
    """

    seed: int
    fold: int
    minority: Sequence[int]
    labels: NDArray[np.int64]
    out_of_fold_labels: NDArray[np.int64]
    rules: Sequence[Judged]


def score(splits: Sequence[ToScore], class_names: Sequence[str]) -> dict[str, Any]:
    """Score every split under every decision rule.

    The out-of-fold rows are scored, too: a comparison that chooses a rule, a loss or an augmenter chooses there.

    Returns
    -------
    dict
        The record's tables of scores.
    """
    rows: list[tuple[int, int, str, str, str | None, float]] = []
    validation_rows, confusion, offsets = [], [], []
    reliability = {rule.rule: np.zeros((metrics.CALIBRATION_BINS, 3)) for split in splits for rule in split.rules}
    for split in splits:
        for rule in split.rules:
            where = {"seed": split.seed, "fold": split.fold, "decision": rule.rule}
            for metric, label, value in metrics.scores(split.labels, rule.test, split.minority):
                name = None if label is None else class_names[label]
                rows.append((split.seed, split.fold, rule.rule, metric, name, float(value)))
            validation_rows += list(_out_of_fold(split, rule))
            reliability[rule.rule] += metrics.reliability(split.labels, rule.test)
            confusion.append({**where, "matrix": metrics.confusion(split.labels, rule.test)})
            offsets.append({**where, "offset": rule.offset.tolist()})
    return {
        "scores": tables.as_table(tables.SCORE_COLUMNS, rows),
        "validation_scores": tables.as_table(tables.VALIDATION_COLUMNS, validation_rows),
        "confusion": confusion,
        "reliability": [
            {"decision": rule, "rows_confidence_hits": sums.tolist()} for rule, sums in reliability.items()
        ],
        "offsets": offsets,
    }


def _out_of_fold(split: ToScore, rule: Judged) -> Iterator[tuple[int, int, str, str, float]]:
    if rule.out_of_fold is not None:
        scored = metrics.overall_scores(split.out_of_fold_labels, rule.out_of_fold, split.minority)
        for metric, value in scored.items():
            yield split.seed, split.fold, rule.rule, metric, value
