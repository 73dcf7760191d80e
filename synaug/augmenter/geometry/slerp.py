"""Spherical interpolation: along the great circle from a row to a neighbour of its class."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaug.augmenter.geometry.by_class import ByClass, Draw, GivenRows, Places, nearest_in_class, require_rows
from synaug.augmenter.geometry.spread import Rows

# Sine of the angle below which two rows point the same way (or opposite ways), and define no great circle.
NO_ANGLE = 1e-7


class Slerp(ByClass):
    """Over-sample as SMOTE does, but along the sphere [1]_: for embeddings whose direction says all.

    A row `a` of the class is drawn at random, `b` among its `k_neighbors` nearest of the class, and t ~ U(0, 1). With
    theta the angle between them, the new row has ::

        direction  sin((1 - t) theta) / sin(theta) a/|a| + sin(t theta) / sin(theta) b/|b|
        length     (1 - t) |a| + t |b|

    Rows of length 1 give rows of length 1, where SMOTE's are shorter (by up to 1 - cos(theta / 2) in the middle);
    the direction moves at a constant rate. Where two rows point one way, or opposite ways, no great circle is defined, and
    the new row keeps the direction of `a`. A row of length 0 has none: the other's is taken.

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

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        random_state: int | np.random.RandomState | None = None,
        k_neighbors: Any = 5,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy, random_state=random_state)
        if not hasattr(k_neighbors, "kneighbors"):
            self._require(k_neighbors=k_neighbors)
        self.k_neighbors = k_neighbors

    def _new_rows(self, given: GivenRows, label: Any, n: int, draw: Draw) -> tuple[Rows, Places | None]:
        own = given.rows_of[label]
        require_rows(self, label, len(own))
        near = nearest_in_class(self.k_neighbors, given.of(label))
        first = draw.randint(len(own), size=n)
        second = near[first, draw.randint(1, near.shape[1], size=n)]
        rows = slerp(given.X[own[first]], given.X[own[second]], draw.uniform(size=n))
        return rows, np.stack([own[first], own[second]], axis=1)


def slerp(first: Rows, second: Rows, step: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows on the great circles from the first to the second, `[n, d]`; lengths are interpolated linearly.

    Parameters
    ----------
    first, second
        `[n, d]`.
    step
        `[n]`, from 0 to 1.
    """
    a, first_lengths = _directions(first)
    b, second_lengths = _directions(second)
    a, b = np.where(first_lengths > 0, a, b), np.where(second_lengths > 0, b, a)
    cosine = np.einsum("nd,nd->n", a, b)[:, None]
    # By the direction at right angles to the first, which stays exact where the angle is small.
    across = b - cosine * a
    sine = np.linalg.norm(across, axis=1, keepdims=True)
    angle = np.where(sine > NO_ANGLE, np.arctan2(sine, cosine), 0.0) * step[:, None]
    direction = np.cos(angle) * a + np.sin(angle) * across / np.maximum(sine, NO_ANGLE)
    lengths = (1 - step[:, None]) * first_lengths + step[:, None] * second_lengths
    rows: NDArray[np.float64] = lengths * direction
    return rows


def _directions(rows: Rows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    exact = rows.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    return exact / np.where(lengths > 0, lengths, 1), lengths
