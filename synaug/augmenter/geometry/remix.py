"""Remix: rows mixed from two classes, of which the smaller one is given the label."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from synaug.augmenter.geometry.by_class import Draw, GivenRows, Interpolating, Places
from synaug.errors import TooFewRowsError


class Remix(Interpolating):
    """Over-sample with the mixed rows that Remix gives to the smaller class [1]_.

    Remix mixes a row `a` of class i with a row `b` of class j, x = lam a + (1 - lam) b, lam ~ Beta(alpha, alpha), and
    gives `a`'s label the weight ::

        lam_y = 0     if n_i / n_j >= kappa      and lam < tau
                1     if n_i / n_j <= 1 / kappa  and 1 - lam < tau
                lam   otherwise

    A row that is added to a class has one label, so only the rows of the second line are made (the first is the same
    with the classes exchanged): `a` of the class that needs rows, `b` drawn among all rows of classes that
    have at least `kappa` times as many, lam from the part of the Beta distribution above 1 - `tau`. With the paper's
    `tau` 0.5 they lie on the minority's half of the segment; with a larger one, beyond the middle, too.

    A class of one row is served. A class is not served if no other class is `kappa` times as large.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        As in imbalanced-learn; a dict holds the total number of rows of each class.
    random_state : int, RandomState or None, default=None
        Source of every draw.
    alpha : float above 0, default=1.0
        Of the Beta distribution.
    kappa : float of at least 1, default=3.0
        How many times as many rows the other class must have.
    tau : float in (0, 1], default=0.5
        The other row's share stays below it.

    Attributes
    ----------
    parents_ : ndarray of int64, shape [n_synthetic, 2]
        Indices in `X` of the row of the class and of the row of the larger class.

    Raises
    ------
    UserError
        If a parameter is out of range.
    TooFewRowsError
        From `fit_resample`: no class has `kappa` times the rows of one to be added to.

    References
    ----------
    .. [1] Chou, Chang, Pan, Wei and Juan, "Remix: Rebalanced Mixup", ECCV 2020 workshops (arXiv 2007.03943),
       equation 4 and section 3.
    """

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        random_state: int | np.random.RandomState | None = None,
        alpha: float = 1.0,
        kappa: float = 3.0,
        tau: float = 0.5,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy, random_state=random_state)
        self._require(alpha=alpha, kappa=kappa, tau=tau)
        self.alpha = alpha
        self.kappa = kappa
        self.tau = tau

    def _between(self, given: GivenRows, label: Any, n: int, draw: Draw) -> tuple[Places, NDArray[np.float64]]:
        own = given.rows_of[label]
        larger = [
            rows for other, rows in given.rows_of.items() if other != label and len(rows) >= self.kappa * len(own)
        ]
        if not larger:
            raise TooFewRowsError(
                f"class {label} has {len(own)} row{'' if len(own) == 1 else 's'}, but Remix needs another class with "
                f"at least {self.kappa:g} times as many (augmenter.kappa): lower augmenter.kappa or use augmenter=mixup"
            )
        others = np.concatenate(larger)
        between = np.stack([own[draw.randint(len(own), size=n)], others[draw.randint(len(others), size=n)]], axis=1)
        # The step to the other row, 1 - lam, is distributed as lam: the part of the distribution below tau.
        below = special.betainc(self.alpha, self.alpha, self.tau)
        return between, special.betaincinv(self.alpha, self.alpha, below * draw.uniform(size=n))
