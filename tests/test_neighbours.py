"""The data set's neighbours: exact, searched once, and what samplers make of them the same as imbalanced-learn's."""

import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE, RandomOverSampler
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.neighbors import NearestNeighbors

from synaug.augmenter import Augmenter, NeighbourGraph, Neighbours, TrainingRows, nearest_neighbours
from synaug.augmenter.neighbours import brute_force as searching
from synaug.augmenter.neighbours import graph as graphs
from synaug.augmenter.neighbours.brute_force import nearest
from synaug.augmenter.resample import interpolates
from synaug.errors import UserError
from tests import toy

D = 12


def embeddings(n: int, seed: int = 0) -> NDArray[np.float32]:
    draw = np.random.RandomState(seed)
    rows: NDArray[np.float32] = draw.normal(size=(n, D)).astype(np.float32)
    return rows


def labels_of(n: int, n_classes: int = 2) -> NDArray[np.int64]:
    return np.arange(n) % n_classes


def by_scikit_learn(
    X: NDArray[np.float32], queries: NDArray[np.int64], among: NDArray[np.int64], k: int, metric: str = "euclidean"
) -> NDArray[np.int64]:
    """The same question to scikit-learn, which finds the query itself first where it is among the rows."""
    search = NearestNeighbors(n_neighbors=min(k + 1, len(among)), metric=metric, algorithm="brute")
    found = among[search.fit(X[among].astype(np.float64)).kneighbors(X[queries].astype(np.float64))[1]]
    kept = [[row for row in row_found if row != query][:k] for query, row_found in zip(queries, found, strict=True)]
    return np.array(kept)


@pytest.fixture(autouse=True)
def small_data_sets_are_kept_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "LEAST_ROWS_ON_DISK", 0)


# The search


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_the_search_finds_what_scikit_learn_finds(metric: str, offset: float) -> None:
    X = embeddings(400) + np.float32(offset)  # far from the origin, where float32 distances lose digits
    queries, base = np.arange(50), np.arange(0, 400, 2)
    distances, found = nearest(lambda rows: X[rows], queries, base, 7, metric)
    np.testing.assert_array_equal(found, by_scikit_learn(X, queries, base, 7, metric))
    assert (np.diff(distances, axis=1) >= 0).all()


