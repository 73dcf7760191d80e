"""Neighbours by a metric of choice, for samplers that take an estimator in place of a number."""

from sklearn.neighbors import NearestNeighbors


def nearest_neighbours(k: int, metric: str) -> NearestNeighbors:
    """Search the `k` nearest neighbours of a row, not counting the row itself.

    Parameters
    ----------
    k
        Neighbours; imbalanced-learn counts the row itself where it is handed an estimator, so that
        one more is searched for.
    metric
        As in `sklearn.neighbors.NearestNeighbors`.

    Raises
    ------
    ValueError
        If `k` is below 1 or the metric is unknown.
    """
    if k < 1:
        raise ValueError(f"augmenter.k_neighbors.k={k} must be at least 1")
    search = NearestNeighbors(n_neighbors=k + 1, metric=metric)
    search._validate_params()  # else the metric would wait for the first search
    return search
