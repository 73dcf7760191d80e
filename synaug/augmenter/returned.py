"""What a sampler gave back: its form, which of its rows are given ones, and whether they were moved."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from imblearn.combine import SMOTEENN, SMOTETomek
from numpy.typing import NDArray
from scipy import sparse

from synaug.augmenter.rows import FloatRows, Labels, SyntheticRows
from synaug.augmenter.samplers import sampling_type
from synaug.augmenter.too_few_rows import NotFiniteError
from synaug.errors import UserError

# A given row that comes back in its place, or anywhere, may have been rounded on its way: it counts as the same
# within these shares of the rows' spread. float16 moves a row by 0.0003 of it, bfloat16 by 0.001, two decimals less
# than float32 shows by about 0.006.
SAME_IN_PLACE = 0.01
SAME_ANYWHERE = 0.002
# If a smaller share of the rows that could be given ones are, the sampler kept hardly any.
HARDLY_ANY = 0.1
# If none of a class with fewer rows was kept, that proves nothing.
TELLING_ROWS = 5
# More than this share of the given rows under another label means a mix-up, not a correction of labels.
RELABELLED = 0.1
# New rows of the same space lie nearer to given ones than these do to each other, or little farther.
ELSEWHERE = 1.5
COMPARED_ROWS = 256
# Directions that rows are looked up by, before distances are taken.
DIRECTIONS = 8


@dataclass(frozen=True)
class Resampled:
    """A training set after a sampler.

    Attributes
    ----------
    kept
        int64 `[n_kept]`: which of the given rows remain, under their label; rounding on the way does not count.
    synthetic, labels
        The rows added, and their labels, int64 `[s]`.
    parents
        `[s, 2]`: the given rows that a new row was made of, as far as the sampler tells
        (an interpolation, ``parents_``, or imbalanced-learn's ``sample_indices_``); -1 where it does not.
    diagnostics
        What the sampler tells of itself (its attribute ``diagnostics_``), and the recall of an approximate search.
    """

    kept: Labels
    synthetic: SyntheticRows
    labels: Labels
    parents: Labels | NDArray[np.int32]
    diagnostics: list[dict[str, Any]] = field(default_factory=list)

    def change(self, y: Labels) -> Labels:
        """Rows of each class more than in `y`, `[n_classes]`; negative where fewer."""
        n_classes = int(y.max()) + 1
        counts = np.bincount(y[self.kept], minlength=n_classes) + np.bincount(self.labels, minlength=n_classes)
        return counts - np.bincount(y)


def cleans(sampler: Any) -> bool:
    """Whether a sampler that adds rows is known to remove some, too."""
    return isinstance(sampler, SMOTEENN | SMOTETomek)


def kept_and_added(sampler: Any, X: FloatRows, y: Labels, returned: Any) -> Resampled:
    """Separate the given rows from the new ones in what ``fit_resample`` returned.

    Parameters
    ----------
    X, y
        What the sampler was given, `[n, d]` and `[n]`; not the arrays themselves, which it may have written into.

    Raises
    ------
    UserError
        If it is no pair of rows and labels, if labels are unknown or mixed up, or if the rows are of another space.
    NotFiniteError
        If new rows are NaN or infinite.
    """
    name = type(sampler).__name__
    rows, labels = _in_form(name, returned, X.shape[1])
    unknown = np.setdiff1d(labels, y)
    if len(unknown):
        raise UserError(
            f"{name}.fit_resample returned the label {unknown[0]}, which no row given to it has: mend the sampler"
        )
    given = _given_rows(X, y, rows, labels)
    kept, new = given[given >= 0], np.flatnonzero(given < 0)
    if len(kept) < len(X):
        _refuse_mixed_labels(name, X, y, rows[new], labels[new])
    bad = int((~np.isfinite(rows[new]).all(axis=1)).sum())
    if bad:
        raise NotFiniteError(f"{name} made {len(new)} rows, of which {bad} hold NaN or infinity: mend the sampler")
    if len(kept) < len(X):
        _refuse_another_space(sampler, X, y, rows, labels, given)
    parents = _stated_parents(sampler, new, len(rows), len(X))
    return Resampled(kept, SyntheticRows.made(rows[new]), labels[new], parents, _diagnostics(name, sampler))


def no_parents(n: int) -> Labels:
    """`[n, 2]` of -1: nothing is known."""
    return np.full((n, 2), -1, dtype=np.int64)


def _stated_parents(sampler: Any, new: Labels, n_rows: int, n_given: int) -> Labels:
    parents = no_parents(len(new))
    stated = getattr(sampler, "parents_", None)
    if stated is not None and len(stated) == len(new):
        named = np.asarray(stated).reshape(len(new), -1) if len(new) else parents
        if named.shape[1] > 2:
            raise UserError(
                f"{type(sampler).__name__}.parents_ names {named.shape[1]} rows for each new one; it must name one or "
                "two: leave it out where a row has more parents"
            )
        strange = named[(named < -1) | (named >= n_given)]
        if len(strange):
            raise UserError(
                f"{type(sampler).__name__}.parents_ names row {strange[0]}, but the sampler was given rows 0 to "
                f"{n_given - 1}: name each new row's parents by their places among the rows given, or -1 where they "
                "are not known"
            )
        parents[:] = named  # one parent is both
        of_one = (parents < 0).any(axis=1)
        parents[of_one] = parents[of_one].max(axis=1)[:, None]
    else:
        indices = getattr(sampler, "sample_indices_", None)
        # With shrinkage a copy is moved, but it still has the one parent.
        if indices is not None and len(indices) == n_rows:
            parents[:] = np.asarray(indices)[new, None]
    return parents


def _diagnostics(name: str, sampler: Any) -> list[dict[str, Any]]:
    """What the sampler tells of itself, as the record can hold it: seen now, and not when all is trained."""
    stated = getattr(sampler, "diagnostics_", [])
    try:
        plain = json.loads(json.dumps(stated, default=_plain))
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(f"{name}.diagnostics_ cannot be recorded as JSON ({error}): mend the sampler") from error
    if not isinstance(plain, list) or not all(isinstance(entry, dict) for entry in plain):
        raise UserError(
            f"{name}.diagnostics_ is a {type(stated).__name__}; it must be a list of dictionaries, which the record "
            "keeps: correct it, or give that attribute another name"
        )
    return plain


def _plain(value: Any) -> Any:
    """NumPy's numbers and arrays, and torch's, as Python's."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a {type(value).__name__}")


# The form


def _in_form(name: str, returned: Any, width: int) -> tuple[FloatRows, Labels]:
    """Rows, float32 `[n, width]`, and labels, int64 `[n]`, from whatever kind of table they come in."""
    if not isinstance(returned, tuple | list) or len(returned) < 2:
        raise UserError(
            f"{name}.fit_resample returned {'None' if returned is None else f'a {type(returned).__name__}'}; "
            "it must return a pair of rows and labels: mend the sampler"
        )
    try:
        table, labels = _dense(returned[0]), _dense(returned[1])
        rows = np.asarray(table, dtype=np.float32)
        exact = np.asarray(labels, dtype=np.float64 if labels.dtype.kind == "f" else np.int64)
    except UserError:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(
            f"{name}.fit_resample returned rows or labels that are no numbers ({error}): mend the sampler"
        ) from error
    numbers = exact.ravel() if exact.ndim == 2 and exact.shape[1] == 1 else exact
    if rows.ndim != 2 or rows.shape[1] != width or numbers.shape != rows.shape[:1]:
        raise UserError(
            f"{name}.fit_resample returned rows {list(rows.shape)} and labels {list(numbers.shape)}; "
            f"they must be [n, {width}] and [n]: mend the sampler"
        )
    whole = numbers.astype(np.int64) if np.isfinite(numbers).all() else None
    if whole is None or (whole != numbers).any():
        raise UserError(f"{name}.fit_resample returned labels that are no whole numbers: mend the sampler")
    return rows, whole


def _dense(table: Any) -> NDArray[Any]:
    if sparse.issparse(table):
        table = table.toarray()
    elif isinstance(table, np.ma.MaskedArray):
        table = np.ma.filled(table.astype(np.float64), np.nan)  # what is masked is no number
    elif hasattr(table, "detach"):
        table = table.detach().cpu().to_dense()
        table = table.float() if table.dtype.itemsize < 4 and table.is_floating_point() else table  # bfloat16, say
    dense = np.asarray(table)
    if dense.dtype.kind == "c":
        raise UserError("a sampler returned complex numbers; embeddings are real ones: mend the sampler")
    return dense


# Which rows are given ones


def _given_rows(X: FloatRows, y: Labels, rows: FloatRows, labels: Labels) -> Labels:
    """Of each returned row, int64 `[r]`, which given row it is, under its label; -1 for a new one."""
    n = len(X)
    if len(rows) >= n and np.array_equal(rows[:n], X) and np.array_equal(labels[:n], y):
        return np.concatenate([np.arange(n), np.full(len(rows) - n, -1)])
    given = _the_same_bits(X, y, rows, labels)
    _match_in_place(X, y, rows, labels, given)
    for label in np.unique(labels).tolist():
        free, new = _unmatched(y, labels, given, label)
        n_matched = int((labels[given >= 0] == label).sum())
        # If the sampler returns given rows unchanged, a row that differs is new, however near it is to one of them.
        if n_matched < 0.5 * min(n_matched + len(free), n_matched + len(new)):
            for place, row in _nearly_the_same(X, free, rows, new):
                given[place] = row
    return given


def _the_same_bits(X: FloatRows, y: Labels, rows: FloatRows, labels: Labels) -> Labels:
    free: dict[tuple[bytes, int], list[int]] = {}
    for row in range(len(X) - 1, -1, -1):
        free.setdefault((X[row].tobytes(), int(y[row])), []).append(row)
    given = np.full(len(rows), -1, dtype=np.int64)
    for place in range(len(rows)):
        same = free.get((rows[place].tobytes(), int(labels[place])))
        if same:
            given[place] = same.pop()
    return given


def _unmatched(y: Labels, labels: Labels, given: Labels, label: int) -> tuple[Labels, Labels]:
    of_label = np.flatnonzero(y == label)
    return of_label[~np.isin(of_label, given)], np.flatnonzero((given < 0) & (labels == label))


def _match_in_place(X: FloatRows, y: Labels, rows: FloatRows, labels: Labels, given: Labels) -> None:
    n = min(len(X), len(rows))
    is_free = np.ones(len(X), dtype=bool)
    is_free[given[given >= 0]] = False
    places = np.flatnonzero((given[:n] < 0) & is_free[:n] & (labels[:n] == y[:n]))
    moved = np.linalg.norm(rows[places] - X[places], axis=1)
    same = places[moved <= SAME_IN_PLACE * _spread(X)]
    given[same] = same


def _nearly_the_same(X: FloatRows, free: Labels, rows: FloatRows, new: Labels) -> Iterator[tuple[int, int]]:
    """Pairs of a returned and a given row that only rounding tells apart, each row once."""
    limit = SAME_ANYWHERE * _spread(X)
    directions = np.random.RandomState(0).normal(size=(X.shape[1], DIRECTIONS))
    directions /= np.linalg.norm(directions, axis=0)
    of_free, of_new = X[free] @ directions, rows[new] @ directions
    order = np.argsort(of_free[:, 0])
    free, of_free = free[order], of_free[order]
    first = np.searchsorted(of_free[:, 0], of_new[:, 0] - limit)
    last = np.searchsorted(of_free[:, 0], of_new[:, 0] + limit, side="right")
    taken = np.zeros(len(free), dtype=bool)
    for place, at, start, stop in zip(new.tolist(), of_new, first.tolist(), last.tolist(), strict=True):
        near = start + np.flatnonzero(
            ~taken[start:stop] & (np.abs(of_free[start:stop] - at).max(axis=1, initial=0) <= limit)
        )
        if len(near):
            moved = np.linalg.norm(X[free[near]] - rows[place], axis=1)
            if moved.min() <= limit:
                best = near[moved.argmin()]
                taken[best] = True
                yield place, int(free[best])


def _spread(X: FloatRows) -> float:
    """Root mean square distance of rows from their mean."""
    return float(np.sqrt(X.var(axis=0, dtype=np.float64).sum()))


# What is refused


def _refuse_mixed_labels(name: str, X: FloatRows, y: Labels, new: FloatRows, labels: Labels) -> None:
    labels_of: defaultdict[bytes, set[int]] = defaultdict(set)
    for row, label in zip(X, y.tolist(), strict=True):
        labels_of[row.tobytes()].add(label)
    labels_before = [(labels_of.get(row.tobytes()), label) for row, label in zip(new, labels.tolist(), strict=True)]
    mixed = sum(known is not None and label not in known for known, label in labels_before)
    if mixed > RELABELLED * len(X):
        raise UserError(
            f"{name} returned {mixed} of the {len(X)} rows given to it under the label of another class: "
            "keep rows and labels in the same order"
        )


def _refuse_another_space(
    sampler: Any, X: FloatRows, y: Labels, rows: FloatRows, labels: Labels, given: Labels
) -> None:
    """Refuse rows that were moved: the classifier would be trained on others than it is tested on."""
    before, n_classes = np.bincount(y), int(y.max()) + 1
    after = np.bincount(labels, minlength=n_classes)
    kept = np.bincount(y[given[given >= 0]], minlength=n_classes)
    steps = [step for _, step in getattr(sampler, "steps", ()) if hasattr(step, "transform")]
    hardly_any = kept.sum() < HARDLY_ANY * min(len(X), len(rows))
    if sampling_type(sampler) == "over-sampling" and not cleans(sampler):
        # It must return every given row. One class alone may be moved; of a tiny class, a filter may remove all rows.
        moved = (kept < HARDLY_ANY * np.minimum(before, after)) & (hardly_any | (before >= TELLING_ROWS))
    else:
        moved = np.full(n_classes, hardly_any and (bool(steps) or _shows_moving(X, y, rows, labels, given)))
    if moved.any():
        cause = " and ".join(type(step).__name__ for step in steps) or "a scaler, projection or normalisation"
        if (after == 0).any():
            raise UserError(
                f"{type(sampler).__name__} returned no row of some class, and {kept.sum()} of {len(X)} rows as they "
                "were given to it; the likely cause is that it returns the new rows alone: return the given rows, too"
            )
        raise UserError(
            f"{type(sampler).__name__} returned {kept[moved].sum()} of {before[moved].sum()} rows as they were given "
            "to it, so that the classifier would train on other numbers than it is tested on; the likely cause is "
            f"{cause} inside it: leave that out "
            "(standardize=true scales training and test rows alike), or return the given rows unaltered"
        )


def _shows_moving(X: FloatRows, y: Labels, rows: FloatRows, labels: Labels, given: Labels) -> bool:
    """Whether rows that are hardly ever given ones are these moved, and not what a sampler made in their place.

    One that makes prototypes (imbalanced-learn's ClusterCentroids) or cleans leaves fewer rows of some class, and
    what it makes lies among the given rows.
    """
    n = len(X)
    if len(rows) >= n and np.array_equal(labels[:n], y):
        return True
    if (np.bincount(labels, minlength=int(y.max()) + 1) >= np.bincount(y)).all():
        return True
    new = np.flatnonzero(given < 0)
    some = new[np.linspace(0, len(new) - 1, min(COMPARED_ROWS, len(new))).astype(int)]
    others = np.linspace(0, n - 1, min(COMPARED_ROWS, n)).astype(int)
    between_new = np.median(_distances(rows[some], X).min(axis=1))
    between_given = _distances(X[others], X)
    between_given[np.arange(len(others)), others] = np.inf
    return bool(between_new > ELSEWHERE * np.median(between_given.min(axis=1)))


def _distances(points: FloatRows, rows: FloatRows) -> FloatRows:
    squares = (points**2).sum(1)[:, None] + (rows**2).sum(1) - 2 * points @ rows.T
    distances: FloatRows = np.sqrt(np.maximum(squares, 0))
    return distances
