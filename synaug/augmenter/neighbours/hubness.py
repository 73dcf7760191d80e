"""Hubness: whether a few rows are neighbours of very many others, as happens in many dimensions."""

import numpy as np
from numpy.typing import NDArray


def occurrences(neighbours: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each of `n` rows is among the `k` nearest of another, `[n]`; their mean is exactly `k`.

    Parameters
    ----------
    neighbours
        int64 `[n, k]`: places of each row's neighbours, the row itself not counted.
    """
    return np.bincount(neighbours.ravel(), minlength=len(neighbours))


def skewness(counts: NDArray[np.int64]) -> float:
    """Hubness: the skewness E(N − μ)³ / σ³ of the k-occurrences `[n]`; 0 where all are alike.

    References
    ----------
    Radovanović, Nanopoulos and Ivanović, "Hubs in space: popular nearest neighbors in high-dimensional data", Journal
    of Machine Learning Research 11, 2010, section 3.
    """
    centred = counts - counts.mean()
    spread = float((centred**2).mean())
    return float((centred**3).mean()) / spread**1.5 if spread > 0 else 0.0


def without_itself(neighbours: NDArray[np.int64]) -> NDArray[np.int64]:
    """Neighbours of each row `[n, k + 1]` without the row, or, where copies of it came first, without the last."""
    itself = neighbours == np.arange(len(neighbours))[:, None]
    itself[~itself.any(1), -1] = True
    others: NDArray[np.int64] = neighbours[~itself].reshape(len(neighbours), -1)
    return others
