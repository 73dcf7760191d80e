"""How rows are left out to choose weights and decision rules: the group ``validation``."""

import bisect
import math
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from synaug import settings
from synaug.errors import UserError
from synaug.seeding import derive_seed
from synaug.splits import InnerFold, Outside, Rows, Validation, first_of_each_class, permuted


class Nested(Validation):
    """All training rows are dealt into inner folds, and each inner model is judged on the rows it has not seen.

    Of each class the rows are dealt one by one, in an order drawn from the split and the class alone, going on from
    fold to fold where the class before left off: folds are of one size, and no row of a class is left out for want
    of others (scikit-learn's StratifiedKFold may leave a class none to train on). The only row of a class stays in
    training in every inner fold.

    Parameters
    ----------
    n_folds
        Inner folds, J.
    final
        What predicts the test rows: ``bagged``, the average of the inner models, or ``refit``, the fit on all rows.
    """

    def __init__(self, n_folds: int = 5, final: str = settings.BAGGED) -> None:
        settings.require(
            "validation", settings.OF_A_TARGET["synaug.validation.Nested"], {"n_folds": n_folds, "final": final}
        )
        self.n_folds = n_folds
        self.final = final

    def divide(self, outside: Outside, thin: Callable[[Rows], Rows]) -> tuple[Rows, tuple[InnerFold, ...]]:
        """Thin all rows, and deal what is left.

        Raises
        ------
        UserError
            If fewer rows than inner folds can be left out.
        """
        train = thin(outside.rows)
        left_out = self._deal(outside, train) if outside.groups is None else self._deal_groups(outside, train)
        return train, tuple(_fold(train, rows) for rows in left_out)

    def _deal(self, outside: Outside, train: Rows) -> list[Rows]:
        dealt: list[Rows] = []
        for label in range(outside.n_classes):
            rows = permuted(train[outside.labels[train] == label], "inner", *outside.draw, label)
            dealt.extend([rows] if len(rows) > 1 else [])
        in_turn = np.concatenate([*dealt, np.empty(0, np.int64)])
        self._require(len(in_turn), "rows", outside)
        return [in_turn[fold :: self.n_folds] for fold in range(self.n_folds)]

    def _deal_groups(self, outside: Outside, train: Rows) -> list[Rows]:
        """Deal whole groups; one that holds all training rows of a class stays in training."""
        from sklearn.model_selection import StratifiedGroupKFold

        table, group_of_row = _table(outside, train)
        alone = (table > 0).sum(axis=0) == 1
        stays = table[:, alone].sum(axis=1) > 0
        free = train[~stays[group_of_row]]
        most = int(outside.count(free).max()) if len(free) else 0
        self._require(min(int((~stays).sum()), most), "groups", outside)
        folds = StratifiedGroupKFold(self.n_folds, shuffle=True, random_state=derive_seed("inner", *outside.draw))
        assert outside.groups is not None
        left_out = []
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
            for _, places in folds.split(free, outside.labels[free], outside.groups[free]):
                left_out.append(_leaving_some_of_each_class(outside, train, free[places]))
        self._require(sum(len(rows) > 0 for rows in left_out), "groups", outside)
        return left_out

    def _require(self, n: int, what: str, outside: Outside) -> None:
        if n >= self.n_folds:
            return
        remedy = f"lower validation.n_folds to {n} or use more data" if n >= 2 else "use more data"
        raise UserError(
            f"validation.n_folds={self.n_folds} needs {self.n_folds} {what} that can be left out, but {outside.where} "
            f"has {n} (the last of a class always trains): {remedy}"
        )


class Holdout(Validation):
    """A share of the thinned training rows is left out: one inner fold, as few rows of a rare class as it has.

    Parameters
    ----------
    share
        Of the training rows of each class, to the nearest row; one at least, but never a class's only row.
    """

    def __init__(self, share: float = 0.1) -> None:
        settings.require("validation", settings.OF_A_TARGET["synaug.validation.Holdout"], {"share": share})
        self.share = share

    def divide(self, outside: Outside, thin: Callable[[Rows], Rows]) -> tuple[Rows, tuple[InnerFold, ...]]:
        """Thin all rows, and leave a share of them out.

        Raises
        ------
        UserError
            If every class has one training row.
        """
        train = thin(outside.rows)
        return train, (_fold(train, _set_aside(outside, train, self.share)),)


