"""The rows a sampler is given, and those it made, without copies of either.

A sampler of the SMOTE family adds up what it is given: a new row is `(1 - t) a + t b` of two rows. Handed the rows
of the identity matrix (and a search that knows which embeddings they stand for), imbalanced-learn's own code returns
just those weights, one sparse row each. So a million synthetic rows are a million pairs with a step, whatever the
width of the embeddings; the numbers are made where they are needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from synaug.augmenter.neighbours import NeighbourGraph

FloatRows = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class TrainingRows:
    """Some rows of a data set, by number.

    Attributes
    ----------
    embeddings
        float32 `[n, d]`, of the whole data set.
    labels
        int64 `[n]`, of the whole data set.
    index
        int64 `[r]`, ascending: which rows these are.
    graphs
        The data set's neighbours, by metric; shared by all of its training sets.
    """

    embeddings: FloatRows
    labels: Labels
    index: Labels
    graphs: dict[str, NeighbourGraph] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, X: FloatRows, y: Labels) -> TrainingRows:
        """A training set that is a data set of its own, `[n, d]` and `[n]`."""
        return cls(X, y, np.arange(len(X)))

    def __len__(self) -> int:
        return len(self.index)

    @property
    def width(self) -> int:
        """`d`."""
        return int(self.embeddings.shape[1])

    @property
    def y(self) -> Labels:
        """Their labels, int64 `[r]`."""
        return self.labels[self.index]

    def dense(self) -> FloatRows:
        """A copy of the rows, float32 `[r, d]`."""
        return self.embeddings[self.index]

    def identity(self) -> sparse.csr_matrix:
        """One row of the identity matrix for each row, float64 `[r, r]`."""
        return sparse.identity(len(self), format="csr")

    def graph(self, metric: str) -> NeighbourGraph:
        """The data set's neighbours."""
        if metric not in self.graphs:
            self.graphs[metric] = NeighbourGraph(self.embeddings, self.labels, metric)
        return self.graphs[metric]


@dataclass(frozen=True)
class ToAugment:
    """A training set to resample: its rows, the draws, and what messages call it, e.g. ``"seed 0 fold 2"``.

    An int for `random_state` would make imbalanced-learn's SMOTE repeat its draws from class to class.
    Several draws of one training set stand side by side, `replica` 0 first. `judged` are the rows of the data set that
    its model is judged by, int64 `[j]`: what all but repeats one of them must not train.
    """

    rows: TrainingRows
    random_state: np.random.RandomState
    where: str = ""
    replica: int = 0
    judged: Labels = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass(frozen=True)
class SyntheticRows:
    """Rows that a sampler made: interpolations by what they lie between, others as they are.

    Attributes
    ----------
    between
        int32 `[s, 2]`: places among the given rows; -1, -1 for a row that is no interpolation.
    step
        float32 `[s]`: 0 at the first of the two, 1 at the second.
    others
        float32 `[v, d]`: the rows that are no interpolation, in their order.
    """

    between: NDArray[np.int32]
    step: FloatRows
    others: FloatRows

    @classmethod
    def none(cls, width: int) -> SyntheticRows:
        """No row at all."""
        return cls(np.zeros((0, 2), np.int32), np.zeros(0, np.float32), np.zeros((0, width), np.float32))

    @classmethod
    def made(cls, rows: FloatRows) -> SyntheticRows:
        """Rows as they are, `[s, d]`."""
        return cls(np.full((len(rows), 2), -1, np.int32), np.zeros(len(rows), np.float32), rows)

    @classmethod
    def interpolated(cls, weights: Any, width: int) -> SyntheticRows:
        """Rows from their weights: a sparse matrix `[s, given rows]` with at most two in a row, which add up to 1."""
        weights = sparse.csr_matrix(weights)
        weights.sum_duplicates()
        weights.eliminate_zeros()
        counts = np.diff(weights.indptr)
        first = weights.indptr[:-1]
        last = weights.indptr[1:] - 1
        between = np.stack([weights.indices[first], weights.indices[last]], axis=1).astype(np.int32)
        step = np.where(counts == 2, weights.data[last], 0).astype(np.float32)
        return cls(between, step, np.zeros((0, width), np.float32))

    @classmethod
    def joined(cls, parts: Sequence[SyntheticRows]) -> SyntheticRows:
        """One after the other."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("between", "step", "others")))

    def __len__(self) -> int:
        return len(self.step)

    def where(self, mask: NDArray[np.bool_]) -> SyntheticRows:
        """Some of the rows, by a mask `[s]`."""
        return SyntheticRows(self.between[mask], self.step[mask], self.others[mask[self.is_other]])

    @property
    def is_other(self) -> NDArray[np.bool_]:
        """Which rows are no interpolation, `[s]`."""
        is_other: NDArray[np.bool_] = self.between[:, 0] < 0
        return is_other

    def copies(self, rows: TrainingRows) -> NDArray[np.bool_]:
        """Which of them are copies of the rows given to the sampler, and so no new points, `[s]`."""
        ends: NDArray[np.bool_] = (self.step == 0) | (self.step == 1) | (self.between[:, 0] == self.between[:, 1])
        if len(self.others):
            given = {row.tobytes() for row in rows.dense()}
            ends[self.is_other] = [row.tobytes() in given for row in self.others]
        return ends

    def values(self, rows: TrainingRows) -> FloatRows:
        """The rows themselves, float32 `[s, d]`, from those given to the sampler."""
        embeddings = np.empty((len(self), self.others.shape[1]), dtype=np.float32)
        is_other = self.is_other
        embeddings[is_other] = self.others
        first, second = rows.index[self.between[~is_other]].T
        embeddings[~is_other] = interpolate(rows.embeddings[first], rows.embeddings[second], self.step[~is_other, None])
        return embeddings


def interpolate(first: Any, second: Any, step: Any) -> Any:
    """`first + step (second - first)`, arrays or tensors; one rounding a step, so that both give the same bits."""
    return first + step * (second - first)
