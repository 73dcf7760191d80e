"""What the samplers of this package share: the rows of one class at a time, from draws of its own."""

from abc import abstractmethod
from functools import cached_property
from typing import Any

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import check_random_state

from synaug import settings
from synaug.augmenter.geometry.spread import Rows
from synaug.augmenter.neighbours import Neighbours
from synaug.augmenter.rows import interpolate
from synaug.augmenter.too_few_rows import too_few_rows
from synaug.errors import TooFewRowsError

Places = NDArray[np.int64]
Draw = np.random.RandomState
COVARIANCES = 8  # 36 MiB of 768 features; those of 77 classes would be 350


class GivenRows:
    """A training set, and what is computed of it once for all classes.

    Attributes
    ----------
    X
        `[n, d]`.
    y
        `[n]`.
    """

    def __init__(self, X: Any, y: NDArray[Any]) -> None:
        self.X = X
        self.y = y
        self._covariances: dict[Any, NDArray[np.float64]] = {}  # of the classes that were asked for last

    @cached_property
    def rows_of(self) -> dict[Any, Places]:
        """Which rows each class has, ascending."""
        return {label: np.flatnonzero(self.y == label) for label in np.unique(self.y).tolist()}

    @cached_property
    def means(self) -> dict[Any, NDArray[np.float64]]:
        """Each class's mean, float64 `[d]`."""
        return {label: self.X[rows].mean(axis=0, dtype=np.float64) for label, rows in self.rows_of.items()}

    def of(self, label: Any) -> Rows:
        """The rows of a class, `[n_c, d]`."""
        rows: Rows = self.X[self.rows_of[label]]
        return rows

    def covariance_of(self, label: Any) -> NDArray[np.float64]:
        """The unbiased covariance of a class, float64 `[d, d]`; `COVARIANCES` of them are held at a time."""
        covariance = self._covariances.pop(label, None)
        if covariance is None:
            centred = self.of(label) - self.means[label]
            covariance = centred.T @ centred
            covariance /= len(centred) - 1
        self._covariances[label] = covariance  # as the last
        while len(self._covariances) > COVARIANCES:
            del self._covariances[next(iter(self._covariances))]
        return covariance


