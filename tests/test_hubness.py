"""Hubness of the neighbours that SMOTE is handed: k-occurrences, their mean and their skewness."""

from typing import Any

import numpy as np
import pytest
from imblearn.over_sampling import SMOTE
from scipy.stats import skew
from sklearn.neighbors import NearestNeighbors

from synaug.augmenter import Augmenter, nearest_neighbours
from synaug.augmenter.neighbours.hubness import occurrences, skewness, without_itself
from tests import toy

K = 4


def rows(n: int, d: int, seed: int = 0) -> Any:
    return np.random.RandomState(seed).standard_normal((n, d)).astype(np.float32)


def among(X: Any, metric: str = "euclidean", k: int = K) -> Any:
    return without_itself(NearestNeighbors(n_neighbors=k + 1, metric=metric).fit(X).kneighbors(X)[1])


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
def test_the_mean_of_k_occurrences_is_exactly_k(metric: str) -> None:
    counts = occurrences(among(rows(80, 30), metric))
    assert counts.mean() == K
    assert len(counts) == 80


def test_skewness_is_scipys_and_grows_with_dimensions() -> None:
    low, high = (occurrences(among(rows(500, d))) for d in (3, 100))
    assert skewness(high) == pytest.approx(skew(high))
    assert skewness(high) > 2 * abs(skewness(low))
    assert skewness(np.full(10, 3)) == 0


def test_copies_of_a_row_do_not_count_as_itself() -> None:
    found = among(np.repeat(rows(10, 5), 6, axis=0))
    assert found.shape == (60, K)
    assert occurrences(found).mean() == K


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
def test_smote_with_a_chosen_search_tells_each_minority_class_s_hubness(metric: str) -> None:
    X, y = rows(120, 20), np.repeat([0, 1, 2], [60, 40, 20])
    sampler = SMOTE(k_neighbors=nearest_neighbours(K, metric))
    told = toy.augmented(Augmenter(sampler), X, y).diagnostics
    assert [(row["class"], row["search"], row["k"]) for row in told] == [(1, "nn_k", K), (2, "nn_k", K)]
    for row in told:
        counts = occurrences(among(X[y == row["class"]], metric))
        assert row["hubness"] == pytest.approx(skew(counts))


def test_a_number_of_neighbours_tells_nothing() -> None:
    X, y = rows(60, 20), np.repeat([0, 1], [40, 20])
    assert toy.augmented(Augmenter(SMOTE(k_neighbors=K)), X, y).diagnostics == []
