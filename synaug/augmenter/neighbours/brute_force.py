"""Exact nearest neighbours by brute force, near the speed of the machine's matrix products.

The distances come from one product in float32, where a library that wants them exact to the last bit takes
two to four times as long. What rounding may have swapped is settled in float64 afterwards, so that the neighbours
depend neither on the block a query was searched in nor on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

METRICS = ("euclidean", "cosine")
# Rows of a block of the data: enough for the product to run at full speed, little beside the data set.
BLOCK_ROWS = 16384
# Queries multiplied by a block at a time: few enough that their scores stay in the caches until the best are taken.
QUERY_ROWS = 256
# Rows of a group when the best scores are taken. Groups pay off only if there are LEAST_GROUPS for each of the best.
GROUP_ROWS = 16
LEAST_GROUPS = 8
# Pairs whose distances are taken in float64 at a time.
SETTLED_PAIRS = 4096
# Share of the squared lengths that float32 rounding of a squared distance stays below, in some hundred dimensions.
NEAR_TIE = 4e-6
# Extra neighbours to search for, so that a tie at the last place is settled as well.
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
    neighbour_distances = np.full((len(queries), k), np.inf)
    neighbours = np.full((len(queries), k), -1, dtype=np.int64)
    for start in range(0, len(queries), BLOCK_ROWS):
        block = queries[start : start + BLOCK_ROWS]
        points = transformed(take(block), metric)
        distances, ids = _search(points, take, base, searched, metric)
        itself = ids == block[:, None]
        distances[itself], ids[itself] = np.inf, -1
        settle(distances, ids, points, take, metric)
        width = min(k, searched)
        neighbour_distances[start : start + BLOCK_ROWS, :width] = distances[:, :width]
        neighbours[start : start + BLOCK_ROWS, :width] = ids[:, :width]
    neighbours[np.isinf(neighbour_distances)] = -1
    return neighbour_distances, neighbours


def _search(points: Rows, take: Callable[[Ids], Rows], base: Ids, k: int, metric: str) -> tuple[Distances, Ids]:
    """The `k` nearest by float32 distances, block by block of the base; each `[q, k]`, ascending."""
    best = np.full((len(points), 0), -np.inf, dtype=np.float32)
    ids = np.zeros((len(points), 0), dtype=np.int64)
    for numbers in _blocks(base):
        scored = _scoring(transformed(take(numbers), metric))
        scores, places = _best(points, scored, min(k, len(numbers)))
        joined_scores, candidates = np.hstack([best, scores]), np.hstack([ids, numbers[places]])
        order = np.argsort(-joined_scores, axis=1, kind="stable")[:, :k]
        best, ids = np.take_along_axis(joined_scores, order, 1), np.take_along_axis(candidates, order, 1)
    lengths = np.einsum("qd,qd->q", points, points, dtype=np.float64)
    return np.maximum(lengths[:, None] - 2 * best.astype(np.float64), 0), ids


def _blocks(base: Ids) -> Iterator[Ids]:
    for start in range(0, len(base), BLOCK_ROWS):
        yield base[start : start + BLOCK_ROWS]


def _scoring(rows: Rows) -> Callable[[torch.Tensor], torch.Tensor]:
    """What scores points `[p, d]` by these rows, `[p, r]`: ``x·y - |y|²/2``, which is highest where |x-y| is least.

    To the next whole group there are more, whose scores are -infinity.
    """
    import torch  # imported here, as comparing records and --help need no torch

    from synaug.encoder.onednn import linear

    n_more = -len(rows) % GROUP_ROWS
    bias = np.concatenate([-np.einsum("rd,rd->r", rows, rows) / 2, np.full(n_more, -np.inf, dtype=np.float32)])
    rows = np.pad(rows, ((0, n_more), (0, 0))) if n_more else rows
    with torch.inference_mode():
        return linear(torch.from_numpy(rows), torch.from_numpy(bias), QUERY_ROWS)


def _best(points: Rows, scored: Callable[[torch.Tensor], torch.Tensor], k: int) -> tuple[Rows, Ids]:
    """Of each point the `k` highest scores and their places, in no order."""
    import torch

    # Made beforehand: small results in the gaps between large ones would keep the allocator from giving memory back.
    scores, places = np.empty((len(points), k), np.float32), np.empty((len(points), k), np.int64)
    with torch.inference_mode():
        for start in range(0, len(points), QUERY_ROWS):
            part = slice(start, start + QUERY_ROWS)
            best = _highest(scored(torch.from_numpy(points[part])), k)
            scores[part], places[part] = best[0].numpy(), best[1].numpy()
    return scores, places


def _highest(scores: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """`torch.topk`, unsorted, but quicker: the `k` highest of a row stand in the `k` groups of highest maxima."""
    n_groups = scores.shape[1] // GROUP_ROWS
    if n_groups < LEAST_GROUPS * k:
        best: tuple[torch.Tensor, torch.Tensor] = scores.topk(k, dim=1, sorted=False)
        return best
    groups = scores.view(len(scores), GROUP_ROWS, n_groups)  # a group: every n_groups-th, so that maxima are of rows
    highest = groups.amax(1).topk(k, dim=1, sorted=False).indices
    candidates = groups.gather(2, highest[:, None, :].expand(-1, GROUP_ROWS, -1)).flatten(1)
    values, at = candidates.topk(k, dim=1, sorted=False)
    return values, at // k * n_groups + highest.gather(1, at % k)


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
    for start in range(0, len(rows), SETTLED_PAIRS):
        part = slice(start, start + SETTLED_PAIRS)
        others = transformed(take(ids[rows[part], columns[part]]), metric)
        difference = points[rows[part]].astype(np.float64) - others
        distances[rows[part], columns[part]] = np.einsum("qd,qd->q", difference, difference)
    changed = np.flatnonzero(doubtful.any(axis=1))
    order = np.lexsort((ids[changed], distances[changed]), axis=1)
    distances[changed] = np.take_along_axis(distances[changed], order, 1)
    ids[changed] = np.take_along_axis(ids[changed], order, 1)
