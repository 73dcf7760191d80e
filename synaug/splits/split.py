"""What a split is, and what divides one: the rows that train, judge and test.

Everything here works on row numbers, labels and groups; no embedding is touched.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from synaug import settings

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
    held_back
        Real rows that the imbalance ratio took away, `[n_held_back]`: they neither train, judge nor test in this split,
        and none is of a group of which a row trains. They tell what synthetic rows of their class should look like.
    """

    seed: int
    fold: int
    minority: tuple[int, ...]
    train: Rows
    inner: tuple[InnerFold, ...]
    test: Rows
    held_back: Rows = field(default_factory=lambda: np.zeros(0, np.int64))

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
        if self.fold < 0:
            return "all rows"
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


def held_back(outside: Outside, train: Rows, folds: Sequence[InnerFold]) -> Rows:
    """`Split.held_back`: the rows outside the test fold that a division leaves no use for, ascending."""
    used = np.concatenate([train, *(fold.left_out for fold in folds)])
    rest = outside.rows[~np.isin(outside.rows, used)]  # np.setdiff1d takes seconds for a million rows
    if outside.groups is not None:
        rest = rest[~np.isin(outside.groups[rest], outside.groups[used])]
    return rest


def misuse(outside: Outside, train: Rows, folds: Sequence[InnerFold]) -> str | None:
    """Say which rows a division puts where they must not be, as part of a sentence; None if it is sound."""
    for rows in (train, *(each for fold in folds for each in (fold.fit, fold.left_out))):
        kind = np.asarray(rows).dtype
        if len(rows) and not np.issubdtype(kind, np.integer):
            return f"gives rows as {kind}, where the numbers of the rows are needed (int64)"
    left_out = np.concatenate([fold.left_out for fold in folds])
    if not np.isin(np.concatenate([train, left_out]), outside.rows).all():
        return "uses rows of the test fold"
    if np.bincount(left_out).max(initial=0) > 1:
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
