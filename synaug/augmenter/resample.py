"""Run a sampler of imbalanced-learn's kind, and tell the rows it kept from those it made."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE, RandomOverSampler
from numpy.typing import NDArray
from sklearn.base import clone

from synaug.augmenter.neighbours import Neighbours
from synaug.augmenter.rows import FloatRows, Labels, SyntheticRows, TrainingRows
from synaug.errors import UserError

SEARCH_PARAMETERS = ("k_neighbors", "m_neighbors", "n_neighbors")


@dataclass(frozen=True)
class Resampled:
    """A training set after a sampler.

    Attributes
    ----------
    kept
        int64 `[n_kept]`: which of the given rows remain, to the bit and under their label.
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


def resample(
    sampler: Any, rows: TrainingRows, targets: dict[int, int] | None, random_state: np.random.RandomState
) -> Resampled:
    """Resample with a clone of `sampler`.

    Parameters
    ----------
    rows
        The `n` training rows.
    targets
        Rows that classes shall have in the end; None where the sampler decides.
    random_state
        Source of every draw, also of samplers and estimators inside the sampler.

    Raises
    ------
    UserError
        If what comes back has another form than imbalanced-learn's, or labels that `y` has not.
    UserError
        If the sampler does, or makes rows that are not finite.
    """
    sampler = _prepared(sampler, targets, random_state)
    if interpolates(sampler):
        return _interpolated(sampler, rows)
    X, y = rows.dense(), rows.y
    return _told_apart(sampler, X, y, sampler.fit_resample(X, y))


def resample_all(
    sampler: Any,
    sets: Sequence[TrainingRows],
    targets: Sequence[dict[int, int]],
    random_states: Sequence[np.random.RandomState],
) -> list[Resampled | ValueError]:
    """Resample several training sets with a sampler that learns for all of them at once (``fit_resample_all``).

    Returns
    -------
    list
        For each set what `resample` returns, or the ValueError that it raises.
    """
    samplers = [_prepared(sampler, *each) for each in zip(targets, random_states, strict=True)]
    dense = [(rows.dense(), rows.y) for rows in sets]
    found: list[Resampled | ValueError] = []
    for prepared, (X, y), returned in zip(samplers, dense, sampler.fit_resample_all(samplers, dense), strict=True):
        if isinstance(returned, ValueError):
            found.append(returned)
            continue
        try:
            found.append(_told_apart(prepared, X, y, returned))
        except ValueError as error:
            found.append(error)
    return found


def interpolates(sampler: Any) -> bool:
    """Whether a sampler only adds up rows it was given, after a search for neighbours that can be handed to it.

    Of these very classes, not of what is derived from them: that may look at the numbers, too.
    """
    kind = type(sampler)
    if kind is RandomOverSampler:
        return sampler.shrinkage is None
    if kind is BorderlineSMOTE:
        return bool(sampler.kind == "borderline-1")  # the other has draws that imbalanced-learn makes for arrays only
    return kind in (SMOTE, ADASYN)


def _interpolated(sampler: Any, rows: TrainingRows) -> Resampled:
    """Let the sampler add up rows of the identity matrix; see `synaug.augmenter.rows`."""
    n = len(rows)
    sampler._validate_params()  # as fit_resample would, which gets to see other parameters
    for name in SEARCH_PARAMETERS:
        search = sampler.get_params(deep=False).get(name)
        if search is not None:
            sampler.set_params(**{name: _bound(search, rows)})
    weights, labels = sampler.fit_resample(rows.identity(), rows.y)
    synthetic = SyntheticRows.interpolated(weights[n:], rows.width)
    return Resampled(np.arange(n), synthetic, labels[n:].astype(np.int64), synthetic.between, list(_recalls(sampler)))


def _bound(search: Any, rows: TrainingRows) -> Any:
    if isinstance(search, Neighbours):
        return search.bound(rows)
    if isinstance(search, int | np.integer):
        return Neighbours(int(search) + 1).bound(rows)
    return OfEmbeddings(search, rows)


class OfEmbeddings:
    """A user's own neighbour search, handed the embeddings that rows of the identity matrix stand for."""

    def __init__(self, search: Any, rows: TrainingRows) -> None:
        self.search = search
        self.rows = rows

    def __sklearn_clone__(self) -> "OfEmbeddings":
        return OfEmbeddings(clone(self.search), self.rows)

    @property
    def n_neighbors(self) -> int:
        """The row itself included."""
        return int(self.search.n_neighbors)

    def fit(self, X: Any, y: Any = None) -> "OfEmbeddings":
        """As the search's own."""
        self.search.fit(self.rows.embeddings[self.rows.index[X.indices]])
        return self

    def kneighbors(self, X: Any, **options: Any) -> Any:
        """As the search's own."""
        return self.search.kneighbors(self.rows.embeddings[self.rows.index[X.indices]], **options)

    def kneighbors_graph(self, X: Any, **options: Any) -> Any:
        """As the search's own."""
        return self.search.kneighbors_graph(self.rows.embeddings[self.rows.index[X.indices]], **options)


def _recalls(sampler: Any) -> Iterator[dict[str, Any]]:
    for name in ("nn_", "nn_k_", "nn_m_"):
        recall = getattr(getattr(sampler, name, None), "recall_", None)
        if recall is not None:
            yield {"search": name.strip("_"), "neighbours": "approximate", "recall": recall}


def _told_apart(sampler: Any, X: FloatRows, y: Labels, returned: Any) -> Resampled:
    rows = np.asarray(returned[0], dtype=np.float32)
    labels = np.asarray(returned[1], dtype=np.int64)
    name = type(sampler).__name__
    if rows.ndim != 2 or rows.shape[1] != X.shape[1] or labels.shape != rows.shape[:1]:
        raise UserError(
            f"{name}.fit_resample returned rows {list(rows.shape)} and labels {list(labels.shape)}; "
            f"they must be [n, {X.shape[1]}] and [n]: mend the sampler"
        )
    unknown = np.setdiff1d(labels, y)
    if len(unknown):
        raise UserError(
            f"{name}.fit_resample returned the label {unknown[0]}, which no row given to it has: mend the sampler"
        )
    kept, new = _kept_and_new(X, y, rows, labels)
    if not np.isfinite(rows[new]).all():
        raise ValueError(f"{name} made rows that are not finite")
    parents = _stated_parents(sampler, new, len(rows))
    diagnostics = list(getattr(sampler, "diagnostics_", []))
    return Resampled(kept, SyntheticRows.made(rows[new]), labels[new], parents, diagnostics)


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
