"""Good-enough example extrapolation: the spread of other classes, moved to the class that needs rows."""

import numpy as np

from synaug.augmenter.geometry.by_class import ByClass, Draw, GivenRows, Places, as_evenly_as_possible
from synaug.augmenter.geometry.spread import Rows
from synaug.errors import TooFewRowsError

# A class of one row is its own mean, and has no spread to lend.
LEAST_SOURCE_ROWS = 2


class GE3(ByClass):
    """Over-sample with rows of other classes, moved by the difference of the means [1]_.

    A row `x` of another class `s` becomes a row of class `c` by ::

        x - mean(s) + mean(c)

    so the centred source rows are kept as they are, and the new rows assume that classes differ in their means alone.
    There is nothing to set.

    The paper extrapolates every row of every other class once. Here as many are drawn as are asked for, at random among
    all rows of all other classes that have two rows or more, and none a second time before each was taken once (with
    `augmenter.amount` up to 1 none is taken twice). A class of one row is served: it is then its own mean.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        As in imbalanced-learn; a dict holds the total number of rows of each class.
    random_state : int, RandomState or None, default=None
        Source of every draw.

    Attributes
    ----------
    parents_ : ndarray of int64, shape [n_synthetic, 1]
        Index in `X` of the source row, which is of another class.

    Raises
    ------
    TooFewRowsError
        From `fit_resample`: no other class has two rows.

    References
    ----------
    .. [1] Wei, "Good-Enough Example Extrapolation", EMNLP 2021 (arXiv 2109.05602).
    """

    def _new_rows(self, given: GivenRows, label: object, n: int, draw: Draw) -> tuple[Rows, Places | None]:
        lenders = [s for s, rows in given.rows_of.items() if s != label and len(rows) >= LEAST_SOURCE_ROWS]
        if not lenders:
            raise TooFewRowsError(
                f"no class other than {label} has the {LEAST_SOURCE_ROWS} rows that GE3 needs to take a spread from: "
                "lower the imbalance ratio or use augmenter=random"
            )
        sources = as_evenly_as_possible(np.concatenate([given.rows_of[s] for s in lenders]), n, draw)
        moves = {s: given.means[label] - given.means[s] for s in lenders}
        rows = given.X[sources].astype(np.float64)
        for s, move in moves.items():
            rows[given.y[sources] == s] += move
        return rows, sources[:, None]
