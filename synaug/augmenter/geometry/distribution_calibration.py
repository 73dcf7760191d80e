"""Distribution calibration: Gaussians around the rows of a small class, with the statistics of larger ones nearby."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaug.augmenter.geometry.by_class import ByClass, Draw, GivenRows, Places, as_evenly_as_possible
from synaug.augmenter.geometry.spread import Rows, varies
from synaug.errors import TooFewRowsError

# A class of one row has no covariance to lend.
LEAST_BASE_ROWS = 2
# Share of the mean variance that is added where `alpha` is smaller.
ROUNDING = 1e-9


class DistributionCalibration(ByClass):
    """Over-sample from a Gaussian for each row of a class, calibrated by the nearest larger classes [1]_.

    The base classes of a class are those with more rows than it has. For a row x of the class let S be the k =
    `base_classes` of them (or as many as there are) whose means are nearest to x. New rows are draws of ::

        N(m, C),  m = (x + sum_S mean_i) / (k + 1),  C = sum_S cov_i / k + alpha v I

    with cov_i unbiased and v = tr(sum_S cov_i / k) / d. Each row of the class gives equally many, give or take one. A
    class of one row is served, which is what the method was made for.

    What differs from the paper, where base classes are other classes than those to be told apart, features come from
    a ReLU, and test rows are transformed, too:

    - **The mean.** With k = 2 a new row is two thirds base classes, and in a data set of two classes half majority.
      That is the paper's formula and the default; with `calibrate_mean` false, m is x, and only the spread is borrowed.
    - **Tukey's power**, x^`tukey`, makes the paper's non-negative features more Gaussian. Embeddings have both signs,
      so here it is sign(x) |x|^`tukey`, undone after drawing, because test rows stay as they are. At 1, the default,
      nothing is transformed; at the paper's 0.5, features around 0 become less Gaussian, not more.
    - **alpha** says how much wider C is than the base classes: it is a share of their mean variance, added on the
      diagonal to the features that are not constant. The authors' code adds a number to all entries of C, also off
      the diagonal, in units of features whose scale is that of their network.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        As in imbalanced-learn; a dict holds the total number of rows of each class.
    random_state : int, RandomState or None, default=None
        Source of every draw.
    base_classes : int, default=2
        k.
    alpha : float, default=0.21
        Additional spread.
    tukey : float above 0, default=1.0
        The power.
    calibrate_mean : bool, default=True
        Whether means are borrowed, too.

    Attributes
    ----------
    diagnostics_ : list of dict
        For each class added to: `class`, its `rows`, and `base`: for each base class, how many of these rows have it
        among their nearest.
    parents_ : ndarray of int64, shape [n_synthetic, 1]
        Index in `X` of x.

    Raises
    ------
    UserError
        If a parameter is out of range.
    TooFewRowsError
        From `fit_resample`: no class is larger than one to be added to.

    References
    ----------
    .. [1] Yang, Liu and Xu, "Free Lunch for Few-shot Learning: Distribution Calibration", ICLR 2021
       (arXiv 2101.06395), equations 3 to 6; code at github.com/ShuoYang-1998/Few_Shot_Distribution_Calibration.
    """

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        random_state: int | np.random.RandomState | None = None,
        base_classes: int = 2,
        alpha: float = 0.21,
        tukey: float = 1.0,
        calibrate_mean: bool = True,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy, random_state=random_state)
        self._require(base_classes=base_classes, alpha=alpha, tukey=tukey, calibrate_mean=calibrate_mean)
        self.base_classes = base_classes
        self.alpha = alpha
        self.tukey = tukey
        self.calibrate_mean = calibrate_mean

    def _given(self, X: Any, y: NDArray[Any]) -> GivenRows:
        return GivenRows(_power(X, self.tukey), y)

    def _new_rows(self, given: GivenRows, label: Any, n: int, draw: Draw) -> tuple[Rows, Places | None]:
        own = given.rows_of[label]
        least = max(len(own) + 1, LEAST_BASE_ROWS)
        base = [other for other, rows in given.rows_of.items() if len(rows) >= least]
        if not base:
            raise TooFewRowsError(
                f"no class has more rows than class {label}, but distribution calibration takes its statistics from "
                "larger classes: use augmenter=gaussian"
            )
        rows = given.of(label)
        means = np.stack([given.means[other] for other in base])
        nearest = self._nearest(rows, means)
        self.diagnostics_.append(
            {
                "class": np.asarray(label).item(),
                "rows": len(own),
                "base": {str(other): int((nearest == place).sum()) for place, other in enumerate(base)},
            }
        )
        of_row = as_evenly_as_possible(np.arange(len(own)), n, draw)
        centres = rows.astype(np.float64)
        if self.calibrate_mean:
            centres = (centres + means[nearest].sum(axis=1)) / (nearest.shape[1] + 1)
        made = centres.astype(rows.dtype)[of_row]
        # Rows with the same nearest base classes share a covariance.
        sets, of_set = np.unique(np.sort(nearest, axis=1), axis=0, return_inverse=True)
        for place, chosen in enumerate(sets):
            drawn = of_set[of_row] == place
            if drawn.any():
                made[drawn] += self._spread(given, [base[each] for each in chosen], int(drawn.sum()), draw)
        return _power(made, 1 / self.tukey), own[of_row][:, None]

    def _spread(self, given: GivenRows, base: list[Any], n: int, draw: Draw) -> Rows:
        """`n` draws of N(0, C) with the covariance that some base classes have together, `[n, d]`."""
        covariance = given.covariance_of(base[0]).copy()
        for each in base[1:]:
            covariance += given.covariance_of(each)
        covariance /= len(base)
        live = np.flatnonzero(varies(covariance.diagonal()))
        spread: Rows = np.zeros((n, len(covariance)), dtype=given.X.dtype)
        if len(live):
            covariance = covariance[np.ix_(live, live)]
            # Rows fewer than features leave directions without any spread, which have no Cholesky factor.
            added = max(self.alpha, ROUNDING) * covariance.diagonal().mean()
            triangle = np.linalg.cholesky(covariance + added * np.eye(len(live)))
            normal = draw.standard_normal(size=(n, len(live)))
            spread[:, live] = normal.astype(spread.dtype) @ triangle.T.astype(spread.dtype)
        return spread

    def _nearest(self, rows: Rows, means: NDArray[np.float64]) -> Places:
        """Places of the nearest means, `[n_c, k]`."""
        distances = (means**2).sum(axis=1) - 2 * rows @ means.T  # but for the row's own square
        nearest: Places = np.argsort(distances, axis=1, kind="stable")[:, : self.base_classes]
        return nearest


def _power(rows: Rows, power: float) -> Rows:
    """sign(x) |x|^power."""
    return rows if power == 1 else np.sign(rows) * np.abs(rows) ** power
