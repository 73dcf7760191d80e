"""Test rows that all but repeat a training row: where there are many, scores tell little of new texts."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from synaug.settings import names
from synaug.splits.draws import first_of_each_class
from synaug.splits.split import Rows, Split

log = logging.getLogger(__name__)

NEAR = 0.95  # the cosine above which one row is a near copy of another
MANY = 0.1  # the share of a class's test rows above which it is said
# Test rows looked at, over all classes and all splits of a seed: more would take minutes and change the third digit.
MOST_ROWS = 10_000
ROWS_AT_ONCE = 256


def near_copies(
    embeddings: NDArray[np.float32], labels: NDArray[np.int64], class_names: Sequence[str], splits: Sequence[Split]
) -> dict[str, float]:
    """For each class the share of test rows whose nearest training row, of any class, has a cosine above .95.

    Of more than 10,000 test rows of a seed, so many are drawn, as many of each class and split; which other seeds there
    are does not matter.

    Parameters
    ----------
    embeddings
        float32 `[n, d]`.
    labels
        int64 `[n]`.
    class_names
        One for each class.
    splits
        Whose training rows (all of them, thinned) and test rows are compared.

    Returns
    -------
    dict
        Class name to share, the mean over the splits that test rows of the class; a class that none tests is left out.
    """
    unit = _of_unit_length(embeddings)
    n_folds = len({split.fold for split in splits})
    most = max(1, MOST_ROWS // (n_folds * len(class_names)))
    shares = np.full((len(splits), len(class_names)), np.nan)
    for index, split in enumerate(splits):
        n_rows = np.minimum(np.bincount(labels[split.test], minlength=len(class_names)), most)
        test = first_of_each_class(split.test, labels, n_rows, ("near copies", split.seed, split.fold))
        near = _nearest_cosines(unit, test, split.train) > NEAR
        n_near = np.bincount(labels[test[near]], minlength=len(class_names))
        shares[index] = np.divide(n_near, n_rows, out=shares[index], where=n_rows > 0)
    tested = ~np.isnan(shares)
    return {
        name: float(shares[tested[:, label], label].mean())
        for label, name in enumerate(class_names)
        if tested[:, label].any()
    }


def near_pairs(embeddings: NDArray[np.float32], among: NDArray[np.float32]) -> Rows:
    """All pairs of near copies between two sets of rows: those whose cosine is above .95.

    Parameters
    ----------
    embeddings, among
        float32 `[w, d]` and `[n, d]`.

    Returns
    -------
    ndarray
        int64 `[p, 2]`: numbers of a row of the one and a row of the other set, ascending.
    """
    unit, known = _of_unit_length(embeddings), _of_unit_length(among).T
    pairs = [np.empty((0, 2), np.int64)]
    for start in range(0, len(unit), ROWS_AT_ONCE):
        found = np.argwhere(unit[start : start + ROWS_AT_ONCE] @ known > NEAR)
        pairs.append(found + np.array([start, 0]))
    return np.concatenate(pairs)


def warn_of_near_copies(shares: Mapping[str, float], title: str) -> None:
    """Say of which classes more than a tenth of the test rows are near copies of training rows."""
    for sentence in said_of_near_copies(shares, title):
        log.warning("%s", sentence)


def said_of_near_copies(shares: Mapping[str, float], title: str) -> list[str]:
    """The sentence about them, for the record; none where there is nothing to say."""
    many = {name: share for name, share in shares.items() if share > MANY}
    if not many:
        return []
    by_share = sorted(many, key=lambda name: -many[name])
    said = ", ".join(f"{many[name]:.0%} of class {names.cut(name)}" for name in by_share[:5])
    more = f" and over {MANY:.0%} of {len(many) - 5} more classes" if len(many) > 5 else ""
    return [
        f"{title}: {said}{more} in the test folds are near copies of training rows (cosine above {NEAR}), so scores on "
        "new texts may be lower; dataset.group keeps rows that belong together on one side"
    ]


def _of_unit_length(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same directions; rows of zeros stay as they are, and so near nothing."""
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (embeddings / np.where(norms > 0, norms, 1)).astype(np.float32, copy=False)
    return unit


def _nearest_cosines(unit: NDArray[np.float32], rows: Rows, among: Rows) -> NDArray[np.float32]:
    known = unit[among].T
    blocks = [rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE)]
    nearest: NDArray[np.float32] = np.concatenate([(unit[block] @ known).max(axis=1) for block in blocks])
    return nearest