@pytest.mark.parametrize("k", [3, 40])
@pytest.mark.parametrize("n_rows", [2047, 5001])  # long enough for groups, and no whole number of them
def test_the_search_among_many_finds_what_scikit_learn_finds(n_rows: int, k: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(searching, "BLOCK_ROWS", 3000)
    X, queries, base = embeddings(n_rows), np.arange(0, n_rows, 29), np.arange(n_rows)
    _, found = nearest(lambda rows: X[rows], queries, base, k)
    np.testing.assert_array_equal(found, by_scikit_learn(X, queries, base, k))


@given(k=st.integers(1, 12), n_groups=st.integers(96, 130), n_values=st.integers(2, 4000), seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_the_highest_by_groups_are_the_highest(k: int, n_groups: int, n_values: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    scores = torch.randint(n_values, (5, n_groups * searching.GROUP_ROWS), generator=draw).float()
    scores[:, -3:] = -torch.inf
    values, places = searching._highest(scores, k)
    wanted = scores.topk(k, dim=1).values
    torch.testing.assert_close(values.sort(dim=1, descending=True).values, wanted, rtol=0, atol=0)
    torch.testing.assert_close(scores.gather(1, places), values, rtol=0, atol=0)
    assert all(len(set(row)) == k for row in places.tolist())


def test_of_equal_distances_the_lower_number_comes_first() -> None:
    X = np.repeat(embeddings(10), 4, axis=0)
    _, found = nearest(lambda rows: X[rows], np.array([5]), np.arange(40), 3)
    assert found.tolist() == [[4, 6, 7]]


def test_neighbours_depend_neither_on_blocks_nor_on_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.concatenate([embeddings(300), embeddings(300) + np.float32(1e-4)])  # near ties in plenty
    whole = nearest(lambda rows: X[rows], np.arange(600), np.arange(600), 9)[1]
    monkeypatch.setattr(searching, "BLOCK_ROWS", 37)
    np.testing.assert_array_equal(nearest(lambda rows: X[rows], np.arange(600), np.arange(600), 9)[1], whole)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        np.testing.assert_array_equal(nearest(lambda rows: X[rows], np.arange(600), np.arange(600), 9)[1], whole)
    finally:
        torch.set_num_threads(threads)


def test_where_rows_run_out_places_stay_empty() -> None:
    X = embeddings(5)
    distances, found = nearest(lambda rows: X[rows], np.array([0, 4]), np.arange(3), 3)
    assert found[0, -1] == -1
    assert np.isinf(distances[0, -1])
    assert (found[1] >= 0).all()


# The graph


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    shares=st.lists(st.sampled_from([0.05, 0.2, 0.3, 0.8, 1.0]), min_size=3, max_size=3),
    k=st.integers(1, 8),
)
def test_filtered_neighbours_are_those_of_a_search_among_the_rows(seed: int, shares: list[float], k: int) -> None:
    X, labels = embeddings(600, seed), labels_of(600, 3)
    draw = np.random.RandomState(seed)
    among = np.flatnonzero(draw.uniform(size=600) < np.array(shares)[labels])
    if len(among) <= k:
        return
    graph = NeighbourGraph(X, labels)
    queries = among[labels[among] == labels[among[0]]]
    _, found = graph.neighbours(queries, among, k)
    np.testing.assert_array_equal(found, by_scikit_learn(X, queries, among, k))
    own = among[labels[among] == labels[among[0]]]  # the class alone, as SMOTE asks
    if len(own) > k:
        np.testing.assert_array_equal(graph.neighbours(own, own, k)[1], by_scikit_learn(X, own, own, k))


def test_lists_that_run_short_are_searched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "KEPT", 4)
    monkeypatch.setattr(graphs, "_power_of_two", lambda least: 4)
    X, labels = embeddings(400), labels_of(400)
    among = np.sort(np.random.RandomState(1).choice(400, 150, replace=False))
    _, found = NeighbourGraph(X, labels).neighbours(among, among, 6)
    np.testing.assert_array_equal(found, by_scikit_learn(X, among, among, 6))


def ask(graph: NeighbourGraph) -> NDArray[np.int64]:
    among = np.flatnonzero(np.arange(300) % 5 != 0)
    return graph.neighbours(among[graph.labels[among] == 1], among, 5)[1]


def test_the_same_search_is_never_done_twice(tmp_path: Path) -> None:
    X, labels = embeddings(300), labels_of(300)
    first = NeighbourGraph(X, labels, folder=tmp_path)
    found = ask(first)
    done = first.flops_done
    assert done > 0
    np.testing.assert_array_equal(ask(first), found)
    assert first.flops_done == done
    another_run = NeighbourGraph(X.copy(), labels, folder=tmp_path)
    np.testing.assert_array_equal(ask(another_run), found)
    assert another_run.flops_done == 0


def test_what_is_searched_sooner_than_read_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "LEAST_ROWS_ON_DISK", 301)
    ask(NeighbourGraph(embeddings(300), labels_of(300), folder=tmp_path))
    assert not list(tmp_path.iterdir())


def test_other_embeddings_or_another_metric_have_neighbours_of_their_own(tmp_path: Path) -> None:
    X, labels = embeddings(300), labels_of(300)
    ask(NeighbourGraph(X, labels, folder=tmp_path))
    moved = X.copy()
    moved[7, 0] += 1
    others = [NeighbourGraph(moved, labels, folder=tmp_path), NeighbourGraph(X, labels, "cosine", folder=tmp_path)]
    for other in others:
        ask(other)
        assert other.flops_done > 0


def rewritten(path: Path, **changes: Any) -> None:
    """Another consistent zip in a file's place."""
    with np.load(path) as file:
        arrays = {name: changes.get(name, lambda array: array)(file[name].copy()) for name in file}
    np.savez(path, allow_pickle=False, **{name: array for name, array in arrays.items() if array is not None})


def sealed(path: Path, **changes: Any) -> None:
    """The same with the right checksum: only shapes and ranges tell."""
    rewritten(path, **changes)
    with np.load(path) as file:
        digest = graphs._lists_sha256(file["rows"], file["distances"], file["neighbours"])
    rewritten(path, sha256=lambda _: np.array(digest))


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    path.unlink()
    (path / "inside").mkdir(parents=True)


