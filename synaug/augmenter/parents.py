"""Which real rows a synthetic row was made of, read off the geometry.

Samplers of the SMOTE family do not tell, but a row interpolated between two others lies on the
segment between them, and nothing else in hundreds of dimensions does.
"""

import numpy as np
from numpy.typing import NDArray

CHUNK_ROWS = 64
# One parent at least is as near as that. The other may be any row: rows of a small class that lie
# wide apart have hundreds of others between them.
NEAREST = 16
# 1 + cos of the angle between the directions to both parents: 0 on the segment itself, and about
# 1e-9 after rounding to float32.
ON_SEGMENT = 1e-4
SAME_ROW = 1e-6

Rows = NDArray[np.float64]
Indices = NDArray[np.int64]


def segment_parents(synthetic: NDArray[np.float32], real: NDArray[np.float32]) -> Indices:
    """Find the two real rows between which each synthetic row lies.

    Parameters
    ----------
    synthetic
        `[s, d]`.
    real
        `[n, d]`, the rows that the sampler was given.

    Returns
    -------
    ndarray
        int64 `[s, 2]`, indices into `real`; twice the same for a repeated row, and −1, −1 for a row
        on no segment (of a VAE, say, or beyond its parent, where SVMSMOTE extrapolates) or with
        more than 15 others between it and both its parents. Of parents that are equal rows, one is named.
    """
    parents = np.full((len(synthetic), 2), -1, dtype=np.int64)
    rows = np.asarray(real, dtype=np.float64)
    for start in range(0, len(synthetic), CHUNK_ROWS):
        points = np.asarray(synthetic[start : start + CHUNK_ROWS], dtype=np.float64)
        parents[start : start + CHUNK_ROWS] = _parents(points, rows)
    return parents


def _parents(points: Rows, rows: Rows) -> Indices:
    point_squares, row_squares = (points**2).sum(1), (rows**2).sum(1)
    distances = np.sqrt(np.maximum(point_squares[:, None] + row_squares - 2 * points @ rows.T, 0))
    parents = np.full((len(points), 2), -1, dtype=np.int64)
    nearest = distances.argmin(1)
    same = distances[np.arange(len(points)), nearest] <= SAME_ROW * np.sqrt(point_squares)
    parents[same] = nearest[same, None]
    left = np.flatnonzero(~same)
    near = np.argsort(distances, axis=1)[:, :NEAREST]
    for everywhere in (False, True):
        if not len(left) or len(rows) < 2:
            break
        second = None if everywhere else near[left]
        pairs, on_segment = _most_opposite(points[left], rows, distances[left], near[left], second)
        parents[left[on_segment]] = pairs[on_segment]
        left = left[~on_segment]
    return parents


def _most_opposite(
    points: Rows, rows: Rows, distances: Rows, first: Indices, second: Indices | None
) -> tuple[Indices, NDArray[np.bool_]]:
    """Of `first` `[p, c]` and `second` `[p, k]` (None: all rows), the pair that each point lies between most nearly."""
    p, c = first.shape
    to_first = rows[first] - points[:, None]
    unit = to_first / np.linalg.norm(to_first, axis=2, keepdims=True)
    if second is None:
        along = (unit.reshape(p * c, -1) @ rows.T).reshape(p, c, -1)
    else:
        along = unit @ rows[second].swapaxes(1, 2)
        distances = np.take_along_axis(distances, second, 1)
    cosine = ((along - unit @ points[:, :, None]) / distances[:, None]).reshape(p, -1)
    best = cosine.argmin(1)
    nearer, farther = np.divmod(best, distances.shape[1])
    places = np.arange(p)
    pairs = np.stack([first[places, nearer], farther if second is None else second[places, farther]], axis=1)
    return pairs, cosine[places, best] <= -1 + ON_SEGMENT
