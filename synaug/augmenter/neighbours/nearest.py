"""The neighbour search that a sampler is handed in place of a number."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.neighbors import NearestNeighbors

from synaug.augmenter.neighbours.search import METRICS, Ids, Rows, nearest, transformed
from synaug.errors import UserError

if TYPE_CHECKING:
    from synaug.augmenter.rows import TrainingRows

# Links of a row in the approximate search's graph, and how widely it looks; faiss's own rule of thumb.
HNSW_LINKS = 32
HNSW_SEARCH = 64
# Queries whose exact neighbours are found, too, to say how many the approximate search finds.
RECALL_QUERIES = 500


class Neighbours(BaseEstimator):  # type: ignore[misc]
    """Nearest neighbours for samplers of imbalanced-learn's kind: exact and quick, or approximate where asked for.

    Parameters
    ----------
    n_neighbors
        How many, the row itself included (as imbalanced-learn counts where it is handed an estimator). A row
        that was fitted is always its own first neighbour, also where others equal it.
    metric
        ``euclidean`` or ``cosine``.
    approximate
        Search by faiss's HNSW graph, and say in `recall_` what share of the true neighbours it finds.

    Attributes
    ----------
    recall_ : float
        Of `RECALL_QUERIES` of the rows asked about last; only of an approximate search.

    Notes
    -----
    Bound to a training set by `bound`, it takes the rows that a sampler hands over as rows of the identity
    matrix (see `synaug.augmenter.rows`), and looks their neighbours up in the data set's graph.
    """

    def __init__(self, n_neighbors: int = 6, metric: str = "euclidean", approximate: bool = False) -> None:
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.approximate = approximate

    _rows: TrainingRows | None = None

    def bound(self, rows: TrainingRows) -> Neighbours:
        """The same search over a training set whose rows are handed over as rows of the identity matrix."""
        found = Neighbours(self.n_neighbors, self.metric, self.approximate)
        found._rows = rows
        return found

    def __sklearn_clone__(self) -> Neighbours:
        """For samplers, which clone what they are handed: a training set is shared, never copied."""
        found = Neighbours(self.n_neighbors, self.metric, self.approximate)
        found._rows = self._rows
        return found

    def fit(self, X: Any, y: Any = None) -> Neighbours:
        """Take the rows to search among, `[n, d]`."""
        self.n_samples_fit_ = X.shape[0]
        if self._rows is None or not sparse.issparse(X):
            self._fitted: Any = np.ascontiguousarray(X.toarray() if sparse.issparse(X) else X, dtype=np.float32)
        else:
            self._fitted = self._rows.index[X.indices]
        self._index: Any = None
        return self

    def kneighbors(
        self, X: Any = None, n_neighbors: int | None = None, return_distance: bool = True
    ) -> tuple[NDArray[np.float64], Ids] | Ids:
        """Find the nearest of the fitted rows.

        Parameters
        ----------
        X
            `[q, d]`; None for the fitted rows, which then are not neighbours of themselves.
        n_neighbors
            In place of the estimator's own.

        Returns
        -------
        distances : ndarray
            float64 `[q, n_neighbors]`, if wanted.
        neighbours : ndarray
            int64 `[q, n_neighbors]`, places among the fitted rows.

        Raises
        ------
        UserError
            If fewer rows were fitted than neighbours are wanted.
        """
        k = self.n_neighbors if n_neighbors is None else n_neighbors
        if k > self.n_samples_fit_ - (X is None):
            raise ValueError(
                f"Expected n_neighbors <= n_samples_fit, but n_neighbors = {k}, n_samples_fit = {self.n_samples_fit_}"
            )
        squared, places = self._of_dense(X, k) if self._fitted.ndim == 2 else self._of_ids(X, k)
        return (np.sqrt(squared), places) if return_distance else places

    def kneighbors_graph(
        self, X: Any = None, n_neighbors: int | None = None, mode: str = "connectivity"
    ) -> sparse.csr_matrix:
        """As scikit-learn's: a sparse matrix `[q, fitted rows]` of ones, or of distances (``mode="distance"``)."""
        distances, places = self.kneighbors(X, n_neighbors)
        values = np.ones(places.size) if mode == "connectivity" else distances.ravel()
        starts = np.arange(0, places.size + 1, places.shape[1])
        return sparse.csr_matrix((values, places.ravel(), starts), shape=(len(places), self.n_samples_fit_))

    def _of_dense(self, X: Any, k: int) -> tuple[NDArray[np.float64], Ids]:
        fitted = self._fitted
        if X is None:
            return self._search(fitted, np.arange(len(fitted)), k)
        asked = np.ascontiguousarray(X.toarray() if sparse.issparse(X) else X, dtype=np.float32)
        if np.array_equal(asked, fitted):
            return _itself_first(np.arange(len(fitted)), *self._search(fitted, np.arange(len(fitted)), k - 1))
        joined = np.concatenate([fitted, asked])
        return self._search(joined, np.arange(len(fitted), len(joined)), k)

    def _search(self, rows: Rows, queries: Ids, k: int) -> tuple[NDArray[np.float64], Ids]:
        """Among the first `n_samples_fit_` of some rows."""
        base = np.arange(self.n_samples_fit_)
        if self.approximate:
            return self._approximate(lambda ids: rows[ids], queries, base, k)
        return nearest(lambda ids: rows[ids], queries, base, k, self.metric)

    def _of_ids(self, X: Any, k: int) -> tuple[NDArray[np.float64], Ids]:
        rows, base = self._rows, self._fitted
        assert rows is not None
        queries = base if X is None else rows.index[X.indices]
        itself = X is not None and bool(np.isin(queries, base, assume_unique=True).all())
        if self.approximate:
            squared, ids = self._approximate(rows.graph(self.metric).take, queries, base, k - itself)
        else:
            squared, ids = rows.graph(self.metric).neighbours(queries, base, k - itself)
        place_of = np.full(len(rows.graph(self.metric).labels) + 1, -1)  # one more, for -1
        place_of[base] = np.arange(len(base))
        places = place_of[ids]
        return _itself_first(place_of[queries], squared, places) if itself else (squared, places)

    def _approximate(self, take: Any, queries: Ids, base: Ids, k: int) -> tuple[NDArray[np.float64], Ids]:
        import faiss

        if self._index is None:
            fitted = transformed(take(base), self.metric)
            self._index = faiss.IndexHNSWFlat(fitted.shape[1], HNSW_LINKS)
            self._index.hnsw.efSearch = HNSW_SEARCH
            self._index.add(fitted)
        squared, places = self._index.search(transformed(take(queries), self.metric), k + 1)
        ids = np.where(places < 0, -1, base[places])
        # The row itself goes, or, where the search missed it, the last.
        itself = ids == queries[:, None]
        itself[~itself.any(1), -1] = True
        squared, ids = squared[~itself].reshape(-1, k).astype(np.float64), ids[~itself].reshape(-1, k)
        some = np.linspace(0, len(queries) - 1, min(RECALL_QUERIES, len(queries))).astype(int)
        _, true = nearest(take, queries[some], base, k, self.metric)
        self.recall_ = float((ids[some][:, :, None] == true[:, None]).any(2).mean())
        return squared, ids


