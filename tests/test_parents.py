"""Parents read off the geometry, against what the samplers themselves know."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.over_sampling import ADASYN, SMOTE, SVMSMOTE, BorderlineSMOTE, RandomOverSampler
from imblearn.over_sampling._smote.base import BaseSMOTE
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from synaug.augmenter import VAE, segment_parents
from synaug.augmenter.returned import kept_and_added
from synaug.errors import UserError

SIX: tuple[Any, Any] = np.arange(12, dtype=np.float32).reshape(6, 2), np.array([0, 0, 0, 0, 1, 1])


class Stating:
    """A sampler that says what its rows were made of."""

    def __init__(self, parents: Any) -> None:
        self.parents_ = parents


def embeddings(counts: tuple[int, ...], d: int = 384, gap: float = 0.3, seed: int = 0) -> tuple[Any, Any]:
    """As from MiniLM: float32, unit norm, a common mean, most variance in few directions; overlapping classes."""
    draw = np.random.RandomState(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    directions = draw.normal(size=(40, d)) * np.exp(-np.arange(40) / 15)[:, None]
    X = draw.normal(size=(len(y), 40)) @ directions + 0.3 * draw.normal(size=(len(y), d)) + 1
    X[:, : len(counts)] += gap * np.eye(len(counts))[y]
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    return X.astype(np.float32), y


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, bytes]]:
    """The two rows that imbalanced-learn lets each synthetic one lie between, in its order."""
    seen: list[tuple[bytes, bytes]] = []
    original: Callable[..., Any] = BaseSMOTE._generate_samples

    def spy(self: Any, X: Any, nn_data: Any, nn_num: Any, rows: Any, cols: Any, *more: Any) -> Any:
        seen.extend((a.tobytes(), b.tobytes()) for a, b in zip(X[rows], nn_data[nn_num[rows, cols]], strict=True))
        return original(self, X, nn_data, nn_num, rows, cols, *more)

    monkeypatch.setattr(BaseSMOTE, "_generate_samples", spy)
    return seen


def made(sampler: Any, X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    sampler.set_params(random_state=np.random.RandomState(1))
    rows, labels = sampler.fit_resample(X, y)
    return rows[len(X) :], labels[len(X) :]


@pytest.mark.parametrize(
    ("sampler", "counts"),
    [
        (SMOTE(), (300, 100)),
        (SMOTE(), (200, 200, 40, 20)),
        # Hundreds of majority rows between two of the minority.
        (SMOTE(), (1000, 20)),
        (SMOTE(k_neighbors=50), (600, 80)),
        (BorderlineSMOTE(), (300, 60)),
        (BorderlineSMOTE(kind="borderline-2"), (300, 60)),
    ],
)
def test_the_two_rows_that_a_smote_drew_from_are_found(
    sampler: Any, counts: tuple[int, ...], ends: list[tuple[bytes, bytes]]
) -> None:
    X, y = embeddings(counts)
    synthetic, _ = made(sampler, X, y)
    assert len(ends) == len(synthetic) > 0
    for (a, b), drawn in zip(segment_parents(synthetic, X), ends, strict=True):
        assert {X[a].tobytes(), X[b].tobytes()} == set(drawn)


def test_borderline_2_has_parents_of_both_classes() -> None:
    X, y = embeddings((300, 60))
    synthetic, _ = made(BorderlineSMOTE(kind="borderline-2"), X, y)
    classes = np.sort(y[segment_parents(synthetic, X)], axis=1)
    assert np.unique(classes, axis=0).tolist() == [[0, 1], [1, 1]]


def test_adasyns_parents_are_near_each_other_within_the_class() -> None:
    X, y = embeddings((300, 60))
    synthetic, labels = made(ADASYN(n_neighbors=5), X, y)
    parents = segment_parents(synthetic, X)
    np.testing.assert_array_equal(y[parents], np.stack([labels] * 2, axis=1))
    minority = np.flatnonzero(y == 1)
    near = NearestNeighbors(n_neighbors=6).fit(X[minority]).kneighbors(X[minority], return_distance=False)
    pairs = {(minority[row], minority[other]) for row, others in enumerate(near) for other in others[1:]}
    assert all((a, b) in pairs or (b, a) in pairs for a, b in parents.tolist())


def test_a_repeated_row_is_its_own_parent_twice() -> None:
    X, y = embeddings((60, 20))
    synthetic, _ = made(RandomOverSampler(), X, y)
    parents = segment_parents(synthetic, X)
    np.testing.assert_array_equal(parents[:, 0], parents[:, 1])
    np.testing.assert_array_equal(X[parents[:, 0]], synthetic)


@pytest.mark.parametrize("sample_from", ["prior", "posterior"])
def test_rows_of_a_vae_lie_on_no_segment(sample_from: Any) -> None:
    X, y = embeddings((60, 20))
    synthetic, _ = made(VAE(sample_from=sample_from, hidden=8, latent_dim=3, max_epochs=2, warmup_epochs=1), X, y)
    np.testing.assert_array_equal(segment_parents(synthetic, X), -1)


def test_a_row_beyond_its_parent_lies_on_no_segment(ends: list[tuple[bytes, bytes]]) -> None:
    X, y = embeddings((90, 30))
    synthetic, _ = made(SVMSMOTE(m_neighbors=5), X, y)
    parents = segment_parents(synthetic, X)
    between = {X[a].tobytes() + X[b].tobytes() for a, b in parents.tolist() if a >= 0}
    drawn = {part for a, b in ends for part in (a + b, b + a)}
    assert (parents < 0).any()
    assert between <= drawn


def test_of_equal_rows_either_is_a_parent() -> None:
    X, y = embeddings((60, 12))
    X = np.concatenate([X, X[y == 1], X[y == 1]])
    y = np.concatenate([y, np.ones(24, dtype=int)])
    synthetic, _ = made(SMOTE(), X, y)
    parents = segment_parents(synthetic, X)
    assert (parents >= 0).all()
    assert (y[parents] == 1).all()
    a, b = X[parents[:, 0]], X[parents[:, 1]]
    length = np.linalg.norm(b - a, axis=1)
    detour = np.linalg.norm(synthetic - a, axis=1) + np.linalg.norm(b - synthetic, axis=1)
    np.testing.assert_allclose(detour, length, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    n=st.integers(2, 40),
    share=st.one_of(st.floats(1e-4, 1 - 1e-4), st.sampled_from([1e-5, 0.5, 1 - 1e-5])),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
)
def test_any_point_between_two_rows_leads_back_to_them(seed: int, n: int, share: float, scale: float) -> None:
    draw = np.random.RandomState(seed)
    X = (scale * draw.normal(size=(n, 100))).astype(np.float32)
    a, b = draw.permutation(n)[:2]
    point = (X[a] + share * (X[b].astype(np.float64) - X[a])).astype(np.float32)
    assert set(segment_parents(point[None], X)[0].tolist()) == {a, b}


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_point_beside_the_segment_is_not_on_it(share: float) -> None:
    draw = np.random.RandomState(0)
    X = draw.normal(size=(30, 100))
    aside = draw.normal(size=100)
    aside *= 0.02 * np.linalg.norm(X[1] - X[0]) / np.linalg.norm(aside)
    points = np.stack([X[0] + share * (X[1] - X[0]), X[0] + share * (X[1] - X[0]) + aside]).astype(np.float32)
    on, beside = segment_parents(points, X.astype(np.float32)).tolist()
    assert (set(on), beside) == ({0, 1}, [-1, -1])


def test_a_row_outside_the_given_ones_is_never_named_for_a_parent() -> None:
    X, y = embeddings((300, 60))
    half = np.arange(len(X)) % 2 == 0
    synthetic, _ = made(SMOTE(), X[~half], y[~half])
    np.testing.assert_array_equal(segment_parents(synthetic, X[half]), -1)


def test_nothing_made_and_one_row_given_are_no_trouble() -> None:
    X, _ = embeddings((5, 5))
    assert segment_parents(X[:0], X).shape == (0, 2)
    assert segment_parents(X[:2], X[:1]).tolist() == [[0, 0], [-1, -1]]
    assert segment_parents(np.zeros((1, 384), np.float32), np.zeros((1, 384), np.float32)).tolist() == [[0, 0]]


@pytest.mark.parametrize(("stated", "sentence"), [([[40, 0]], "40"), ([[-2, 0]], "-2")])
def test_parents_that_are_no_given_row_are_refused(stated: Any, sentence: str) -> None:
    with pytest.raises(UserError, match=f"names row {sentence}, but the sampler was given rows 0 to 5"):
        kept_and_added(Stating(stated), *SIX, (np.vstack([SIX[0], [[9.0, 9.0]]]), np.append(SIX[1], 1)))


def test_one_known_parent_of_two_is_both() -> None:
    made = kept_and_added(Stating([[4, -1]]), *SIX, (np.vstack([SIX[0], [[9.0, 9.0]]]), np.append(SIX[1], 1)))
    assert made.parents.tolist() == [[4, 4]]
