"""What each synthetic row of a training set was made of, and which real rows lie nearest to it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synaug.training.training_sets import TrainingData

Rows = NDArray[np.int64]
Numbers = NDArray[np.float64]

CHUNK_ROWS = 256  # of synthetic rows whose distances to all real rows are held at a time


@dataclass(frozen=True)
class Nearest:
    """The real rows nearest to some points, by Euclidean distance of embeddings.

    Attributes
    ----------
    rows
        int64 `[s, k]`, of the data set, the nearest first; equally near ones by number.
    distances
        float64 `[s, k]`.
    """

    rows: Rows
    distances: Numbers


@dataclass(frozen=True)
class Lineage:
    """The synthetic rows of one training set.

    Attributes
    ----------
    labels
        int64 `[s]`: of which class each was made.
    parents
        int64 `[s, 2]`, rows of the data set: both ends of what it lies between, the same twice for one parent, -1
        where there is none (a draw from a VAE's prior).
    step
        float64 `[s]`: where between both it lies: 0 at the first, 1 at the second, beyond either outside of these;
        NaN where it has not two parents.
    off
        float64 `[s]`: how far it lies from the line through both, over their distance: 0 for an interpolation. NaN as
        `step`; of one parent the distance from it, in embedding units, is `moved`.
    moved
        float64 `[s]`: distance from the only parent; NaN where it has not just one.
    nearest
        Among the real rows that the sampler was given.
    held_back
        Among the real rows that the imbalance ratio took away; no column where there are none.
    besides
        int64 `[s]`: of the real rows that the sampler was given, the nearest that is no parent; -1 where all are. An
        interpolation lies near its parents wherever it lies, so this row tells in whose region that is.
    """

    labels: Rows
    parents: Rows
    step: Numbers
    off: Numbers
    moved: Numbers
    nearest: Nearest
    held_back: Nearest
    besides: Rows

    def __len__(self) -> int:
        return len(self.labels)

    def of_another_class(self, labels: Rows, *, besides: bool = False) -> NDArray[np.bool_]:
        """Whether the nearest real row that trains is of another class, `[s]`.

        Parameters
        ----------
        labels
            int64 `[n]`, of the data set.
        besides
            The nearest that is no parent; False where all are.
        """
        rows = self.besides if besides else self.nearest.rows[:, 0]
        another: NDArray[np.bool_] = (rows >= 0) & (labels[rows] != self.labels)
        return another


def lineage(data: TrainingData, place: int, k: int = 5) -> Lineage:
    """Look into the synthetic rows of a training set.

    Parameters
    ----------
    data, place
        The training set is the one at `place`.
    k
        How many of the nearest real rows are named.
    """
    training_set = data.training_sets[place]
    points = training_set.augmented.synthetic_embeddings
    parents = data.parents(place)
    step, off, moved = _positions(points, training_set.embeddings, parents)
    made = training_set.augmented.synthetic
    told = ~made.is_other & (parents[:, 0] != parents[:, 1])
    step[told], off[told] = made.step[told], 0.0  # as it was drawn, without rounding
    near = nearest(points, training_set.embeddings, training_set.rows, max(k, parents.shape[1] + 1))
    return Lineage(
        training_set.augmented.labels,
        parents,
        step,
        off,
        moved,
        Nearest(near.rows[:, :k], near.distances[:, :k]),
        nearest(points, training_set.embeddings, training_set.split.held_back, k),
        _besides(near.rows, parents),
    )


def nearest(points: NDArray[np.float32], embeddings: NDArray[np.float32], among: Rows, k: int) -> Nearest:
    """The `k` nearest of some rows of a data set to each point, or all of them where there are fewer.

    Parameters
    ----------
    points
        float32 `[s, d]`.
    embeddings
        float32 `[n, d]`, of the data set.
    among
        int64 `[r]`, ascending: rows of it.
    """
    k = min(k, len(among))
    rows, distances = np.empty((len(points), k), np.int64), np.empty((len(points), k))
    real = embeddings[among].astype(np.float64)
    squares = (real**2).sum(1)
    for start in range(0, len(points), CHUNK_ROWS):
        some = points[start : start + CHUNK_ROWS].astype(np.float64)
        apart = (some**2).sum(1)[:, None] + squares - 2 * some @ real.T
        order = np.argsort(apart, axis=1, kind="stable")[:, :k]
        # Of these few anew: a difference of large squares says little of a small distance.
        exact = np.linalg.norm(real[order] - some[:, None], axis=2)
        again = np.argsort(exact, axis=1, kind="stable")
        order, exact = np.take_along_axis(order, again, 1), np.take_along_axis(exact, again, 1)
        rows[start : start + CHUNK_ROWS] = among[order]
        distances[start : start + CHUNK_ROWS] = exact
    return Nearest(rows, distances)


def uses(parents: Rows) -> list[tuple[int, int]]:
    """How many synthetic rows each real row is a parent of, the most used first: `(row, count)`."""
    first = parents[:, 0]
    second = parents[:, 1][parents[:, 1] != first]  # who is both parents of a row made it once
    rows, counts = np.unique(np.concatenate([first[first >= 0], second[second >= 0]]), return_counts=True)
    order = np.lexsort((rows, -counts))
    return list(zip(rows[order].tolist(), counts[order].tolist(), strict=True))


def _besides(near: Rows, parents: Rows) -> Rows:
    """The first of each row of `near` `[s, k]` that is no parent `[s, 2]`; -1 where all are."""
    is_other = (near[:, :, None] != parents[:, None]).all(2)
    first = is_other.argmax(1)
    places = np.arange(len(near))
    return np.where(is_other[places, first], near[places, first], -1)


def _positions(
    points: NDArray[np.float32], embeddings: NDArray[np.float32], parents: Rows
) -> tuple[Numbers, Numbers, Numbers]:
    """`Lineage.step`, `off` and `moved`, read off the geometry."""
    step, off, moved = (np.full(len(points), np.nan) for _ in range(3))
    first, second = parents.T
    single = (first >= 0) & (first == second)
    moved[single] = np.linalg.norm(points[single].astype(np.float64) - embeddings[first[single]], axis=1)
    pair = np.flatnonzero((first >= 0) & (second >= 0) & (first != second))
    at = embeddings[first[pair]].astype(np.float64)
    along = embeddings[second[pair]] - at
    length = np.linalg.norm(along, axis=1)
    apart = np.maximum(length, np.finfo(np.float64).tiny)  # of parents that are equal rows, step and off are 0
    offset = points[pair] - at
    step[pair] = (offset * along).sum(1) / apart**2
    off[pair] = np.linalg.norm(offset - step[pair, None] * along, axis=1) / apart
    return step, off, moved
