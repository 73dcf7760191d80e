"""The splits of a run: for each seed and fold, which real rows train, judge and test.

Everything here works on row numbers, labels and groups; no embedding is touched.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synaug import names, settings
from synaug.errors import UserError
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.seeding import derive_seed

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class InnerFold:
    """Rows that an inner model trains on and rows that judge it: disjoint, ascending rows of the data set.

    Attributes
    ----------
    fit
        Rows to train on, `[n_fit]`: one of every class at least.
    left_out
        Rows to judge by, `[n_left_out]`: one at least, and not of every class where classes are small.
    """

    fit: Rows
    left_out: Rows


@dataclass(frozen=True)
class Split:
    """One (seed, fold): rows of the data set, ascending.

    Attributes
    ----------
    seed, fold
        Which split this is.
    minority
        Labels of the minority classes, ascending.
    train
        All rows that train, thinned, `[n_train]`: what a fit on all rows gets.
    inner
        How rows are left out to choose weights and decision rules.
    test
        The fold, `[n_test]`, as it is in the (balanced or natural) data set.
    """

    seed: int
    fold: int
    minority: tuple[int, ...]
    train: Rows
    inner: tuple[InnerFold, ...]
    test: Rows

    @property
    def out_of_fold(self) -> Rows:
        """Rows left out, those of one inner fold after those of another, `[n_out_of_fold]`: no row twice."""
        return np.concatenate([inner.left_out for inner in self.inner])


@dataclass(frozen=True)
class Outside:
    """The rows outside a test fold, before any is thinned.

    Attributes
    ----------
    dataset, seed, fold
        What the draws of this split depend on.
    rows
        Ascending rows of the data set, `[n_outside]`.
    labels
        int64 `[n]`, of the whole data set.
    n_classes
        How many classes there are.
    groups
        int64 `[n]`, of the whole data set; None where every row stands for itself.
    """

    dataset: str
    seed: int
    fold: int
    rows: Rows
    labels: NDArray[np.int64]
    n_classes: int
    groups: NDArray[np.int64] | None = None

    @property
    def draw(self) -> tuple[str, int, int]:
        """The parts that this split adds to the seeds of its draws."""
        return self.dataset, self.seed, self.fold

    @property
    def where(self) -> str:
        """Which split this is, in words."""
        return f"seed {self.seed} fold {self.fold}"

    def count(self, rows: Rows) -> Rows:
        """Rows of each class among some, `[n_classes]`."""
        return np.bincount(self.labels[rows], minlength=self.n_classes)


class Validation(ABC):
    """How a split's rows are divided into those that train and those that choose weights and rules.

    Attributes
    ----------
    final
        What predicts the test rows: ``bagged``, the average of the inner models, or ``refit``, the fit on all rows.
    least_outside
        Rows that a class needs outside each test fold.
    """

    final: str = settings.BAGGED
    least_outside: int = 1

    @abstractmethod
    def divide(self, outside: Outside, thin: Callable[[Rows], Rows]) -> tuple[Rows, tuple[InnerFold, ...]]:
        """Thin what is to train, and leave rows out.

        Parameters
        ----------
        outside
            The rows to divide.
        thin
            Takes ascending rows; keeps of each class as many as the imbalance ratio leaves it.

        Returns
        -------
        tuple
            `Split.train` and `Split.inner`.

        Raises
        ------
        UserError
            If there are too few rows to leave any out.
        """


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
    _check_rows(rows_per_class, class_names, n_folds, validation)
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
            if (wrong := misuse(outside, train, inner)) is not None:
                kind = type(validation)
                raise UserError(
                    f"validation._target_={kind.__module__}.{kind.__qualname__} {wrong} in {outside.where}: mend it, "
                    "as synaug.splits.Validation says, or choose nested"
                )
            splits.append(Split(seed, fold, tuple(sorted(minority)), train, inner, test))
    return splits


def misuse(outside: Outside, train: Rows, folds: Sequence[InnerFold]) -> str | None:
    """Say which rows a division puts where they must not be, as part of a sentence; None if it is sound."""
    left_out = np.concatenate([fold.left_out for fold in folds])
    if not np.isin(np.concatenate([train, left_out]), outside.rows).all():
        return "uses rows of the test fold"
    if len(np.unique(left_out)) < len(left_out):
        return "leaves a row out twice"
    for fold in folds:
        if not len(fold.left_out):
            return "has an inner fold that leaves out no row"
        if np.isin(fold.left_out, fold.fit).any():
            return "leaves rows out that train in the same inner fold"
        if outside.groups is not None and np.isin(outside.groups[fold.left_out], outside.groups[fold.fit]).any():
            return "leaves rows out of whose groups others train in the same inner fold"
        if not np.isin(fold.fit, train).all():
            return "trains inner folds on rows that are not among those that train"
        lacking = np.flatnonzero(outside.count(fold.fit) == 0)
        if len(lacking):
            return f"leaves an inner fold no row of a class that has {outside.count(train)[lacking[0]]} to train on"
    return None


def minority_by_seed(splits: Sequence[Split], class_names: Sequence[str]) -> dict[str, list[str]]:
    """Names of the minority classes of each seed."""
    return {str(split.seed): [class_names[label] for label in split.minority] for split in splits}


def unjudged_by_seed(
    splits: Sequence[Split], labels: NDArray[np.int64], class_names: Sequence[str]
) -> dict[str, dict[str, int]]:
    """For each seed, the classes of which some of its splits leave out no row, and how many splits these are."""
    counts: dict[str, dict[str, int]] = {str(split.seed): {} for split in splits}
    for split in splits:
        of_seed = counts[str(split.seed)]
        left_out = np.bincount(labels[split.out_of_fold], minlength=len(class_names))
        for label in np.flatnonzero(left_out == 0).tolist():
            of_seed[class_names[label]] = of_seed.get(class_names[label], 0) + 1
    return counts


def said_of_unjudged(by_seed: Mapping[str, Mapping[str, int]], n_folds: int) -> list[str]:
    """The sentence about classes without an out-of-fold row, over all seeds; none where there is nothing to say."""
    counts = Counter[str]()
    for of_seed in by_seed.values():
        counts.update(of_seed)
    if not counts:
        return []
    n_splits = len(by_seed) * n_folds
    said = ", ".join(f"{names.cut(name)} (in {count} of {n_splits} splits)" for name, count in counts.most_common(5))
    more = f" and {len(counts) - 5} more classes" if len(counts) > 5 else ""
    return [
        f"no row is left out to choose by of class {said}{more}; steps, rules and methods are chosen there without "
        "regard to it: use more data or a lower imbalance_ratio.ratio"
    ]


def rows_needed(n_folds: int, validation: Validation) -> int:
    """Rows that a class needs: one in each fold, and outside any fold as many as the validation asks for."""
    # Outside the fold that has most of them, n rows are n - ceil(n / n_folds) = floor(n * (n_folds - 1) / n_folds).
    return max(n_folds, -(-validation.least_outside * n_folds // (n_folds - 1)))


def first_of_each_class(rows: Rows, labels: NDArray[np.int64], keep: Rows, seed_parts: tuple[str | int, ...]) -> Rows:
    """Keep the first `keep[c]` rows of class `c` in a permutation that depends on the seed's parts alone."""
    kept = [
        permuted(rows[labels[rows] == label], *seed_parts, label)[:count] for label, count in enumerate(keep.tolist())
    ]
    return np.sort(np.concatenate(kept))


def permuted(rows: Rows, *seed_parts: str | int) -> Rows:
    """Rows in an order that depends on the seed's parts and their number alone."""
    return np.random.RandomState(derive_seed(*seed_parts)).permutation(rows)


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


def _check_rows(rows_per_class: Rows, class_names: Sequence[str], n_folds: int, validation: Validation) -> None:
    """Refuse classes with too few rows, all of them in one sentence, with what would help."""
    needed = rows_needed(n_folds, validation)
    small = np.flatnonzero(rows_per_class < needed)
    if not len(small):
        return
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
    raise UserError(f"{what}: {', '.join([*remedies, 'or use more data' if remedies else 'use more data'])}")


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
