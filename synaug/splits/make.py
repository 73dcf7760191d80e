"""The splits of a run: for each seed and fold, which real rows train, judge and test."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaug.dataset import LabelledTexts, TextSource
from synaug.encoder.contract import BringsVectors
from synaug.errors import UserError
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.seeding import derive_seed
from synaug.settings import names
from synaug.splits.draws import first_of_each_class
from synaug.splits.split import InnerFold, Outside, Rows, Split, Validation, held_back, misuse

ALL_ROWS = -1  # in the place of a fold's number, where no fold is left out


def make_splits(
    dataset: str,
    labels: NDArray[np.int64],
    class_names: Sequence[str],
    imbalance_ratio: ImbalanceRatio,
    *,
    seeds: Sequence[int],
    n_folds: int,
    validation: Validation,
    groups: NDArray[np.int64] | None = None,
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
        How many rows each class keeps, and which classes are the minority.
    seeds, n_folds
        ``len(seeds) * n_folds`` splits.
    validation
        How rows are left out to choose by.
    groups
        int64 `[n]`: rows of one group stand on one side of every split and inner fold. Folds are then of about one
        size, not of the same. None: every row is a group of its own.

    Raises
    ------
    UserError
        If classes have too few rows or groups for the folds and the validation, if the ratio leaves them none, or if
        the validation would judge by rows that train or test.
    """
    n_classes = len(class_names)
    rows_per_class = np.bincount(labels, minlength=n_classes)
    few = few_rows(rows_per_class, class_names, n_folds, validation)
    if few is not None:
        raise UserError(few)
    splits = []
    for seed in seeds:
        minority = imbalance_ratio.minority_classes(class_names, rows_per_class, seed)
        rows = np.arange(len(labels))
        if imbalance_ratio.ratio is not None:
            fewest = np.full_like(rows_per_class, rows_per_class.min())
            rows = first_of_each_class(rows, labels, fewest, ("balance", dataset, seed))
        for fold, (rest, test) in enumerate(_folds(dataset, seed, rows, labels, class_names, n_folds, groups)):
            outside = Outside(dataset, seed, fold, rest, labels, n_classes, groups)
            thin = _thinner(outside, imbalance_ratio, minority, class_names)
            train, inner = validation.divide(outside, thin)
            _require_sound(validation, outside, train, inner)
            removed = held_back(outside, train, inner)
            splits.append(Split(seed, fold, tuple(sorted(minority)), train, inner, test, removed))
    return splits


def split_of_all_rows(
    dataset: str,
    labels: NDArray[np.int64],
    class_names: Sequence[str],
    imbalance_ratio: ImbalanceRatio,
    *,
    seed: int,
    validation: Validation,
    groups: NDArray[np.int64] | None = None,
) -> Split:
    """The split of a classifier that is to be used: every row trains, none is taken away, and none tests.

    Parameters
    ----------
    dataset, labels, class_names, imbalance_ratio, validation, groups
        As of `make_splits`; the imbalance ratio says which classes are the minority, and no more.
    seed
        What the draws depend on, together with the number `ALL_ROWS` in the place of a fold's.

    Raises
    ------
    UserError
        As `make_splits` does.
    """
    n_classes = len(class_names)
    rows_per_class = np.bincount(labels, minlength=n_classes)
    minority = imbalance_ratio.minority_classes(class_names, rows_per_class, seed)
    outside = Outside(dataset, seed, ALL_ROWS, np.arange(len(labels)), labels, n_classes, groups)
    train, inner = validation.divide(outside, lambda rows: rows)
    _require_sound(validation, outside, train, inner)
    return Split(seed, ALL_ROWS, tuple(sorted(minority)), train, inner, np.zeros(0, np.int64))


def texts_to_split(
    dataset: TextSource, encoder: object, imbalance_ratio: ImbalanceRatio, validation: Validation, n_folds: int
) -> LabelledTexts:
    """The texts of a data set, capped so that each class keeps the rows that it needs for folds and validation.

    Parameters
    ----------
    encoder
        It may have vectors of its own for the rows, and then knows the data set (`encoder.contract.for_dataset`).

    Raises
    ------
    UserError
        If the texts cannot be read, some rows lack what they need, or classes have too few rows: all at once.
    """
    own: dict[str, Any] = {"vectors": encoder.vectors()} if isinstance(encoder, BringsVectors) else {}
    if isinstance(dataset, TextSource):  # another source of the user's own need not ask
        own["too_few"] = partial(few_rows, n_folds=n_folds, validation=validation)
    # Where classes stay as they are, a cap takes from all of them in proportion.
    return dataset.load(
        proportional=imbalance_ratio.ratio is None,
        at_least=rows_needed(n_folds, validation),
        **own,
    )


