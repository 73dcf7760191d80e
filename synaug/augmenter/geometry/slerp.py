"""Spherical interpolation: along the great circle from a row to a neighbour of its class."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaug.augmenter.geometry.by_class import Draw, GivenRows, Places, WithNeighbours
from synaug.augmenter.geometry.spread import Rows

# Sine of the angle below which two rows point the same way (or opposite ways), as far as float32 tells.
NO_ANGLE = 1e-6


class Slerp(WithNeighbours):
    """Over-sample as SMOTE does, but along the sphere [1]_: for embeddings whose direction says all.

    A row `a` of the class is drawn at random, `b` among its `k_neighbors` nearest of the class, and t ~ U(0, 1). With
    theta the angle between them, the new row has ::

        direction  sin((1 - t) theta) / sin(theta) a/|a| + sin(t theta) / sin(theta) b/|b|
        length     (1 - t) |a| + t |b|

    Rows of length 1 give rows of length 1, where SMOTE's are shorter (by up to 1 - cos(theta / 2) in the middle);
    the direction moves at a constant rate. Two rows that point one way, or opposite ways, define no great circle: the
    new row has the direction of `a`. A row of length 0 has no direction: the other's is taken.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        As in imbalanced-learn; a dict holds the total number of rows of each class.
    random_state : int, RandomState or None, default=None
        Source of every draw.
    k_neighbors : int or object, default=5
        Neighbours within the class, not counting the row itself; or, as in imbalanced-learn, an estimator with
        ``kneighbors``, which counts it. (Of rows of length 1 the nearest by the angle are the nearest.)

    Attributes
    ----------
    parents_ : ndarray of int64, shape [n_synthetic, 2]
        Indices in `X` of `a` and `b`.

    Raises
    ------
    UserError
        If `k_neighbors` is out of range.
    TooFewRowsError
        From `fit_resample`: a class to be added to has no more rows than neighbours.

    References
    ----------
    .. [1] Shoemake, "Animating rotation with quaternion curves", SIGGRAPH 1985.
    """

    def _new_rows(self, given: GivenRows, label: Any, n: int, draw: Draw) -> tuple[Rows, Places | None]:
        own, rows, near = self._neighbours(given, label)
        first = draw.randint(len(own), size=n)
        second = near[first, draw.randint(1, near.shape[1], size=n)]
        return slerp(rows[first], rows[second], draw.uniform(size=n)), np.stack([own[first], own[second]], axis=1)


def slerp(first: Rows, second: Rows, step: NDArray[np.float64]) -> Rows:
    """Rows on the great circles from the first to the second, `[n, d]`; lengths are interpolated linearly.

    Parameters
    ----------
    first, second
        `[n, d]`.
    step
        `[n]`, from 0 to 1.
    """
    squares = [_products(rows, rows) for rows in (first, second)]
    lengths = np.sqrt(squares)
    inverse = 1 / np.where(lengths > 0, lengths, 1)
    cosine = _products(first, second) * inverse[0] * inverse[1]
    sine = np.sqrt(np.maximum(1 - cosine**2, 0))
    angle = np.arctan2(sine, cosine)
    # Of the two directions; on no great circle, the first's alone, or the only one that there is.
    has_circle = (sine > NO_ANGLE) & (lengths > 0).all(axis=0)
    shares = np.sin([(1 - step) * angle, step * angle]) / np.where(has_circle, sine, 1)
    shares = np.where(has_circle, shares, [lengths[0] > 0, lengths[0] == 0])
    length = (1 - step) * lengths[0] + step * lengths[1]
    weights = (length * shares * inverse).astype(first.dtype)
    rows: Rows = weights[0][:, None] * first
    rows += weights[1][:, None] * second
    return rows


def _products(first: Rows, second: Rows) -> NDArray[np.float64]:
    """Row by row, `[n]`."""
    products: NDArray[np.float64] = np.einsum("nd,nd->n", first, second, dtype=np.float64)
    return products
