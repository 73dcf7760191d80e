"""The splits of a run: for each seed and fold, which real rows train, validate and test.

Everything here works on row numbers and labels; no embedding is touched.
"""

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from synaug import names
from synaug.errors import UserError
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.seeding import derive_seed

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """One (seed, fold): rows of the data set, disjoint, ascending.

    Attributes
    ----------
    seed, fold
        Which split this is.
    train
        Rows left after thinning, `[n_train]`.
    validation
        Rows for choosing weights and decision rules, `[n_validation]`.
    test
        The fold, `[n_test]`, as it is in the (balanced or natural) data set.
    """

    seed: int
    fold: int
    train: Rows
    validation: Rows
    test: Rows


def make_splits(
    dataset: str,
    labels: NDArray[np.int64],
    class_names: Sequence[str],
    imbalance_ratio: ImbalanceRatio,
    minority: Sequence[int],
    *,
    seeds: Sequence[int],
    n_folds: int,
    validation_share: float,
    thin_validation: bool,
) -> list[Split]:
    """Stratified folds for each seed; what trains is thinned, what tests is not.

    Where classes are to be thinned, the data set is balanced first, so that test folds are balanced.
    The rows kept at one ratio are a prefix of a permutation that the ratio does not enter: those
    kept at 1:50 are among those kept at 1:10.

    Parameters
    ----------
    dataset
        The data set's name, a part of every seed.
    labels
        int64 `[n]`.
    class_names
        One for each class.
    imbalance_ratio
        How many rows each class keeps.
    minority
        Labels of the minority classes.
    seeds, n_folds
        ``len(seeds) * n_folds`` splits.
    validation_share
        Share of the rows outside the test fold that is set aside.
    thin_validation
        Thin the validation part, too.

    Raises
    ------
    UserError
        If classes have too few rows for the folds and the validation part, or if the ratio leaves them with none.
    """
    rows_per_class = np.bincount(labels, minlength=len(class_names))
    _check_rows(rows_per_class, class_names, n_folds, validation_share)
    splits = []
    for seed in seeds:
        rows = np.arange(len(labels))
        if imbalance_ratio.ratio is not None:
            rows = _first_of_each_class(
                rows, labels, np.full_like(rows_per_class, rows_per_class.min()), ("balance", dataset, seed)
            )
        folds = StratifiedKFold(n_folds, shuffle=True, random_state=derive_seed("folds", dataset, seed))
        for fold, (rest, test) in enumerate(folds.split(rows, labels[rows])):
            train, validation = _set_aside(
                rows[rest], labels, len(class_names), validation_share, (dataset, seed, fold)
            )
            train_rows = np.bincount(labels[train], minlength=len(class_names))
            keep = imbalance_ratio.rows_to_keep(train_rows, minority)
            if (keep < 1).any():
                where = f"in seed {seed} fold {fold}"
                raise UserError(_emptied(imbalance_ratio.ratio, keep, train_rows, class_names, where))
            thinning = ("thinning", dataset, seed, fold)
            train = _first_of_each_class(train, labels, keep, thinning)
            if thin_validation:
                counts = np.bincount(labels[validation], minlength=len(class_names))
                keep = np.maximum(imbalance_ratio.rows_to_keep(counts, minority), 1)
                validation = _first_of_each_class(validation, labels, keep, thinning)
            splits.append(Split(seed, fold, train, validation, np.sort(rows[test])))
    return splits


def rows_needed(n_folds: int, validation_share: float) -> int:
    """Rows that a class needs: one in each fold, and outside of any fold one to validate and one to train."""
    # With so many rows the share that trains is one row and a half, and no rounding takes it.
    enough = math.ceil(1.5 / (1 - validation_share) * n_folds / (n_folds - 1)) + 1
    rows = range(n_folds, n_folds + enough)
    return rows[bisect.bisect_left(rows, True, key=lambda n: _suffice(n, n_folds, validation_share))]


