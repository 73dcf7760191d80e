"""Exact nearest neighbours by brute force, near the speed of the machine's matrix products.

The distances come from one product in float32 (faiss), where a library that wants them exact to the last bit takes
two to four times as long. What rounding may have swapped is settled in float64 afterwards, so that the neighbours
depend neither on the block a query was searched in nor on the number of threads.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

METRICS = ("euclidean", "cosine")
# Rows of a block of the data: enough for the product to run at full speed, little beside the data set.
BLOCK_ROWS = 16384
# Of the squared lengths: float32 rounding of a squared distance over some hundred dimensions stays below it.
NEAR_TIE = 4e-6
# Spare neighbours that are searched for, so that a tie across the last place is settled, too.
SPARE = 2

Rows = NDArray[np.float32]
Ids = NDArray[np.int64]
Distances = NDArray[np.float64]


def transformed(rows: Rows, metric: str) -> Rows:
    """Rows whose Euclidean distances order neighbours as `metric` does (cosine: scaled to length 1)."""
    rows = np.ascontiguousarray(rows, dtype=np.float32)
    if metric == "euclidean":
        return rows
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Rows = (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return scaled


def nearest(
    take: Callable[[Ids], Rows], queries: Ids, base: Ids, k: int, metric: str = "euclidean"
) -> tuple[Distances, Ids]:
    """The `k` rows of `base` nearest to each query.

    Parameters
    ----------
    take
        Gives the rows of a data set of these numbers, float32 `[r, d]`.
    queries, base
        Numbers of rows, `[q]` and `[b]`. A query that stands in `base` is not its own neighbour.
    k
        At most `b`; where fewer rows than that are left, the last places hold -1 and infinity.
    metric
        ``euclidean``, or ``cosine`` (distances are then Euclidean ones of rows scaled to length 1).

    Returns
    -------
    distances : ndarray
        Squared, float64 `[q, k]`, ascending.
    neighbours : ndarray
        int64 `[q, k]`, numbers of rows; of equal distances the lower number first.
    """
    searched = min(k + 1 + SPARE, len(base))  # one more: the query itself
    found_distances = np.full((len(queries), k), np.inf)
    found = np.full((len(queries), k), -1, dtype=np.int64)
    for start in range(0, len(queries), BLOCK_ROWS):
        block = queries[start : start + BLOCK_ROWS]
        points = transformed(take(block), metric)
        distances, ids = _search(points, take, base, searched, metric)
        itself = ids == block[:, None]
        distances[itself], ids[itself] = np.inf, -1
        settle(distances, ids, points, take, metric)
        width = min(k, searched)
        found_distances[start : start + BLOCK_ROWS, :width] = distances[:, :width]
        found[start : start + BLOCK_ROWS, :width] = ids[:, :width]
    found[np.isinf(found_distances)] = -1
    return found_distances, found


def _search(points: Rows, take: Callable[[Ids], Rows], base: Ids, k: int, metric: str) -> tuple[Distances, Ids]:
    """The `k` nearest by float32 distances, block by block of the base; each `[q, k]`, ascending."""
    best = np.full((len(points), 0), np.inf, dtype=np.float32)
    ids = np.zeros((len(points), 0), dtype=np.int64)
    for numbers in _blocks(base):
        distances, places = _faiss_knn(points, transformed(take(numbers), metric), min(k, len(numbers)))
        if not best.shape[1]:
            best, ids = distances, numbers[places]
            continue
        distances, joined = np.hstack([best, distances]), np.hstack([ids, numbers[places]])
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        best, ids = np.take_along_axis(distances, order, 1), np.take_along_axis(joined, order, 1)
    return best.astype(np.float64), ids


def _blocks(base: Ids) -> Iterator[Ids]:
    for start in range(0, len(base), BLOCK_ROWS):
        yield base[start : start + BLOCK_ROWS]


def _faiss_knn(points: Rows, rows: Rows, k: int) -> tuple[Rows, Ids]:
    import faiss  # here: what compares records, and --help, need none of it
    import torch

    faiss.omp_set_num_threads(torch.get_num_threads())
    distances, places = faiss.knn(points, rows, k)
    return distances, places


def settle(distances: Distances, ids: Ids, points: Rows, take: Callable[[Ids], Rows], metric: str) -> None:
    """Order neighbours; what lies closer together than rounding can tell, by float64 distances, then by number.

    Parameters
    ----------
    distances, ids
        Squared, float64 `[q, k]`, and int64 `[q, k]`; changed in place. -1 with infinity where there is none.
    points
        The queries, `transformed`, float32 `[q, d]`.
    take, metric
        As in `nearest`.
    """
    order = np.argsort(distances, axis=1, kind="stable")
    distances[:], ids[:] = np.take_along_axis(distances, order, 1), np.take_along_axis(ids, order, 1)
    lengths = np.einsum("qd,qd->q", points, points, dtype=np.float64)
    # A neighbour's length is at most the query's and the distance between them.
    largest = np.where(np.isfinite(distances), distances, 0).max(1, initial=0)
    tolerance = NEAR_TIE * (lengths + (np.sqrt(lengths) + np.sqrt(largest)) ** 2)
    with np.errstate(invalid="ignore"):  # infinity less infinity
        close = np.diff(distances, axis=1) <= tolerance[:, None]
    doubtful = np.zeros(distances.shape, dtype=bool)
    doubtful[:, 1:] |= close
    doubtful[:, :-1] |= close
    doubtful &= ids >= 0
    rows, columns = np.nonzero(doubtful)
    for start in range(0, len(rows), BLOCK_ROWS):
        part = slice(start, start + BLOCK_ROWS)
        others = transformed(take(ids[rows[part], columns[part]]), metric)
        difference = points[rows[part]].astype(np.float64) - others
        distances[rows[part], columns[part]] = np.einsum("qd,qd->q", difference, difference)
    changed = np.unique(rows)
    order = np.lexsort((ids[changed], distances[changed]), axis=1)
    distances[changed] = np.take_along_axis(distances[changed], order, 1)
    ids[changed] = np.take_along_axis(ids[changed], order, 1)