def _itself_first(places: Ids, squared: NDArray[np.float64], neighbours: Ids) -> tuple[NDArray[np.float64], Ids]:
    return np.column_stack([np.zeros(len(places)), squared]), np.column_stack([places, neighbours])


def nearest_neighbours(k: int, metric: str, approximate: bool = False) -> Neighbours | NearestNeighbors:
    """Search the `k` nearest neighbours of a row, not counting the row itself.

    Parameters
    ----------
    k
        Neighbours; imbalanced-learn counts the row itself where it is handed an estimator, so that
        one more is searched for.
    metric
        ``euclidean`` or ``cosine``, or, by scikit-learn's slower search, another of
        `sklearn.neighbors.NearestNeighbors`.
    approximate
        Search approximately; the record then has the recall.

    Raises
    ------
    UserError
        If `k` is below 1, the metric is unknown, or has no approximate search.
    UserError
        If faiss is needed and not installed.
    """
    if k < 1:
        raise UserError(f"augmenter.k_neighbors.k={k} must be at least 1")
    if approximate and metric not in METRICS:
        raise UserError(
            f"augmenter.k_neighbors.metric={metric} has no approximate search: use {' or '.join(METRICS)}, "
            "or augmenter.k_neighbors.approximate=false"
        )
    if approximate and importlib.util.find_spec("faiss") is None:
        raise UserError(
            "augmenter.k_neighbors.approximate=true needs a package that is not installed: "
            "pip install 'synaug[approximate]'"
        )
    if metric in METRICS:
        return Neighbours(k + 1, metric, approximate)
    search = NearestNeighbors(n_neighbors=k + 1, metric=metric)
    search._validate_params()  # else the metric would wait for the first search
    return search