def _suffice(n_rows: int, n_folds: int, validation_share: float) -> bool:
    outside = n_rows - math.ceil(n_rows / n_folds)
    return n_rows >= n_folds and outside > _rows_aside(validation_share, outside)


def _rows_aside(share: float, n_rows: Any) -> Any:
    """Rows set aside to validate; one of each class, or the class-balanced validation loss would be undefined."""
    return np.maximum(np.rint(share * n_rows).astype(np.int64), 1)


def _check_rows(rows_per_class: Rows, class_names: Sequence[str], n_folds: int, validation_share: float) -> None:
    """Refuse classes with too few rows, all of them in one sentence, with what would help."""
    needed = rows_needed(n_folds, validation_share)
    small = np.flatnonzero(rows_per_class < needed)
    if not len(small):
        return
    fewest = int(rows_per_class.min())
    if (rows_per_class[small] < n_folds).all():
        limit = f"than n_folds={n_folds}"
    else:
        limit = f"than the {needed} that n_folds={n_folds} and validation.share={validation_share} need"
    if len(small) == 1:
        what = f"class {names.cut(class_names[small[0]])} has {fewest} row{'' if fewest == 1 else 's'}, fewer {limit}"
    else:
        counted = _counted(small, rows_per_class, class_names)
        what = f"{len(small)} of {len(class_names)} classes have fewer rows {limit}: {counted}"
    enough = [n for n in range(2, min(n_folds, fewest + 1)) if _suffice(fewest, n, validation_share)]
    remedies = [f"lower n_folds to {enough[-1]}"] if enough else []
    if len(class_names) - len(small) >= 2:
        them = "it" if len(small) == 1 else "them"
        remedies.append(f"set dataset.min_per_class={needed} to drop {them}")
    if np.count_nonzero(rows_per_class < rows_needed(n_folds, 0.0)) < len(small):
        remedies.append("lower validation.share")
    raise UserError(f"{what}: {', '.join([*remedies, 'or use more data' if remedies else 'use more data'])}")


def _emptied(ratio: float | None, keep: Rows, train_rows: Rows, class_names: Sequence[str], where: str) -> str:
    empty = np.flatnonzero(keep < 1)
    # Half a row and more is one row; another fold may have a row less.
    most = 2 * int(train_rows.max()) - 3
    low_enough = f" ({most} would do)" if most >= 1 else ""
    if len(empty) == 1:
        left = f"class {names.cut(class_names[empty[0]])} no training row of {train_rows[empty[0]]} {where}"
    else:
        left = f"{len(empty)} classes no training row {where}, of {_counted(empty, train_rows, class_names)}"
    return f"imbalance_ratio.ratio={ratio} leaves {left}: lower the ratio{low_enough} or use more data"


def _counted(labels: Rows, rows: Rows, class_names: Sequence[str], most: int = 12) -> str:
    first = ", ".join(f"{names.cut(class_names[label])} ({rows[label]})" for label in labels[:most])
    return f"{first} and {len(labels) - most} more" if len(labels) > most else first


def _set_aside(
    rows: Rows, labels: NDArray[np.int64], n_classes: int, share: float, split: tuple[str, int, int]
) -> tuple[Rows, Rows]:
    aside = _rows_aside(share, np.bincount(labels[rows], minlength=n_classes))
    validation = _first_of_each_class(rows, labels, aside, ("validation", *split))
    return np.setdiff1d(rows, validation, assume_unique=True), validation


def _first_of_each_class(rows: Rows, labels: NDArray[np.int64], keep: Rows, seed_parts: tuple[str | int, ...]) -> Rows:
    """Keep the first `keep[c]` rows of class `c` in a permutation that depends on the seed's parts alone."""
    kept = []
    for label, count in enumerate(keep.tolist()):
        draw = np.random.RandomState(derive_seed(*seed_parts, label))
        kept.append(draw.permutation(rows[labels[rows] == label])[:count])
    return np.sort(np.concatenate(kept))
