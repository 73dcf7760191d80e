"""One Gaussian for each class, its covariance shrunk."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf_shrinkage

from synaug.augmenter.geometry.by_class import ByClass, Draw, GivenRows, Places, require_rows
from synaug.augmenter.geometry.spread import Rows, draws, factor, varies


class Gaussian(ByClass):
    """Over-sample from one Gaussian a class, whose covariance is shrunk towards a sphere.

    With m and S the mean and covariance (divided by n) of the class's n rows, new rows are draws of ::

        N(m, (1 - s) S + s v I),  v = tr(S) / d

    over the `d` features that are not constant in the class; constant ones keep their value. A minority has fewer rows
    than features, so S alone (s = 0) has spread in n - 1 directions only, and with s = 1 nothing is left of the class's
    shape. s is the estimate of [1]_ or of [2]_, by scikit-learn's formulas, or a number. [2]_ does not suit few rows:
    for two it is always 0, because both lie on one line through their mean. [1]_, the default, is larger the fewer rows
    there are. Whatever s is, the trace of the covariance is that of S.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        As in imbalanced-learn; a dict holds the total number of rows of each class.
    random_state : int, RandomState or None, default=None
        Source of every draw.
    shrinkage : {"oas", "ledoit_wolf"} or float in [0, 1], default="oas"
        s, or how it is estimated.

    Attributes
    ----------
    diagnostics_ : list of dict
        For each class added to: `class`, its `rows`, and `shrinkage`, the s that was used.
    parents_ : None
        A row is made of all rows of its class.

    Raises
    ------
    UserError
        If `shrinkage` is out of range.
    TooFewRowsError
        From `fit_resample`: a class to be added to with one row, which has no spread.

    References
    ----------
    .. [1] Chen, Wiesel, Eldar and Hero, "Shrinkage Algorithms for MMSE Covariance Estimation", IEEE Transactions on
       Signal Processing 58(10), 2010, equation 23; as in scikit-learn without its terms with 2/d.
    .. [2] Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", Journal of
       Multivariate Analysis 88(2), 2004.
    """

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        random_state: int | np.random.RandomState | None = None,
        shrinkage: float | str = "oas",
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy, random_state=random_state)
        self._require(shrinkage=shrinkage)
        self.shrinkage = shrinkage

    def _new_rows(self, given: GivenRows, label: Any, n: int, draw: Draw) -> tuple[Rows, Places | None]:
        rows = given.of(label)
        require_rows(self, label, len(rows))
        variances = rows.var(axis=0, dtype=np.float64)
        live = varies(variances)
        shrinkage = self._shrinkage(rows[:, live].astype(np.float64))
        self.diagnostics_.append({"class": np.asarray(label).item(), "rows": len(rows), "shrinkage": shrinkage})
        made = draws(factor(rows, len(rows)) * np.sqrt(1 - shrinkage, dtype=rows.dtype), n, draw)
        made += given.means[label].astype(rows.dtype)
        if shrinkage > 0 and live.any():
            normal = draw.standard_normal(size=(n, len(live))) * np.sqrt(shrinkage * variances[live].mean())
            made += np.where(live, normal, 0).astype(rows.dtype)
        return made, None

    def _shrinkage(self, rows: NDArray[np.float64]) -> float:
        if not isinstance(self.shrinkage, str):
            return float(self.shrinkage)
        if rows.shape[1] == 0:
            return 0.0
        return oas_shrinkage(rows) if self.shrinkage == "oas" else float(ledoit_wolf_shrinkage(rows))


def oas_shrinkage(rows: NDArray[np.float64]) -> float:
    """As `sklearn.covariance.oas` finds it, from the smaller of both products of the centred rows `[n, d]`."""
    n, d = rows.shape
    centred = rows - rows.mean(axis=0)
    product = (centred @ centred.T if n <= d else centred.T @ centred) / n
    mean_square = (product**2).sum() / d**2
    mean_variance = np.trace(product) / d
    excess = (n + 1) * (mean_square - mean_variance**2 / d)
    return 1.0 if excess <= 0 else float(min((mean_square + mean_variance**2) / excess, 1.0))
