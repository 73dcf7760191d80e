"""Run a sampler of imbalanced-learn's kind, and tell the rows it kept from those it made."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

FloatRows = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Resampled:
    """A training set after a sampler.

    Attributes
    ----------
    kept
        int64 `[n_kept]`: which of the given rows remain, to the bit and under their label.
    synthetic, labels
        float32 `[s, d]` and int64 `[s]`: the rows added.
    parents
        int64 `[s, 2]`: the given rows that a new row was made of, as far as the sampler tells
        (``parents_``, or imbalanced-learn's ``sample_indices_``); -1 where it does not.
    diagnostics
        What the sampler tells of itself (its attribute ``diagnostics_``).
    """

    kept: Labels
    synthetic: FloatRows
    labels: Labels
    parents: Labels
    diagnostics: list[dict[str, Any]] = field(default_factory=list)

    def change(self, y: Labels) -> Labels:
        """Rows of each class more than in `y`, `[n_classes]`; negative where fewer."""
        n_classes = int(y.max()) + 1
        counts = np.bincount(y[self.kept], minlength=n_classes) + np.bincount(self.labels, minlength=n_classes)
        return counts - np.bincount(y)


def resample(
    sampler: Any, X: FloatRows, y: Labels, targets: dict[int, int] | None, random_state: np.random.RandomState
) -> Resampled:
    """Resample with a clone of `sampler`.

    Parameters
    ----------
    X, y
        float32 `[n, d]` and int64 `[n]`.
    targets
        Rows that classes shall have in the end; None where the sampler decides.
    random_state
        Source of every draw, also of samplers and estimators inside the sampler.

    Raises
    ------
    TypeError
        If what comes back has another form than imbalanced-learn's, or labels that `y` has not.
    ValueError
        If the sampler does, or makes rows that are not finite.
    """
    sampler = _prepared(sampler, targets, random_state)
    returned = sampler.fit_resample(X, y)
    rows = np.asarray(returned[0], dtype=np.float32)
    labels = np.asarray(returned[1], dtype=np.int64)
    name = type(sampler).__name__
    if rows.ndim != 2 or rows.shape[1] != X.shape[1] or labels.shape != rows.shape[:1]:
        raise TypeError(
            f"{name}.fit_resample returned rows {list(rows.shape)} and labels {list(labels.shape)}; "
            f"they must be [n, {X.shape[1]}] and [n]: mend the sampler"
        )
    unknown = np.setdiff1d(labels, y)
    if len(unknown):
        raise TypeError(
            f"{name}.fit_resample returned the label {unknown[0]}, which no row given to it has: mend the sampler"
        )
    kept, new = _kept_and_new(X, y, rows, labels)
    if not np.isfinite(rows[new]).all():
        raise ValueError(f"{name} made rows that are not finite")
    parents = _stated_parents(sampler, new, len(rows))
    return Resampled(kept, rows[new], labels[new], parents, list(getattr(sampler, "diagnostics_", [])))


def no_parents(n: int) -> Labels:
    """`[n, 2]` of -1: nothing is known."""
    return np.full((n, 2), -1, dtype=np.int64)


def _stated_parents(sampler: Any, new: Labels, n_rows: int) -> Labels:
    parents = no_parents(len(new))
    stated = getattr(sampler, "parents_", None)
    if stated is not None and len(stated) == len(new):
        parents[:] = stated  # one parent is both
    else:
        indices = getattr(sampler, "sample_indices_", None)
        # With shrinkage a copy is moved, but it still has the one parent.
        if indices is not None and len(indices) == n_rows:
            parents[:] = np.asarray(indices)[new, None]
    return parents


def _prepared(sampler: Any, targets: dict[int, int] | None, random_state: np.random.RandomState) -> Any:
    sampler = clone(sampler)
    parameters = {"": sampler, **sampler.get_params(deep=True)}
    for path in list(parameters):
        owner, _, name = path.rpartition("__")
        if name == "random_state" and owner:
            # Of its own, since a sampler clones what is inside it, and clones would repeat their draws.
            sampler.set_params(**{path: np.random.RandomState(random_state.randint(2**32, dtype=np.uint32))})
        elif name == "random_state":
            sampler.set_params(random_state=random_state)
        elif name == "sampling_strategy" and targets and sampling_type(parameters[owner]) == sampling_type(sampler):
            # The SMOTE inside a SMOTEENN is told as well, the cleaner inside it is not.
            sampler.set_params(**{path: targets})
    return sampler


def sampling_type(sampler: Any) -> str:
    """Name the kind, in imbalanced-learn's words.

    One of ``over-sampling``, ``under-sampling``, ``clean-sampling`` and ``bypass``. What has a parameter
    ``sampling_strategy`` and does not say otherwise is taken to add rows; what has none decides by itself.
    """
    if "sampling_strategy" not in sampler.get_params(deep=False):
        return "bypass"
    return str(getattr(sampler, "_sampling_type", "over-sampling"))


def _kept_and_new(X: FloatRows, y: Labels, rows: FloatRows, labels: Labels) -> tuple[Labels, Labels]:
    n = len(X)
    if len(rows) >= n and np.array_equal(rows[:n], X) and np.array_equal(labels[:n], y):
        return np.arange(n), np.arange(n, len(rows))
    # The sampler removed or moved rows: a kept one is the same to the bit.
    free: dict[tuple[bytes, int], list[int]] = {}
    for row in range(n - 1, -1, -1):
        free.setdefault((X[row].tobytes(), int(y[row])), []).append(row)
    kept, new = [], []
    for row in range(len(rows)):
        places = free.get((rows[row].tobytes(), int(labels[row])))
        if places:
            kept.append(places.pop())
        else:
            new.append(row)
    return np.array(kept, dtype=np.int64), np.array(new, dtype=np.int64)
