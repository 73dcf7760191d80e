"""One class against the rest: every threshold that some rows allow, and what each would give."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Metrics of decisions that a threshold can be chosen for: of all classes, and of one.
OF_ALL = ("balanced_accuracy", "f1_macro", "geometric_mean", "accuracy", "precision_macro", "recall_macro", "mcc")
OF_ONE = ("f1", "recall", "precision")
# How far beyond the outermost rows a threshold stands under which all, or none, are of the class (nats).
BEYOND = 1.0


@dataclass(frozen=True)
class Tally:
    """What some ways of deciding give, `t` of them.

    Attributes
    ----------
    right, called
        Weight of the rows rightly decided for each class, and of those decided for it, `[t, n_classes]`.
    actual
        Weight of each class's rows, `[n_classes]`.
    """

    right: Array
    called: Array
    actual: Array

    def recall(self, label: int) -> Array:
        """Share of the class's rows that are decided for it, `[t]`; not a number where it has none."""
        with np.errstate(invalid="ignore"):
            found: Array = self.right[:, label] / self.actual[label]
        return found

    def precision(self, label: int) -> Array:
        """Share of the rows decided for a class that are of it, `[t]`; 0 where none are decided for it."""
        return _ratio(self.right[:, label], self.called[:, label])

    @classmethod
    def of(cls, matrix: Array) -> "Tally":
        """One way to decide, `t` is 1; of how many rows of each class were decided for which, `[class, decided]`."""
        return Tally(np.diag(matrix)[None], matrix.sum(0)[None], matrix.sum(1))

    def metric(self, name: str, label: int | None = None) -> Array:
        """A metric of each way, `[t]`, as `synaug.scores.metrics` defines it.

        Parameters
        ----------
        name, label
            One of `OF_ALL` without a label, or of `OF_ONE` with the class that it is of.
        """
        if label is not None and name != "f1":
            return self.recall(label) if name == "recall" else self.precision(label)
        has_rows = self.actual > 0
        recall = _ratio(self.right, np.broadcast_to(self.actual, self.right.shape))
        f1 = _ratio(2 * self.right, self.called + self.actual)
        if label is not None:
            return f1[:, label]
        if name == "geometric_mean":
            with np.errstate(divide="ignore"):
                roots: Array = np.exp(np.log(recall[:, has_rows]).mean(1))
            return roots
        if name == "accuracy":
            shares: Array = self.right.sum(1) / self.actual.sum()
            return shares
        if name == "mcc":
            return self._mcc()
        of_classes = {"f1_macro": f1, "precision_macro": _ratio(self.right, self.called)}.get(name, recall)
        means: Array = of_classes[:, has_rows].mean(1)
        return means

    def _mcc(self) -> Array:
        """Of several classes (Gorodkin 2004); 0 where all rows are decided alike."""
        total = self.actual.sum()
        called, actual, right = self.called / total, self.actual / total, self.right.sum(1) / total
        spread = np.sqrt(np.maximum(1 - (called**2).sum(1), 0) * (1 - (actual**2).sum()))
        return _ratio(right - called @ actual, spread)


@dataclass(frozen=True)
class Sweep(Tally):
    """What each threshold would give, from the one under which all rows are decided for the class to that for none.

    A row is decided for the class where its margin (its log probability of the class, less the largest of the others;
    of two classes, the log odds) reaches the threshold; otherwise for the likeliest of the others. This is one offset
    on the class, of minus the threshold.

    Attributes
    ----------
    thresholds
        `[t]`, ascending, in nats of margin: halfway between neighbouring margins, so that rounding moves no row over
        one, and one beyond either end.
    """

    thresholds: Array


def confusion(labels: NDArray[np.int64], decided: NDArray[np.int64], n_classes: int) -> Array:
    """How many rows of each class were decided for which, `[class, decided]`."""
    at = np.bincount(labels * n_classes + decided, minlength=n_classes**2)
    return at.reshape(n_classes, n_classes).astype(np.float64)


def tally(labels: NDArray[np.int64], decided: NDArray[np.int64], n_classes: int) -> Tally:
    """Count what was decided for some rows, int64 `[n]` each, of equal weights; `t` is 1."""
    return Tally.of(confusion(labels, decided, n_classes))


def margins(log_probabilities: Array, label: int) -> Array:
    """Log probability of a class, less the largest of the others, `[n]`."""
    others = np.delete(log_probabilities, label, axis=1)
    found: Array = log_probabilities[:, label] - others.max(1)
    return found


def sweep(log_probabilities: Array, labels: NDArray[np.int64], weights: Array, label: int) -> Sweep:
    """Try every threshold on one class against the rest.

    Parameters
    ----------
    log_probabilities, labels, weights
        float64 `[n, n_classes]`, int64 `[n]` and `[n]`.
    label
        The class.
    """
    n_classes = log_probabilities.shape[1]
    margin = margins(log_probabilities, label)
    ascending = np.argsort(margin, kind="stable")
    ranked, true, weight = margin[ascending], labels[ascending], weights[ascending]
    without = log_probabilities.copy()
    without[:, label] = -np.inf
    other = without.argmax(1)[ascending]  # what a row is decided for below the threshold
    # From all rows decided for the class on, one row after the other goes over to the likeliest other class.
    first = np.flatnonzero(np.append(True, np.diff(ranked) > 0))  # rows of one margin go together
    actual = np.bincount(labels, weights, n_classes).astype(np.float64)
    right, called = (np.zeros((len(ranked) + 1, n_classes)) for _ in range(2))
    right[0, label], called[0, label] = actual[label], weight.sum()
    each = np.arange(1, len(ranked) + 1)
    called[each, other] += weight
    called[each, label] -= weight
    right[each, other] += weight * (other == true)
    right[each, label] -= weight * (true == label)
    kept = np.append(first, len(ranked))
    between = (ranked[first[1:] - 1] + ranked[first[1:]]) / 2
    thresholds = np.concatenate([[ranked[0] - BEYOND], between, [ranked[-1] + BEYOND]])
    # Differences of sums leave crumbs where nothing is left.
    crumb = 1e-12 * max(weight.sum(), 1.0)
    sums = [np.cumsum(changes, axis=0)[kept] for changes in (right, called)]
    for found in sums:
        found[np.abs(found) < crumb] = 0.0
    return Sweep(right=sums[0], called=sums[1], actual=actual, thresholds=thresholds)


def _ratio(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.zeros(np.shape(part)), where=whole > 0)
