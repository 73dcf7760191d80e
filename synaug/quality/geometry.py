"""The geometry of a scenario: how its classes lie in the space of the embeddings, before any row is made."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from threadpoolctl import threadpool_limits

from synaug.quality.distances import Ids, Rows, Squared, among_themselves
from synaug.record.tables import GEOMETRY_COLUMNS, as_table
from synaug.splits import Split
from synaug.splits.draws import first_of_each_class

FOLDS = 5  # of each seed, the first
CLASSES = 100  # of each seed, over its folds: 77 classes in five folds of three seeds would be half of a record
CLASS_ROWS = 500
SPLIT_ROWS = 1200  # of all classes
K_OVERLAP = 5
K_DIMENSION = 20
K_OCCURRENCE = 10
FEWEST = 5 * K_DIMENSION  # rows: of fewer, the nearest K_DIMENSION are no surroundings, and a dimension is too low

Float = NDArray[np.float64]


def geometry(
    dataset: str,
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
    class_names: Sequence[str],
    splits: Sequence[Split],
) -> dict[str, Any]:
    """The table `geometry` of a record: of the real rows that train, thinned, and so the same for all methods.

    It is of the first folds of each seed (`folds`), and of at most 500 rows a class and 1,200 a split. A measure of one
    class stands beside its name; one of all classes has none.

    Parameters
    ----------
    dataset
        Its name, a part of the draws' seeds.
    embeddings, labels
        float32 `[n, d]` and int64 `[n]`, of the whole data set.

    Returns
    -------
    dict
        A table with the columns `GEOMETRY_COLUMNS`.
    """
    lines: list[list[Any]] = []
    with threadpool_limits(1, user_api="blas"):
        for split in splits:
            if split.fold < folds(len(class_names)):
                counts = np.bincount(labels[split.train], minlength=len(class_names))
                keep = np.minimum(counts, min(CLASS_ROWS, max(1, SPLIT_ROWS // len(class_names))))
                seed = ("geometry", dataset, split.seed, split.fold)
                rows = first_of_each_class(split.train, labels, keep, seed)
                for label, measure, value, n in _of_split(embeddings[rows], labels[rows], counts):
                    name = None if label is None else class_names[label]
                    rounded = float(f"{value:.5g}") if np.isfinite(value) else None
                    lines.append([split.seed, split.fold, name, measure, rounded, n])
    return as_table(GEOMETRY_COLUMNS, lines)


def folds(n_classes: int) -> int:
    """How many folds of a seed are looked into: five, and fewer of more than 20 classes, as each makes rows of a table.

    The means over classes and splits, which the page shows, are then of about as many values as those of 20 classes.
    """
    return max(1, min(FOLDS, CLASSES // n_classes))


def _of_split(rows: Rows, labels: Ids, counts: Ids) -> Iterator[tuple[int | None, str, float, int]]:
    squared = among_themselves(rows)
    places = np.flatnonzero(np.bincount(labels, minlength=len(counts)))
    misjudged, recalls = overlap(squared, labels), nearest_mean(rows, labels)
    for label in places.tolist():
        own = np.flatnonzero(labels == label)
        yield label, "rows", float(counts[label]), len(own)
        yield label, "overlap", float(misjudged[own].mean()), len(own)
        yield label, "separability", float(recalls[own].mean()), len(own)
        if len(own) >= FEWEST:
            yield label, "dimension", dimension(squared[np.ix_(own, own)]), len(own)
    n = len(rows)
    yield None, "rows", float(counts.sum()), n
    for name, by_row in (("overlap", misjudged), ("separability", recalls)):
        yield None, name, float(np.mean([by_row[labels == label].mean() for label in places])), n
    yield None, "fisher_ratio", fisher_ratio(rows, labels), n
    if n >= FEWEST:
        yield None, "dimension", dimension(squared), n
        yield None, "hubness", float(stats.skew(occurrences(squared, K_OCCURRENCE))), n


def nearest_places(squared: Squared, k: int) -> Ids:
    """The `k` nearest others of each row, `[r, k]`, in no order, of `distances.among_themselves`."""
    places: Ids = np.argpartition(squared, k - 1, axis=1)[:, :k]
    return places


def overlap(squared: Squared, labels: Ids, k: int = K_OVERLAP) -> NDArray[np.bool_]:
    """Which rows their `k` nearest others take for another class, `[r]`.

    Each neighbour votes with one over its class's number of rows, so that classes count alike however many rows they
    have (the rule of Bayes for equal priors): the mean over classes is 0 where they lie apart, and 1 − 1/c where all c
    are one. Where votes are equal, the row's own class has it.
    """
    k = min(k, len(labels) - 1)
    classes, codes = np.unique(labels, return_inverse=True)
    votes = np.zeros((len(labels), len(classes)))
    of_neighbours = codes[nearest_places(squared, k)]
    counts = np.bincount(codes).astype(float)
    for neighbour in of_neighbours.T:
        votes[np.arange(len(labels)), neighbour] += 1 / counts[neighbour]
    # Its own class has one row fewer to vote.
    own = votes[np.arange(len(labels)), codes] * counts[codes] / np.maximum(counts[codes] - 1, 1)
    votes[np.arange(len(labels)), codes] = -1
    misjudged: NDArray[np.bool_] = own < votes.max(axis=1)
    return misjudged


def nearest_mean(rows: Rows, labels: Ids) -> NDArray[np.bool_]:
    """Which rows lie nearer to the mean of their class's other rows than to any other class's mean, `[r]`.

    The mean of `n` rows scatters around their class's true mean with 1/n of their variance, which is subtracted from
    the squared distances to it: otherwise few rows would make a class seem far from every row.
    """
    classes, codes = np.unique(labels, return_inverse=True)
    counts = np.bincount(codes).astype(float)
    of_classes = [rows[codes == code].astype(np.float64) for code in range(len(classes))]
    means = np.stack([each.mean(axis=0) for each in of_classes])
    variances = np.array([each.var(axis=0, ddof=1).sum() if len(each) > 1 else 0.0 for each in of_classes])
    away = np.square(rows).sum(axis=1, dtype=np.float64)[:, None] - 2 * rows @ means.T + np.square(means).sum(axis=1)
    itself, n = (np.arange(len(rows)), codes), counts[codes]
    others = np.maximum(n - 1, 1)
    # Without the row, its class's mean lies farther from it by n / (n − 1).
    to_own = away[itself] * np.square(n / others) - variances[codes] / others
    to_own[n == 1] = np.inf
    away -= variances / counts
    away[itself] = np.inf
    found: NDArray[np.bool_] = to_own < away.min(axis=1)
    return found


def fisher_ratio(rows: Rows, labels: Ids) -> float:
    """The variance of the classes' means in shares of the mean variance within classes; classes count alike.

    Both are unbiased: the mean of `n` rows scatters by 1/n of their variance, which is taken off, else classes would
    seem the farther apart the fewer rows they have. About 0, and at times below, where classes are one. Of a class of
    one row, which shows no variance, the variance is taken to be that of the others in the mean.
    """
    of_classes = [rows[labels == label].astype(np.float64) for label in np.unique(labels)]
    means = np.stack([each.mean(axis=0) for each in of_classes])
    variances = [float(each.var(axis=0, ddof=1).sum()) for each in of_classes if len(each) > 1]
    within = float(np.mean(variances)) if variances else 0.0
    if within <= 0:
        return float("nan")
    known = iter(variances)
    scatter = sum((next(known) if len(each) > 1 else within) / len(each) for each in of_classes)
    c = len(of_classes)
    return (float(means.var(axis=0).sum()) - (c - 1) / c**2 * scatter) / within


def dimension(squared: Squared, k: int = K_DIMENSION) -> float:
    """The intrinsic dimension, by the likelihood of the distances to the `k` nearest others.

    Levina and Bickel 2004 (NIPS), "Maximum likelihood estimation of intrinsic dimension", with the mean over rows taken
    of the inverses, as MacKay and Ghahramani showed to be the likelihood's own
    (https://www.inference.org.uk/mackay/dimension/):
    ``1/m = mean of log(T_k / T_j) over rows and j < k``. Rows of which several are the same tell nothing: distances of
    0 are left out. It is too low where the dimension is high and rows are few, as any such estimate.

    Parameters
    ----------
    squared
        Of `distances.among_themselves`, `[r, r]`, `r` above `k`.
    """
    nearest = np.sort(np.partition(squared, k - 1, axis=1)[:, :k], axis=1).astype(np.float64)
    farthest = nearest[:, -1:]
    # What rounding leaves of a distance of 0.
    there = nearest[:, :-1] > 1e-6 * np.median(farthest)
    logs = np.log(np.where(there, farthest / np.where(there, nearest[:, :-1], 1), 1)) / 2
    total = float(logs[there].sum())
    return float(there.sum()) / total if total > 0 else float("nan")


def occurrences(squared: Squared, k: int = K_OCCURRENCE) -> Ids:
    """How many rows each row is among the `k` nearest others of, `[r]`: `k` in the mean.

    Its skewness tells hubs: rows that are near to many (Radovanović, Nanopoulos and Ivanović 2010, JMLR 11).
    """
    return np.bincount(nearest_places(squared, k).ravel(), minlength=len(squared))
