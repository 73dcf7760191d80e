"""Expansive over-sampling: from a minority row towards its nearest rows of other classes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from synaug.augmenter.geometry.by_class import Draw, GivenRows, Interpolating, Places
from synaug.augmenter.neighbours import Neighbours
from synaug.errors import TooFewRowsError


class EOS(Interpolating):
    """Over-sample on the segments from rows of a class to their nearest enemies [1]_.

    A row's enemies are those of its `m_neighbors` nearest rows that are of another class. A base row `b` is drawn at
    random among the rows of the class that have an enemy, an enemy `e` among the base's, and ::

        x = b + r (e - b),  r ~ U(0, reach)

    is a new row of the base's class. The authors draw `r` from 0 to 1, so that half of the rows lie nearer to
    the enemy; with `reach` 0.5 all stay on the base's half. Their published code takes, by an index that is off by one,
    the neighbour before the enemy (the base itself where the enemy is the nearest); here it is the enemy, as the paper
    says.

    A class of one row is served. If no row of a class has an enemy among its neighbours, it is not.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        As in imbalanced-learn; a dict holds the total number of rows of each class.
    random_state : int, RandomState or None, default=None
        Source of every draw.
    m_neighbors : int or object, default=10
        Nearest rows, of all classes, among which enemies are looked for, not counting the row itself; or, as in
        imbalanced-learn, an estimator with ``kneighbors``, which counts it.
    reach : float in (0, 1], default=1.0
        How far towards the enemy a row may lie.

    Attributes
    ----------
    parents_ : ndarray of int64, shape [n_synthetic, 2]
        Indices in `X` of the base and of its enemy.

    Raises
    ------
    UserError
        If a parameter is out of range.
    TooFewRowsError
        From `fit_resample`: no row of a class has an enemy.

    References
    ----------
    .. [1] Dablain, Bellinger, Krawczyk and Chawla, "Efficient Augmentation for Imbalanced Deep Learning", ICDE 2023
       (arXiv 2207.06080); code at github.com/dd1github/EOS.
    """

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        random_state: int | np.random.RandomState | None = None,
        m_neighbors: Any = 10,
        reach: float = 1.0,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy, random_state=random_state)
        self._require(reach=reach, **({} if hasattr(m_neighbors, "kneighbors") else {"m_neighbors": m_neighbors}))
        self.m_neighbors = m_neighbors
        self.reach = reach

    def _between(self, given: GivenRows, label: Any, n: int, draw: Draw) -> tuple[Places, NDArray[np.float64]]:
        own = given.rows_of[label]
        near = self._neighbours(given, own)
        is_enemy = given.y[near] != label
        n_enemies = is_enemy.sum(axis=1)
        bases = np.flatnonzero(n_enemies)
        if not len(bases):
            raise TooFewRowsError(
                f"no row of class {label} has a row of another class among its {near.shape[1]} nearest; EOS needs one: "
                "raise augmenter.m_neighbors or use augmenter=smote"
            )
        base = bases[draw.randint(len(bases), size=n)]
        # The how-manieth enemy, then at which place it stands.
        which = (draw.uniform(size=n) * n_enemies[base]).astype(np.int64)
        place = (np.cumsum(is_enemy[base], axis=1) > which[:, None]).argmax(axis=1)
        step = draw.uniform(0, self.reach, size=n)
        return np.stack([own[base], near[base, place]], axis=1), step

    def _neighbours(self, given: GivenRows, own: Places) -> Places:
        """Nearest rows of all classes, `[n_c, m]`, without the row itself."""
        search: Any = self.m_neighbors
        search = clone(search) if hasattr(search, "kneighbors") else Neighbours(int(search) + 1)
        search.fit(given.X)
        n_neighbors = min(search.n_neighbors, len(given.y))
        places: Places = search.kneighbors(given.X[own], n_neighbors=n_neighbors, return_distance=False)
        return places[:, 1:]