def a_link_to_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "empty": lambda path: path.write_bytes(b""),
    "no zip": lambda path: path.write_bytes(b"no zip"),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "zeros for neighbours": lambda path: rewritten(path, neighbours=np.zeros_like),
    "zeros for distances": lambda path: rewritten(path, distances=np.zeros_like),
    "NaN": lambda path: rewritten(path, distances=lambda array: array * np.nan),
    "without a checksum, as they were once": lambda path: rewritten(path, sha256=lambda _: None),
    "without rows": lambda path: rewritten(path, rows=lambda _: None),
    "sealed NaN": lambda path: sealed(path, distances=lambda array: array * np.float32(np.nan)),
    "sealed, negative distances": lambda path: sealed(path, distances=np.negative),
    "sealed, negative rows": lambda path: sealed(path, neighbours=lambda array: array - 9),
    "sealed, rows that are not there": lambda path: sealed(path, neighbours=lambda array: array + 9999),
    "sealed, lists of rows that are not there": lambda path: sealed(path, rows=lambda array: array + 9999),
    "sealed, too narrow": lambda path: sealed(path, neighbours=lambda array: array[:, :3].copy()),
    "sealed, too short": lambda path: sealed(path, distances=lambda array: array[:3].copy()),
    "sealed, of another type": lambda path: sealed(path, distances=lambda array: array.astype(np.float64)),
    "sealed, flat": lambda path: sealed(path, rows=lambda array: array[:, None].copy()),
    "pipe": a_pipe,
    "folder": a_folder,
    "link": a_link_to_nowhere,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_neighbours_are_searched_for_again(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    X, labels = embeddings(300), labels_of(300)
    found = ask(NeighbourGraph(X, labels, folder=tmp_path))
    files = sorted(tmp_path.rglob("*.npz"))
    assert len(files) > 1
    for path in files:
        DAMAGE[damage](path)
    again = NeighbourGraph(X, labels, folder=tmp_path)
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(ask(again), found)
    assert again.flops_done > 0
    (warning,) = caplog.records  # of all files
    assert "are damaged or old and will be searched for again" in warning.getMessage()
    mended = NeighbourGraph(X, labels, folder=tmp_path)
    np.testing.assert_array_equal(ask(mended), found)
    assert mended.flops_done == 0
    assert len(caplog.records) == 1


def test_where_classes_are_many_they_are_searched_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    X, labels = embeddings(400), labels_of(400, 40)
    among = np.flatnonzero(np.random.RandomState(0).uniform(size=400) < 0.6)
    searches: list[int] = []

    def counted(take: Any, queries: NDArray[np.int64], *more: Any) -> Any:
        searches.append(len(queries))
        return nearest(take, queries, *more)

    monkeypatch.setattr(graphs, "nearest", counted)
    graph = NeighbourGraph(X, labels)
    for label in range(40):
        queries = among[labels[among] == label]
        _, found = graph.neighbours(queries, among, 5)
        np.testing.assert_array_equal(found, by_scikit_learn(X, queries, among, 5))
    assert searches[0] == len(among)
    assert sum(searches) < 1.5 * len(among)  # lists that run short are searched for by themselves


def test_a_folder_that_cannot_be_written_costs_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    X, labels = embeddings(300), labels_of(300)
    (tmp_path / "file").write_text("no folder")
    found = ask(NeighbourGraph(X, labels, folder=tmp_path / "file" / "neighbours"))
    np.testing.assert_array_equal(found, ask(NeighbourGraph(X, labels)))
    assert "neighbours are not kept for other runs" in caplog.text


# What samplers make of them


def imbalanced(seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    draw = np.random.RandomState(seed)
    y = np.repeat([0, 1, 2], [120, 40, 25])[draw.permutation(185)]
    X = (draw.normal(size=(185, D)) + 0.6 * y[:, None]).astype(np.float32)
    return X, y


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000))
@pytest.mark.parametrize(
    "sampler",
    [
        SMOTE(),
        SMOTE(k_neighbors=3),
        BorderlineSMOTE(),
        BorderlineSMOTE(kind="borderline-2"),
        ADASYN(),
        RandomOverSampler(),
    ],
    ids=str,
)
def test_rows_are_those_that_imbalanced_learn_makes(sampler: Any, seed: int) -> None:
    X, y = imbalanced(seed)
    expected_rows, expected_labels = clone(sampler).set_params(random_state=np.random.RandomState(3)).fit_resample(X, y)
    augmented = toy.augmented(Augmenter(sampler), X, y, seed=3)
    made = len(expected_labels) - len(y)
    np.testing.assert_allclose(augmented.synthetic_embeddings[:made], expected_rows[len(y) :], atol=2e-6)
    np.testing.assert_array_equal(augmented.labels[:made], expected_labels[len(y) :])