def rows_needed(n_folds: int, validation: Validation) -> int:
    """Rows that a class needs: one in each fold, and outside any fold as many as the validation asks for."""
    # Outside the fold that has most of them, n rows are n - ceil(n / n_folds) = floor(n * (n_folds - 1) / n_folds).
    return max(n_folds, -(-validation.least_outside * n_folds // (n_folds - 1)))


def _require_sound(validation: Validation, outside: Outside, train: Rows, inner: Sequence[InnerFold]) -> None:
    if (wrong := misuse(outside, train, inner)) is not None:
        kind = type(validation)
        raise UserError(
            f"validation._target_={kind.__module__}.{kind.__qualname__} {wrong} in {outside.where}: mend it, "
            "as synaug.splits.Validation says, or choose nested"
        )


def _folds(
    dataset: str,
    seed: int,
    rows: Rows,
    labels: NDArray[np.int64],
    class_names: Sequence[str],
    n_folds: int,
    groups: NDArray[np.int64] | None,
) -> list[tuple[Rows, Rows]]:
    """The rows outside each test fold, and those in it; each class has some of both."""
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    random_state = derive_seed("folds", dataset, seed)
    if groups is None:
        folds = StratifiedKFold(n_folds, shuffle=True, random_state=random_state).split(rows, labels[rows])
    else:
        _check_groups(labels[rows], groups[rows], class_names, n_folds)
        folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=random_state).split(
            rows, labels[rows], groups[rows]
        )
    found = [(rows[rest], rows[test]) for rest, test in folds]
    for fold, (rest, test) in enumerate(found):
        for side, what in ((rest, "training"), (test, "test")):
            lacking = np.flatnonzero(np.bincount(labels[side], minlength=len(class_names)) == 0)
            if len(lacking):
                lower = "lower n_folds, or " if n_folds > 2 else ""
                raise UserError(
                    f"dataset.group leaves seed {seed} fold {fold} no {what} row of class "
                    f"{names.cut(class_names[lacking[0]])}, as its groups are large or few: {lower}group by a column "
                    "with more values"
                )
    return found


def _thinner(
    outside: Outside, imbalance_ratio: ImbalanceRatio, minority: Sequence[int], class_names: Sequence[str]
) -> Callable[[Rows], Rows]:
    def thin(rows: Rows) -> Rows:
        counts = outside.count(rows)
        keep = imbalance_ratio.rows_to_keep(counts, minority)
        if (keep < 1).any():
            raise UserError(_emptied(imbalance_ratio.ratio, keep, counts, class_names, f"in {outside.where}"))
        return first_of_each_class(rows, outside.labels, keep, ("thinning", *outside.draw))

    return thin


def few_rows(rows_per_class: Rows, class_names: Sequence[str], n_folds: int, validation: Validation) -> str | None:
    """Name the classes that have too few rows, all in one sentence, with what would help; None where none has."""
    needed = rows_needed(n_folds, validation)
    small = np.flatnonzero(rows_per_class < needed)
    if not len(small):
        return None
    fewest = int(rows_per_class.min())
    if (rows_per_class[small] < n_folds).all():
        limit = f"than n_folds={n_folds}"
    else:
        limit = f"than the {needed} that n_folds={n_folds} and the rows set aside to validate need"
    if len(small) == 1:
        what = f"class {names.cut(class_names[small[0]])} has {fewest} row{'' if fewest == 1 else 's'}, fewer {limit}"
    else:
        counted = _counted(small, rows_per_class, class_names)
        what = f"{len(small)} of {len(class_names)} classes have fewer rows {limit}: {counted}"
    enough = [n for n in range(2, min(n_folds, fewest + 1)) if fewest >= rows_needed(n, validation)]
    remedies = [f"lower n_folds to {enough[-1]}"] if enough else []
    if len(class_names) - len(small) >= 2:
        them = "it" if len(small) == 1 else "them"
        remedies.append(f"set dataset.min_per_class={needed} to drop {them}")
    if fewest >= n_folds:
        remedies.append("choose validation=nested")
    return f"{what}: {', '.join([*remedies, 'or use more data' if remedies else 'use more data'])}"


def _check_groups(
    labels: NDArray[np.int64], groups: NDArray[np.int64], class_names: Sequence[str], n_folds: int
) -> None:
    """Refuse classes that stand in fewer groups than there are folds."""
    pairs = np.unique(np.stack([labels, groups]), axis=1)
    counts = np.bincount(pairs[0], minlength=len(class_names))
    small = np.flatnonzero(counts < n_folds)
    if not len(small):
        return
    fewest = int(counts.min())
    if len(small) == 1:
        groups_of_it = f"{fewest} group{'' if fewest == 1 else 's'} of dataset.group"
        what = f"class {names.cut(class_names[small[0]])} has rows in {groups_of_it}, fewer than n_folds={n_folds}"
    else:
        counted = _counted(small, counts, class_names)
        what = (
            f"{len(small)} of {len(class_names)} classes have rows in fewer groups of dataset.group than "
            f"n_folds={n_folds}: {counted}"
        )
    remedy = f"lower n_folds to {fewest}" if fewest >= 2 else "use data with more groups"
    raise UserError(f"{what}: {remedy}, or group by a column with more values")


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