class ByClass(BaseOverSampler):  # type: ignore[misc]
    """Over-sample class by class: the draws of a class depend neither on the other classes nor on their order.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        As in imbalanced-learn; a dict holds the total number of rows of each class.
    random_state : int, RandomState or None, default=None
        Source of every draw.

    Attributes
    ----------
    sampling_strategy_ : dict
        Rows to add to each class.
    parents_ : ndarray of int64, shape [n_synthetic, 1 or 2], or None
        Indices in `X` of the rows that each synthetic row was made of; None where it is made of many.
    diagnostics_ : list of dict
        What a sampler has to tell of a class.
    """

    def __init__(
        self, *, sampling_strategy: Any = "auto", random_state: int | np.random.RandomState | None = None
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.random_state = random_state

    # Whether `_new_rows` copes with sparse rows; others are handed dense ones.
    _takes_sparse = False

    @abstractmethod
    def _new_rows(self, given: GivenRows, label: Any, n: int, draw: Draw) -> tuple[Any, Places | None]:
        """Make `n` rows of a class, `[n, d]`, and say of which given rows, `[n, 1 or 2]`, if of few.

        Raises
        ------
        TooFewRowsError
            If the class has too few.
        """

    def _fit_resample(self, X: Any, y: NDArray[Any]) -> tuple[Any, NDArray[Any]]:
        given = self._given(X.toarray() if sparse.issparse(X) and not self._takes_sparse else X, y)
        self.diagnostics_: list[dict[str, Any]] = []
        # A seed for every class, so that a class's rows do not depend on which others are wanted.
        drawn = check_random_state(self.random_state).randint(2**31, size=len(given.rows_of))
        seeds = dict(zip(given.rows_of, drawn.tolist(), strict=True))
        rows, labels, parents = [X], [y], []
        for label, n in self.sampling_strategy_.items():
            if n > 0:
                made, made_of = self._new_rows(given, label, int(n), np.random.RandomState(seeds[label]))
                rows.append(made.astype(X.dtype if X.dtype.kind == "f" else np.float64))
                labels.append(np.full(n, label, dtype=y.dtype))
                parents.append(made_of)
        known = [each for each in parents if each is not None]
        self.parents_ = np.concatenate(known) if known else None
        stacked = sparse.vstack(rows, format=X.format) if sparse.issparse(X) else np.vstack(rows)
        return stacked, np.concatenate(labels)

    def _given(self, X: Any, y: NDArray[Any]) -> GivenRows:
        return GivenRows(X, y)

    def _require(self, **given: Any) -> None:
        """Hold settings to what `synaug.settings` says of this class.

        Raises
        ------
        UserError
            For the first that is wrong.
        """
        settings.require("augmenter", settings.OF_A_TARGET[f"synaug.augmenter.{type(self).__name__}"], given)


class WithNeighbours(ByClass):
    """A sampler that looks at the nearest rows of the same class.

    Parameters
    ----------
    sampling_strategy, random_state
        As of `ByClass`.
    k_neighbors : int or object, default=5
        Neighbours, not counting the row itself; or, as in imbalanced-learn, an estimator with ``kneighbors``, which
        counts it.

    Raises
    ------
    UserError
        If `k_neighbors` is out of range.
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

    def _neighbours(self, given: GivenRows, label: Any) -> tuple[Places, Rows, Places]:
        """A class's rows by number `[n_c]` and as they are `[n_c, d]`, and the nearest of each, `[n_c, k + 1]`.

        Raises
        ------
        TooFewRowsError
            If the class has no more rows than neighbours.
        """
        own, rows = given.rows_of[label], given.of(label)
        require_rows(self, label, len(own))
        return own, rows, nearest_in_class(self.k_neighbors, rows)


class Interpolating(ByClass):
    """A sampler whose rows each lie between two given rows, so that two numbers and a step say all (`rows.py`)."""

    _takes_sparse = True

    @abstractmethod
    def _between(self, given: GivenRows, label: Any, n: int, draw: Draw) -> tuple[Places, NDArray[np.float64]]:
        """Two different given rows for each new one, `[n, 2]`, and its step from the first to the second, `[n]`."""

    def _new_rows(self, given: GivenRows, label: Any, n: int, draw: Draw) -> tuple[Any, Places | None]:
        between, step = self._between(given, label, n, draw)
        if sparse.issparse(given.X):
            weights, starts = np.stack([1 - step, step], axis=1).ravel(), np.arange(0, 2 * n + 1, 2)
            of_rows = sparse.csr_matrix((weights, between.ravel(), starts), shape=(n, given.X.shape[0]))
            return of_rows @ given.X, between
        first, second = given.X[between[:, 0]], given.X[between[:, 1]]
        return interpolate(first, second, step[:, None].astype(first.dtype)), between


def require_rows(sampler: Any, label: Any, n_rows: int, least: int = 2) -> None:
    """Refuse a class of fewer rows than a sampler's neighbours and the row itself, or than `least`.

    Raises
    ------
    TooFewRowsError
        With the value, the requirement and the remedy.
    """
    needed = too_few_rows(sampler, n_rows)
    if needed is None and n_rows < least:
        needed = f"{type(sampler).__name__} needs at least {least}: lower the imbalance ratio or use augmenter=random"
    if needed is not None:
        raise TooFewRowsError(f"class {label} has {n_rows} {'row' if n_rows == 1 else 'rows'}; {needed}")


def nearest_in_class(search: Any, rows: Rows) -> Places:
    """Nearest rows of the same class, places `[n_c, k + 1]`; the first is the row itself.

    Parameters
    ----------
    search
        How many, not counting the row itself; or, as in imbalanced-learn, a search that counts it.
    rows
        `[n_c, d]`, more than neighbours.
    """
    search = Neighbours(int(search) + 1) if isinstance(search, int | np.integer) else clone(search)
    search.fit(rows)
    places: Places = search.kneighbors(rows, return_distance=False)
    return places


def as_evenly_as_possible(rows: Places, n: int, draw: Draw) -> Places:
    """`n` of some rows in random order, by rounds that each take every row once; only the last may stop early."""
    rounds = [draw.permutation(rows) for _ in range(-(-n // len(rows)))]
    return np.concatenate(rounds)[:n]
