"""Multivariate Gaussian SMOTE: a Gaussian fitted to each row and its neighbours."""

from typing import Any

import numpy as np
from scipy import sparse

from synaug.augmenter.geometry.by_class import Draw, GivenRows, Places, WithNeighbours
from synaug.augmenter.geometry.spread import Rows


class MGS(WithNeighbours):
    """Over-sample from Gaussians, each fitted to a row of the class and its nearest neighbours in it [1]_.

    A central row is drawn at random. With x_0, …, x_K that row and its K = `k_neighbors` nearest of the class, the new
    row is a draw of N(m, C), where ::

        m = sum_j x_j / (K + 1),  C = sum_j (x_j - m) (x_j - m)' / (K + 1)

    It is drawn as m + sum_j w_j (x_j - m) / sqrt(K + 1) with w_j ~ N(0, 1), which has just that mean and covariance and
    needs no matrix `[d, d]`: the new rows lie in the flat through the K + 1 rows, around their mean, not only
    between two of them. With K = d + 1 or more, C has full rank; a minority seldom has so many rows. With K all other
    rows it is one Gaussian for the class, as of `Gaussian` with shrinkage 0.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        As in imbalanced-learn; a dict holds the total number of rows of each class.
    random_state : int, RandomState or None, default=None
        Source of every draw.
    k_neighbors : int or object, default=5
        Neighbours within the class, not counting the row itself; or, as in imbalanced-learn, an estimator with
        ``kneighbors``, which counts it.

    Attributes
    ----------
    parents_ : ndarray of int64, shape [n_synthetic, 1]
        Index in `X` of the central row.

    Raises
    ------
    UserError
        If `k_neighbors` is out of range.
    TooFewRowsError
        From `fit_resample`: a class to be added to has no more rows than neighbours.

    References
    ----------
    .. [1] Sakho, Malherbe and Scornet, "Do we need rebalancing strategies? A theoretical and empirical study around
       SMOTE and its variants", 2024 (arXiv 2402.03819), algorithm 2.
    """

    def _new_rows(self, given: GivenRows, label: Any, n: int, draw: Draw) -> tuple[Rows, Places | None]:
        own, rows, near = self._neighbours(given, label)
        size = near.shape[1]
        centre = draw.randint(len(own), size=n)
        normal = draw.standard_normal(size=(n, size))
        weights = 1 / size + (normal - normal.mean(axis=1, keepdims=True)) / np.sqrt(size)
        starts = np.arange(0, n * size + 1, size)
        of_rows = sparse.csr_matrix((weights.ravel(), near[centre].ravel(), starts), shape=(n, len(own)))
        return of_rows.astype(rows.dtype) @ rows, own[centre][:, None]
