"""The geometry of a scenario, where it is known."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from synaug.imbalance_ratio import ImbalanceRatio
from synaug.quality import geometry
from synaug.quality.distances import Rows, among_themselves
from synaug.quality.geometry import dimension, fisher_ratio, folds, nearest_mean, occurrences, overlap
from synaug.record.tables import GEOMETRY_COLUMNS
from synaug.splits import make_splits
from synaug.validation import Nested

Labels = NDArray[np.int64]


def gaussian(n: int, d: int, seed: int = 0) -> Rows:
    rows: Rows = np.random.RandomState(seed).normal(size=(n, d)).astype(np.float32)
    return rows


def sphere(n: int, d: int, width: int = 40) -> Rows:
    """Rows on a sphere of `d` dimensions, turned into a space of more."""
    rows = gaussian(n, d + 1)
    turn = np.linalg.qr(np.random.RandomState(1).normal(size=(width, width)))[0][: d + 1]
    turned: Rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True) @ turn).astype(np.float32)
    return turned


def two_classes(n: int, few: int, distance: float, d: int = 20, seed: int = 0) -> tuple[Rows, Labels]:
    labels = np.repeat([0, 1], [n, few]).astype(np.int64)
    rows = gaussian(n + few, d, seed)
    rows[:, 0] += (distance * labels).astype(np.float32)
    return rows, labels


@pytest.mark.parametrize(("d", "tolerance"), [(1, 0.05), (2, 0.05), (5, 0.06), (10, 0.12)])
def test_a_sphere_has_its_dimension(d: int, tolerance: float) -> None:
    assert dimension(among_themselves(sphere(1500, d))) == pytest.approx(d, rel=tolerance)


def test_rows_that_repeat_do_not_change_a_dimension() -> None:
    rows = sphere(600, 3)
    alone = dimension(among_themselves(rows))
    assert dimension(among_themselves(np.concatenate([rows, rows[:300]]))) == pytest.approx(alone, rel=0.2)
    assert np.isnan(dimension(among_themselves(np.ones((50, 3), np.float32))))


def test_the_mean_occurrence_is_k_and_its_skewness_grows_with_the_dimension() -> None:
    skewness = []
    for d in (2, 100):
        counts = occurrences(among_themselves(gaussian(500, d)), 10)
        assert counts.mean() == 10
        skewness.append(float(stats.skew(counts)))
    assert skewness[0] < 0.5 < 1.5 < skewness[1]


@pytest.mark.parametrize("few", [500, 50])
def test_classes_that_are_one_overlap_by_half_whatever_their_numbers(few: int) -> None:
    found = [overlap_of(*two_classes(500, few, 0.0, 3, seed)) for seed in range(5)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.05)


def test_classes_far_apart_do_not_overlap() -> None:
    assert overlap_of(*two_classes(300, 30, 30.0)) == 0


def overlap_of(rows: Rows, labels: Labels) -> float:
    misjudged = overlap(among_themselves(rows), labels)
    return float(np.mean([misjudged[labels == label].mean() for label in (0, 1)]))


@pytest.mark.parametrize("few", [400, 30])
def test_the_nearest_mean_has_the_accuracy_of_gaussians(few: int) -> None:
    for distance, accuracy in ((0.0, 0.5), (2.0, 0.841)):  # Φ(0) and Φ(1), less what the means' own error costs
        found = []
        for seed in range(20):
            rows, labels = two_classes(400, few, distance, 10, seed)
            right = nearest_mean(rows, labels)
            found.append([right[labels == label].mean() for label in (0, 1)])
        assert np.mean(found) == pytest.approx(accuracy, abs=0.04)
        # Few rows make a class seem no farther than many.
        assert np.diff(np.mean(found, axis=0)) == pytest.approx(0, abs=0.06)


def test_each_row_is_left_out_of_its_own_mean() -> None:
    rows, labels = two_classes(12, 7, 1.0, d=3)
    by_hand = []
    for row in range(len(rows)):
        away = []
        for label in (0, 1):
            own = np.flatnonzero(labels == label)
            others = rows[own[own != row]].astype(np.float64)
            variance = rows[own].astype(np.float64).var(axis=0, ddof=1).sum() / len(others)
            away.append(np.square(rows[row] - others.mean(axis=0)).sum() - variance)
        by_hand.append(away[labels[row]] < away[1 - labels[row]])
    np.testing.assert_array_equal(nearest_mean(rows, labels), by_hand)


def test_the_fisher_ratio_is_that_of_its_definition() -> None:
    rows, labels = two_classes(20000, 2000, 3.0, d=4)
    assert fisher_ratio(rows, labels) == pytest.approx(1.5**2 / 4, rel=0.05)
    assert np.isnan(fisher_ratio(np.repeat([[0.0], [1.0]], 3, axis=0).astype(np.float32), np.repeat([0, 1], 3)))


@pytest.mark.parametrize("few", [400, 20, 4, 2, 1])
def test_the_fisher_ratio_does_not_grow_as_rows_become_few(few: int) -> None:
    found = []
    for seed in range(20):
        draw = np.random.RandomState(seed)
        rows = draw.normal(size=(400 + few, 300)).astype(np.float32)
        rows[400:, 0] += 6
        found.append(fisher_ratio(rows, np.repeat([0, 1], [400, few])))
    # 3² / 300; without what few rows' mean scatters taken off, of 2 rows it would be .2.
    assert np.mean(found) == pytest.approx(0.03, abs=0.01)
    assert np.isnan(fisher_ratio(rows[:2], np.array([0, 1])))  # no variance is known


def test_the_table_is_of_the_rows_that_train_and_the_same_for_each_seed_alone() -> None:
    rows, labels = two_classes(600, 600, 2.0)
    names = ("many", "few")

    def table(*seeds: int, moved: float = 0.0) -> list[list[Any]]:
        ratio = ImbalanceRatio(4.0, minority=["few"])
        splits = make_splits("toy", labels, names, ratio, n_folds=6, seeds=seeds, validation=Nested(n_folds=2))
        embeddings = rows.copy()
        embeddings[splits[0].test] += moved
        found = geometry("toy", embeddings, labels, names, splits)
        assert found["columns"] == list(GEOMETRY_COLUMNS)
        return [row for row in found["data"] if not moved or row[:2] == [0, 0]]

    both = table(0, 1)
    assert [row for row in both if row[0] == 1] == table(1)
    assert {row[1] for row in both} == {0, 1, 2, 3, 4}
    assert table(0, moved=9.0) == [row for row in both if row[:2] == [0, 0]]
    counted = {row[2]: row[4] for row in both if row[:2] == [0, 0] and row[3] == "rows"}
    assert counted == {"many": 500, "few": 125, None: 625}
    assert all(row[4] is None or np.isfinite(row[4]) for row in both)


@pytest.mark.parametrize(("n_classes", "n_folds"), [(2, 5), (20, 5), (30, 3), (77, 1), (500, 1)])
def test_of_many_classes_few_folds_are_looked_into(n_classes: int, n_folds: int) -> None:
    assert folds(n_classes) == n_folds
    labels = np.repeat(np.arange(n_classes), 6).astype(np.int64)
    names = tuple(str(label) for label in range(n_classes))
    splits = make_splits(
        "toy", labels, names, ImbalanceRatio(None), n_folds=6, seeds=(0,), validation=Nested(n_folds=2)
    )
    table = geometry("toy", gaussian(len(labels), 3), labels, names, splits)
    assert {row[1] for row in table["data"]} == {*range(n_folds)}
    assert len(table["data"]) < 4 * max(100, n_classes) + 50
