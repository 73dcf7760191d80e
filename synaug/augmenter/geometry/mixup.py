"""Mixup within a class: between any two of its rows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaug.augmenter.geometry.by_class import Draw, GivenRows, Interpolating, Places, require_rows


class Mixup(Interpolating):
    """Over-sample between any two rows of a class, wherever they lie [1]_.

    ::

        x = lam a + (1 - lam) b,  lam ~ Beta(alpha, alpha)

    for two different rows `a` and `b` of the class, drawn at random. Mixup mixes rows of all classes and their labels
    alike; a row that is added to a class has one label, so here both are of that class. With S the covariance of the
    class's n rows (divided by n), that of the new ones is ::

        (c - (1 - c) / (n - 1)) S,  c = (alpha + 1) / (2 alpha + 1)

    (2/3 S for `alpha` 1 and many rows, as of SMOTE with all rows as neighbours, which is the same; near S for a small
    `alpha`, which makes near copies; 1/2 S for a large one, which makes middles).

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        As in imbalanced-learn; a dict holds the total number of rows of each class.
    random_state : int, RandomState or None, default=None
        Source of every draw.
    alpha : float above 0, default=1.0
        Of the Beta distribution.

    Attributes
    ----------
    parents_ : ndarray of int64, shape [n_synthetic, 2]
        Indices in `X` of `a` and `b`.

    Raises
    ------
    UserError
        If `alpha` is out of range.
    TooFewRowsError
        From `fit_resample`: a class to be added to with one row.

    References
    ----------
    .. [1] Zhang, Cisse, Dauphin and Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", ICLR 2018
       (arXiv 1710.09412).
    """

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        random_state: int | np.random.RandomState | None = None,
        alpha: float = 1.0,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy, random_state=random_state)
        self._require(alpha=alpha)
        self.alpha = alpha

    def _between(self, given: GivenRows, label: Any, n: int, draw: Draw) -> tuple[Places, NDArray[np.float64]]:
        own = given.rows_of[label]
        require_rows(self, label, len(own))
        first = draw.randint(len(own), size=n)
        second = (first + draw.randint(1, len(own), size=n)) % len(own)
        return np.stack([own[first], own[second]], axis=1), draw.beta(self.alpha, self.alpha, size=n)
