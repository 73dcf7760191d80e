"""The members of a run: for each seed and fold, which real rows train, validate and test.

Everything here works on row numbers and labels; no embedding is touched.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedKFold

from synaug.errors import UserError
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.seeding import derive_seed

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Member:
    """One (seed, fold): rows of the data set, disjoint, ascending.

    Attributes
    ----------
    seed, fold
        Which member this is.
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


def split(
    dataset: str,
    labels: NDArray[np.int64],
    class_names: Sequence[str],
    imbalance_ratio: ImbalanceRatio,
    *,
    seeds: Sequence[int],
    n_folds: int,
    validation_share: float,
    thin_validation: bool,
) -> Iterator[Member]:
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
    seeds, n_folds
        ``len(seeds) * n_folds`` members.
    validation_share
        Share of the rows outside the test fold that is set aside.
    thin_validation
        Thin the validation part, too.

    Raises
    ------
    UserError
        If a class has fewer rows than folds, or too few to have one in the validation part, or if
        the ratio leaves it with none.
    """
    rows_per_class = np.bincount(labels, minlength=len(class_names))
    _check_folds(rows_per_class, class_names, n_folds)
    minority = imbalance_ratio.minority_classes(class_names, rows_per_class)
    for seed in seeds:
        rows = np.arange(len(labels))
        if imbalance_ratio.ratio is not None:
            rows = _first_of_each_class(
                rows, labels, np.full_like(rows_per_class, rows_per_class.min()), ("balance", dataset, seed)
            )
        folds = StratifiedKFold(n_folds, shuffle=True, random_state=derive_seed("folds", dataset, seed))
        for fold, (rest, test) in enumerate(folds.split(rows, labels[rows])):
            train, validation = _set_aside(rows[rest], labels, class_names, validation_share, (dataset, seed, fold))
            train_rows = np.bincount(labels[train], minlength=len(class_names))
            keep = imbalance_ratio.rows_to_keep(train_rows, minority)
            if (keep < 1).any():
                empty = int(keep.argmin())
                raise UserError(
                    f"imbalance_ratio.ratio={imbalance_ratio.ratio} leaves class {class_names[empty]!r} no training "
                    f"row of {train_rows[empty]} in seed {seed} fold {fold}: lower the ratio or use more data"
                )
            thinning = ("thinning", dataset, seed, fold)
            train = _first_of_each_class(train, labels, keep, thinning)
            if thin_validation:
                counts = np.bincount(labels[validation], minlength=len(class_names))
                keep = np.maximum(imbalance_ratio.rows_to_keep(counts, minority), 1)
                validation = _first_of_each_class(validation, labels, keep, thinning)
            yield Member(seed, fold, train, validation, np.sort(rows[test]))


def _check_folds(rows_per_class: Rows, class_names: Sequence[str], n_folds: int) -> None:
    smallest = int(rows_per_class.argmin())
    if rows_per_class[smallest] < n_folds:
        raise UserError(
            f"class {class_names[smallest]!r} has {rows_per_class[smallest]} rows, fewer than n_folds={n_folds}: "
            "lower n_folds or drop the class"
        )


def _set_aside(
    rows: Rows, labels: NDArray[np.int64], class_names: Sequence[str], share: float, member: tuple[str, int, int]
) -> tuple[Rows, Rows]:
    counts = np.bincount(labels[rows], minlength=len(class_names))
    # At least one row of each class, or the class-balanced validation loss would be undefined.
    aside = np.maximum(np.rint(share * counts).astype(np.int64), 1)
    if (aside >= counts).any():
        label = int((counts - aside).argmin())
        seed, fold = member[1:]
        raise UserError(
            f"class {class_names[label]!r} has {counts[label]} rows outside the test fold in seed {seed} fold {fold}, "
            f"of which validation.share={share} leaves none to train on: lower it, use more data or drop the class"
        )
    validation = _first_of_each_class(rows, labels, aside, ("validation", *member))
    return np.setdiff1d(rows, validation, assume_unique=True), validation


def _first_of_each_class(rows: Rows, labels: NDArray[np.int64], keep: Rows, seed_parts: tuple[str | int, ...]) -> Rows:
    """Keep the first `keep[c]` rows of class `c` in a permutation that depends on the seed's parts alone."""
    kept = []
    for label, count in enumerate(keep.tolist()):
        draw = np.random.RandomState(derive_seed(*seed_parts, label))
        kept.append(draw.permutation(rows[labels[rows] == label])[:count])
    return np.sort(np.concatenate(kept))
