"""The neighbour search that a sampler is handed in place of a number."""

from __future__ import annotations

import importlib.util
from itertools import chain
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.neighbors import VALID_METRICS, NearestNeighbors

from synaug import settings
from synaug.augmenter.neighbours.brute_force import METRICS, Distances, Ids, Rows, nearest, transformed
from synaug.augmenter.neighbours.graph import NeighbourGraph
from synaug.augmenter.neighbours.hubness import occurrences, skewness
from synaug.errors import UserError
from synaug.settings import names

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
        Search by faiss's HNSW graph, and say in `recalls` what share of the true neighbours it finds.

    Attributes
    ----------
    recalls : list of float
        One for each approximate search, of `RECALL_QUERIES` of its queries; of a bound search also those of its clones.
    hubness : dict of int to float
        By class, of a bound search that found the neighbours of a class's rows among themselves, and of its clones
        (`synaug.augmenter.neighbours.hubness`).

    Notes
    -----
    Bound to a training set by `bound`, it takes the rows that a sampler hands over as rows of the identity
    matrix (see `synaug.augmenter.rows`), and looks their neighbours up in the data set's graph.
    """

    _graph: NeighbourGraph | None = None
    _index: Ids | None = None

    def __init__(self, n_neighbors: int = 6, metric: str = "euclidean", approximate: bool = False) -> None:
        self.n_neighbors = n_neighbors
        self.metric = metric
        self.approximate = approximate
        self.recalls: list[float] = []
        self.hubness: dict[int, float] = {}

    def bound(self, graph: NeighbourGraph, index: Ids) -> Neighbours:
        """The same search over a training set whose rows are handed over as rows of the identity matrix.

        Parameters
        ----------
        graph
            The data set's neighbours by this metric.
        index
            int64 `[r]`, ascending: which rows of the data set the training set holds.
        """
        search = Neighbours(self.n_neighbors, self.metric, self.approximate)
        search._graph, search._index = graph, index
        return search

    def __sklearn_clone__(self) -> Neighbours:
        """For samplers, which clone what they are handed: a training set is shared, never copied."""
        search = Neighbours(self.n_neighbors, self.metric, self.approximate)
        if self._graph is not None:
            search._graph, search._index, search.recalls = self._graph, self._index, self.recalls
            search.hubness = self.hubness
        return search

    def fit(self, X: Any, y: Any = None) -> Neighbours:
        """Take the rows to search among, `[n, d]`."""
        self.n_samples_fit_ = X.shape[0]
        if self._index is None or not sparse.issparse(X):
            self._fitted: Any = np.ascontiguousarray(X.toarray() if sparse.issparse(X) else X, dtype=np.float32)
        else:
            self._fitted = self._index[X.indices]
        self._hnsw: Any = None
        return self

    def kneighbors(
        self, X: Any = None, n_neighbors: int | None = None, return_distance: bool = True
    ) -> tuple[Distances, Ids] | Ids:
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

    def _of_dense(self, X: Any, k: int) -> tuple[Distances, Ids]:
        fitted = self._fitted
        if X is None:
            return self._search(fitted, np.arange(len(fitted)), k)
        asked = np.ascontiguousarray(X.toarray() if sparse.issparse(X) else X, dtype=np.float32)
        if np.array_equal(asked, fitted):
            return _itself_first(np.arange(len(fitted)), *self._search(fitted, np.arange(len(fitted)), k - 1))
        joined = np.concatenate([fitted, asked])
        return self._search(joined, np.arange(len(fitted), len(joined)), k)

    def _search(self, rows: Rows, queries: Ids, k: int) -> tuple[Distances, Ids]:
        """Among the first `n_samples_fit_` of some rows."""
        base = np.arange(self.n_samples_fit_)
        if self.approximate:
            return self._approximate(lambda ids: rows[ids], queries, base, k)
        return nearest(lambda ids: rows[ids], queries, base, k, self.metric)

    def _of_ids(self, X: Any, k: int) -> tuple[Distances, Ids]:
        graph, base = self._graph, self._fitted
        assert graph is not None
        assert self._index is not None
        queries = base if X is None else self._index[X.indices]
        itself = X is not None and bool(np.isin(queries, base, assume_unique=True).all())
        if self.approximate:
            squared, ids = self._approximate(graph.take, queries, base, k - itself)
        else:
            squared, ids = graph.neighbours(queries, base, k - itself)
        place_of = np.full(len(graph.labels) + 1, -1)  # one more, for -1
        place_of[base] = np.arange(len(base))
        places = place_of[ids]
        if itself and len(queries) == len(base) and len(found := np.unique(graph.labels[base])) == 1:
            self.hubness[int(found[0])] = skewness(occurrences(places))
        return _itself_first(place_of[queries], squared, places) if itself else (squared, places)

    def _approximate(self, take: Any, queries: Ids, base: Ids, k: int) -> tuple[Distances, Ids]:
        import faiss

        if self._hnsw is None:
            fitted = transformed(take(base), self.metric)
            self._hnsw = faiss.IndexHNSWFlat(fitted.shape[1], HNSW_LINKS)
            self._hnsw.hnsw.efSearch = HNSW_SEARCH
            self._hnsw.add(fitted)
        squared, places = self._hnsw.search(transformed(take(queries), self.metric), k + 1)
        ids = np.where(places < 0, -1, base[places])
        # The row itself goes, or, where the search missed it, the last.
        itself = ids == queries[:, None]
        itself[~itself.any(1), -1] = True
        squared, ids = squared[~itself].reshape(-1, k).astype(np.float64), ids[~itself].reshape(-1, k)
        some = np.linspace(0, len(queries) - 1, min(RECALL_QUERIES, len(queries))).astype(int)
        _, true = nearest(take, queries[some], base, k, self.metric)
        self.recalls.append(float((ids[some][:, :, None] == true[:, None]).any(2).mean()))
        return squared, ids


def _itself_first(places: Ids, squared: Distances, neighbours: Ids) -> tuple[Distances, Ids]:
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
    settings.require(
        "augmenter.k_neighbors", settings.NEIGHBOURS, {"k": k, "metric": metric, "approximate": approximate}
    )
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
    known = set(chain.from_iterable(VALID_METRICS.values()))
    if metric not in known:
        raise UserError(
            f"augmenter.k_neighbors.metric={metric} is no metric of scikit-learn's NearestNeighbors"
            f"{names.nearest(metric, known) or f': use one of {names.listed(sorted(known), len(known))}'}"
        )
    return NearestNeighbors(n_neighbors=k + 1, metric=metric)