class Oracle(Validation):
    """A share of the rows is set aside before thinning, and not thinned: more minority rows may judge than train.

    A sensitivity control. Nobody who has few minority rows has so many to choose by, so scores are those that perfect
    knowledge of how to choose would give.

    Parameters
    ----------
    share
        Of the rows outside the test fold, class by class, to the nearest row; one at least.
    """

    def __init__(self, share: float = 0.1) -> None:
        settings.require("validation", settings.OF_A_TARGET["synaug.validation.Oracle"], {"share": share})
        self.share = share

    @property
    def least_outside(self) -> int:  # type: ignore[override]
        """Rows that a class needs outside each test fold: one is set aside, and one trains."""
        # With so many rows the share that trains is one row and a half, and no rounding takes it.
        rows = range(2, math.ceil(1.5 / (1 - self.share)) + 3)
        return rows[bisect.bisect_left(rows, True, key=lambda n: n > max(round(self.share * n), 1))]

    def divide(self, outside: Outside, thin: Callable[[Rows], Rows]) -> tuple[Rows, tuple[InnerFold, ...]]:
        """Set a share aside, and thin the others.

        Raises
        ------
        UserError
            If no row can be set aside.
        """
        left_out = _set_aside(outside, outside.rows, self.share)
        train = thin(np.setdiff1d(outside.rows, left_out, assume_unique=True))
        return train, (InnerFold(train, left_out),)


def _fold(train: Rows, left_out: Rows) -> InnerFold:
    return InnerFold(np.setdiff1d(train, left_out, assume_unique=True), np.sort(left_out))


def _set_aside(outside: Outside, rows: Rows, share: float) -> Rows:
    """A share of some rows of each class, one at least, but never all of them; whole groups where there are groups."""
    counts = outside.count(rows)
    aside = np.minimum(np.maximum(np.rint(share * counts).astype(np.int64), 1), np.maximum(counts - 1, 0))
    seed_parts = ("validation", *outside.draw)
    if outside.groups is None:
        left_out = first_of_each_class(rows, outside.labels, aside, seed_parts)
    else:
        left_out = _groups_aside(outside, rows, aside, seed_parts)
    if not len(left_out):
        why = "every class has one" if outside.groups is None else "the groups of dataset.group are too large"
        raise UserError(
            f"validation.share={share} leaves out no training row in {outside.where}, as {why}: use more data or a "
            "lower imbalance_ratio.ratio"
        )
    return left_out


def _groups_aside(outside: Outside, rows: Rows, aside: Rows, seed_parts: tuple[str | int, ...]) -> Rows:
    """Groups in an order that is drawn, each left out if no class then has more rows left out than it should have.

    A class that gets none in this way, because its groups are large, gives its smallest group that it can spare.
    """
    table, group_of_row = _table(outside, rows)
    counts, left_out = table.sum(axis=0), np.zeros(outside.n_classes, np.int64)
    taken = np.zeros(len(table), bool)

    def spared(after: Rows) -> bool:
        return bool(((after < counts) | (counts == 0)).all())

    order = permuted(np.arange(len(table)), *seed_parts)
    for group in order:
        after = left_out + table[group]
        if (after <= aside).all() and spared(after):
            taken[group], left_out = True, after
    by_size = order[np.argsort(table[order].sum(axis=1), kind="stable")]
    for label in np.flatnonzero(counts > 0):
        spare = (group for group in by_size if table[group, label] and spared(left_out + table[group]))
        if not left_out[label] and (group := next(spare, None)) is not None:
            taken[group], left_out = True, left_out + table[group]
    return rows[taken[group_of_row]]


def _table(outside: Outside, rows: Rows) -> tuple[NDArray[np.int64], Rows]:
    """Rows of each class in each group, `[n_groups, n_classes]`, and the number of each row's group, `[n]`."""
    assert outside.groups is not None
    groups, group_of_row = np.unique(outside.groups[rows], return_inverse=True)
    table = np.zeros((len(groups), outside.n_classes), np.int64)
    np.add.at(table, (group_of_row, outside.labels[rows]), 1)
    return table, group_of_row


def _leaving_some_of_each_class(outside: Outside, train: Rows, left_out: Rows) -> Rows:
    """Without the smallest groups that must go on training so that each class has rows to train on."""
    table, group_of_row = _table(outside, left_out)
    counts, out = outside.count(train), outside.count(left_out)
    keeps = np.zeros(len(table), bool)
    for label in np.flatnonzero(counts > 0):
        if out[label] == counts[label]:
            holders = np.flatnonzero((table[:, label] > 0) & ~keeps)
            group = holders[np.argmin(table[holders].sum(axis=1))]
            keeps[group], out = True, out - table[group]
    return left_out[~keeps[group_of_row]]