def test_interpolated_rows_know_their_parents_and_lie_between_them() -> None:
    X, y = imbalanced(0)
    augmented = toy.augmented(Augmenter(SMOTE()), X, y)
    first, second = augmented.parents.T
    assert (y[first] == augmented.labels).all()
    assert (y[second] == augmented.labels).all()
    step = augmented.synthetic.step[:, None]
    np.testing.assert_allclose(augmented.synthetic_embeddings, (1 - step) * X[first] + step * X[second], atol=1e-6)


def test_synthetic_rows_take_no_room_until_they_are_asked_for() -> None:
    X = np.random.RandomState(0).normal(size=(2000, 768)).astype(np.float32)
    y = np.repeat([0, 1], [1900, 100])
    made = toy.augmented(Augmenter(SMOTE()), X, y).synthetic
    assert made.between.nbytes + made.step.nbytes + made.others.nbytes == 1800 * 12


def test_what_is_derived_from_a_sampler_gets_to_see_the_numbers() -> None:
    class Nosy(SMOTE):  # type: ignore[misc]
        seen: ClassVar[list[Any]] = []

        def _fit_resample(self, X: Any, y: Any) -> Any:
            self.seen.append(X)
            return super()._fit_resample(X, y)

    X, y = imbalanced(1)
    assert not interpolates(Nosy())
    toy.augmented(Augmenter(Nosy()), X, y)
    np.testing.assert_array_equal(Nosy.seen[0], X)


# The estimator


def test_the_estimator_serves_imbalanced_learn_by_itself() -> None:
    X, y = imbalanced(2)
    plain = SMOTE(random_state=np.random.RandomState(0)).fit_resample(X, y)[0]
    ours = SMOTE(random_state=np.random.RandomState(0), k_neighbors=Neighbours(6)).fit_resample(X, y)[0]
    np.testing.assert_allclose(ours, plain, atol=1e-6)


def test_the_estimator_answers_as_scikit_learn_s() -> None:
    X, asked = embeddings(60), embeddings(9, seed=1)
    ours, theirs = Neighbours(5).fit(X), NearestNeighbors(n_neighbors=5).fit(X)
    for rows in (X, asked, None):
        for mine, other in zip(ours.kneighbors(rows), theirs.kneighbors(rows), strict=True):
            np.testing.assert_allclose(mine, other, atol=1e-3)
        for mode in ("connectivity", "distance"):
            mine, other = (each.kneighbors_graph(rows, mode=mode).toarray() for each in (ours, theirs))
            np.testing.assert_allclose(mine, other, atol=1e-3)
    with pytest.raises(ValueError, match="Expected n_neighbors <= n_samples_fit"):
        ours.kneighbors(asked, n_neighbors=61)


def test_a_row_is_its_own_first_neighbour_also_among_equals() -> None:
    X = np.repeat(embeddings(5), 3, axis=0)
    _, places = Neighbours(3).fit(X).kneighbors(X)
    assert np.asarray(places)[:, 0].tolist() == list(range(15))


def test_cloning_shares_the_data_set() -> None:
    X, y = imbalanced(0)
    rows = TrainingRows.of(X, y)
    bound = Neighbours(6, "cosine").bound(rows.graph("cosine"), rows.index)
    copy = clone(bound)
    assert copy._graph is bound._graph
    assert copy.get_params() == bound.get_params()


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_an_approximate_search_says_its_recall(metric: str) -> None:
    X, y = imbalanced(0)
    search = nearest_neighbours(5, metric, approximate=True)
    augmented = toy.augmented(Augmenter(SMOTE(k_neighbors=search)), X, y)
    (entry,) = (row for row in augmented.diagnostics if "recall" in row)
    assert entry["neighbours"] == "approximate"
    assert 0.9 < entry["recall"] <= 1
    assert np.bincount(augmented.labels).tolist() == [0, 80, 95]


def test_without_faiss_the_exact_search_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'synaug\[approximate\]'"):
        nearest_neighbours(5, "cosine", approximate=True)
    X, y = embeddings(60), (np.arange(60) > 49).astype(np.int64)
    searched = SMOTE(k_neighbors=nearest_neighbours(5, "cosine"))
    assert len(toy.augmented(Augmenter(searched), X, y).labels) == 40


def test_a_metric_without_approximate_search_is_refused() -> None:
    with pytest.raises(ValueError, match="has no approximate search"):
        nearest_neighbours(5, "manhattan", approximate=True)
