"""Which real rows a synthetic row was made of, read off the geometry.

Samplers of the SMOTE family do not tell, but a row interpolated between two others lies on the
segment between them, and nothing else in hundreds of dimensions does.
"""

import numpy as np
from numpy.typing import NDArray

CHUNK_ROWS = 256
FIRST_CANDIDATES = 16
# 1 + cos of the angle between the directions to both parents: 0 on the segment itself, and about
# 1e-9 after rounding to float32.
ON_SEGMENT = 1e-4
SAME_ROW = 1e-6


def segment_parents(synthetic: NDArray[np.float32], real: NDArray[np.float32]) -> NDArray[np.int64]:
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
        on no segment (of a VAE, say).
    """
    found = np.full((len(synthetic), 2), -1, dtype=np.int64)
    rows = np.asarray(real, dtype=np.float64)
    gram = rows @ rows.T
    squares = np.diag(gram)
    for start in range(0, len(synthetic), CHUNK_ROWS):
        points = np.asarray(synthetic[start : start + CHUNK_ROWS], dtype=np.float64)
        dots = points @ rows.T
        own = (points**2).sum(1)
        distances = np.sqrt(np.maximum(own[:, None] + squares - 2 * dots, 0))
        scale = np.sqrt(own) + 1e-12
        nearest = distances.argmin(1)
        same = distances[np.arange(len(points)), nearest] <= SAME_ROW * scale
        found[start : start + len(points)][same] = nearest[same, None]
        left = np.flatnonzero(~same)
        candidates = min(FIRST_CANDIDATES, len(rows))
        while len(left) and candidates >= 2:
            pairs, on_segment = _best_pairs(gram, dots[left], own[left], distances[left], candidates)
            found[start + left[on_segment]] = pairs[on_segment]
            left = left[~on_segment]
            if candidates == len(rows) or candidates >= 4 * FIRST_CANDIDATES:
                break
            candidates = min(2 * candidates, len(rows))
    return found


def _best_pairs(
    gram: NDArray[np.float64],
    dots: NDArray[np.float64],
    own: NDArray[np.float64],
    distances: NDArray[np.float64],
    candidates: int,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Among each point's nearest rows, the pair that it lies between most nearly."""
    near = np.argpartition(distances, candidates - 1, axis=1)[:, :candidates]
    to_near = np.take_along_axis(distances, near, 1)
    near_dots = np.take_along_axis(dots, near, 1)
    inner = (
        gram[near[:, :, None], near[:, None, :]] - near_dots[:, :, None] - near_dots[:, None, :] + own[:, None, None]
    )
    cosine = inner / np.maximum(to_near[:, :, None] * to_near[:, None, :], 1e-300)
    flat = cosine.reshape(len(dots), -1)
    best = flat.argmin(1)
    each = np.arange(len(dots))
    pairs = np.stack([near[each, best // candidates], near[each, best % candidates]], axis=1)
    return pairs.astype(np.int64), flat[each, best] <= -1 + ON_SEGMENT
