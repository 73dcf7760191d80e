"""Our own samplers without a network, against what their formulas say of many rows."""

import tracemalloc
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from imblearn.over_sampling import SMOTE
from numpy.typing import NDArray
from scipy import sparse, stats
from sklearn.covariance import ledoit_wolf, oas
from sklearn.neighbors import NearestNeighbors

from synaug.augmenter import (
    EOS,
    GE3,
    MGS,
    Augmenter,
    DistributionCalibration,
    Gaussian,
    Mixup,
    Remix,
    Slerp,
    TooFewRowsError,
    nearest_neighbours,
)
from synaug.augmenter.geometry.slerp import slerp
from synaug.errors import UserError
from tests.toy import augmented

# Rows drawn for a moment: a variance is then met to about √(2 / MANY), less than a percent.
MANY = 120_000
CLOSE = 0.03

Array = NDArray[Any]


def classes(counts: Sequence[int], d: int = 4, seed: int = 0) -> tuple[Array, Array]:
    """Shuffled float32 rows; each class with a mean and a covariance of its own, and norms far from 1."""
    draw = np.random.RandomState(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    X = np.concatenate([draw.normal(size=(n, d)) @ draw.normal(size=(d, d)) + 2 * draw.normal(size=d) for n in counts])
    order = draw.permutation(len(y))
    return X[order].astype(np.float32), y[order]


def new_rows(sampler: Any, X: Array, y: Array, n: int = MANY, label: int = 1, seed: int = 0) -> Array:
    """`n` new rows of one class, as they come from the sampler itself."""
    sampler.set_params(random_state=np.random.RandomState(seed), sampling_strategy={label: int((y == label).sum()) + n})
    rows, labels = sampler.fit_resample(X, y)
    assert rows.dtype == X.dtype
    np.testing.assert_array_equal(rows[: len(X)], X)
    np.testing.assert_array_equal(labels[len(X) :], label)
    made: Array = rows[len(X) :].astype(np.float64)
    assert len(made) == n
    return made


def assert_moments(rows: Array, mean: Array, covariance: Array) -> None:
    """Both within `CLOSE` of the largest standard deviation, or variance."""
    variance = np.linalg.eigvalsh(covariance).max()
    np.testing.assert_allclose(rows.mean(0), mean, atol=CLOSE * np.sqrt(variance))
    np.testing.assert_allclose(np.cov(rows.T, bias=True), covariance, atol=CLOSE * variance)


def steps_between(rows: Array, X: Array, parents: Array) -> Array:
    """How far each row has come from its first parent to its second, having seen that it lies on that line."""
    first, second = X[parents.T].astype(np.float64)
    along = second - first
    steps: Array = ((rows - first) * along).sum(1) / (along**2).sum(1)
    np.testing.assert_allclose(rows, first + steps[:, None] * along, atol=1e-5 * np.abs(X).max())
    return steps


# SMOTE, as shipped


@pytest.mark.parametrize("n", [5, 12])
def test_smote_with_all_rows_as_neighbours_has_two_thirds_of_the_covariance(n: int) -> None:
    # x = a + u (b - a), u uniform: E[u²] + E[(1 - u)²] = 2/3 of the covariance S, and 2 E[u (1 - u)] = 1/3 of that
    # between a and b, which is -S / (n - 1), as b is another row than a.
    X, y = classes((n + 10, n))
    found = augmented(Augmenter(SMOTE(k_neighbors=n - 1), amount=MANY / 10), X, y)
    rows = X[y == 1].astype(np.float64)
    assert len(found.labels) == MANY
    factor = 2 / 3 - 1 / (3 * (n - 1))
    assert_moments(found.synthetic_embeddings, rows.mean(0), factor * np.cov(rows.T, bias=True))


# GE3


def test_ge3_keeps_the_centred_source_rows() -> None:
    X, y = classes((50, 20, 7, 1))
    sampler: Any = GE3()
    for label in (2, 3):
        made = new_rows(sampler, X, y, 70, label)
        source = sampler.parents_[:, 0]
        assert set(y[source]) == {0, 1, 2, 3} - {label} - {3}
        assert len(set(source)) == 70
        means = np.stack([X[y == each].mean(0, dtype=np.float64) for each in range(4)])
        np.testing.assert_allclose(made - means[label], X[source] - means[y[source]], atol=1e-5)


def test_ge3_takes_no_source_row_a_second_time_before_all_were_taken() -> None:
    X, y = classes((30, 10, 5))
    sampler: Any = GE3()
    new_rows(sampler, X, y, 100, 1)
    assert sorted(np.bincount(sampler.parents_[:, 0], minlength=45)[y != 1]) == [2] * 5 + [3] * 30
    found = augmented(Augmenter(GE3()), X, y)
    assert all(len(np.unique(found.parents[found.labels == label], axis=0)) == 30 - n for label, n in ((1, 10), (2, 5)))


def test_ge3_needs_another_class_with_a_spread() -> None:
    X, y = classes((1, 5))
    with pytest.raises(TooFewRowsError, match="no class other than 1 has the 2 rows that GE3 needs"):
        new_rows(GE3(), X, y, 3)


# EOS


def test_rows_of_eos_lie_on_segments_to_enemies_among_the_nearest_rows() -> None:
    X, y = classes((60, 20, 12), d=6)
    sampler: Any = EOS(m_neighbors=7)
    steps = steps_between(new_rows(sampler, X, y, 4000), X, sampler.parents_)
    base, enemy = sampler.parents_.T
    assert set(y[base]) == {1}
    assert set(y[enemy]) == {0, 2}
    near = NearestNeighbors(n_neighbors=8).fit(X).kneighbors(X, return_distance=False)[:, 1:]
    pairs = {(row, other) for row in np.flatnonzero(y == 1) for other in near[row] if y[other] != 1}
    assert set(map(tuple, sampler.parents_.tolist())) == pairs
    assert stats.kstest(steps, "uniform").pvalue > 0.01
    # Each base as often as another, and of a base's enemies each.
    with_enemies = sorted({row for row, _ in pairs})
    assert len(with_enemies) < 20  # so that it is told that others give none
    assert stats.chisquare(np.bincount(base)[with_enemies]).pvalue > 0.01
    one = max(with_enemies, key=lambda row: sum(first == row for first, _ in pairs))
    of_one = np.bincount(enemy[base == one])
    assert stats.chisquare(of_one[of_one > 0]).pvalue > 0.01


def test_rows_of_eos_stay_on_the_minority_s_half_where_so_set() -> None:
    X, y = classes((60, 20))
    sampler: Any = EOS(reach=0.5)
    steps = steps_between(new_rows(sampler, X, y, 2000), X, sampler.parents_)
    assert stats.kstest(steps * 2, "uniform").pvalue > 0.01


def test_eos_of_classes_far_apart_is_told_to_look_farther() -> None:
    X, y = classes((60, 20))
    X[y == 1] += 100
    with pytest.raises(TooFewRowsError, match="has a row of another class among its 10 nearest; EOS needs one"):
        new_rows(EOS(), X, y, 5)
    entry = augmented(Augmenter(EOS()), X, y).balance[1]
    assert entry.made == entry.made_by_fallback == 40
    assert "raise augmenter.m_neighbors or use augmenter=smote" in (entry.reason or "")
    assert len(new_rows(EOS(m_neighbors=1000), X, y, 5)) == 5  # all rows, where there are fewer


# Mixup and Remix


@pytest.mark.parametrize("alpha", [0.2, 1.0, 5.0])
@pytest.mark.parametrize("n", [2, 6])
def test_the_covariance_of_mixup_follows_from_the_moments_of_beta(alpha: float, n: int) -> None:
    X, y = classes((n + 10, n))
    sampler: Any = Mixup(alpha=alpha)
    made = new_rows(sampler, X, y)
    rows = X[y == 1].astype(np.float64)
    c = (alpha + 1) / (2 * alpha + 1)
    assert_moments(made, rows.mean(0), (c - (1 - c) / (n - 1)) * np.cov(rows.T, bias=True))
    assert (sampler.parents_[:, 0] != sampler.parents_[:, 1]).all()
    assert (
        stats.kstest(steps_between(made[:3000], X, sampler.parents_[:3000]), stats.beta(alpha, alpha).cdf).pvalue > 0.01
    )


@pytest.mark.parametrize(("alpha", "kappa", "tau"), [(1.0, 3.0, 0.5), (0.4, 4.0, 0.3), (2.0, 1.5, 0.8)])
def test_remix_makes_the_rows_that_its_rule_gives_to_the_minority(alpha: float, kappa: float, tau: float) -> None:
    counts = np.array([60, 10, 45, 30, 15])
    X, y = classes(counts.tolist())
    sampler: Any = Remix(alpha=alpha, kappa=kappa, tau=tau)
    made = new_rows(sampler, X, y, 3000)
    own, other = sampler.parents_.T
    weights = 1 - steps_between(made, X, sampler.parents_)  # of the minority's row
    assert set(y[own]) == {1}
    assert set(y[other]) == set(np.flatnonzero(counts / 10 >= kappa))
    # The rule itself, the minority's row as the first of the two.
    ratios = counts[y[own]] / counts[y[other]]
    assert ((ratios <= 1 / kappa) & (1 - weights < tau + 1e-4)).all()
    beta = stats.beta(alpha, alpha)
    assert stats.kstest(1 - weights, lambda share: beta.cdf(np.minimum(share, tau)) / beta.cdf(tau)).pvalue > 0.01


def test_remix_needs_a_class_large_enough() -> None:
    X, y = classes((29, 10))
    with pytest.raises(TooFewRowsError, match="class 1 has 10 rows, but Remix needs another class with at least 3"):
        new_rows(Remix(), X, y, 5)
    entry = augmented(Augmenter(Remix()), X, y).balance[1]
    assert (entry.made, entry.made_by_fallback) == (19, 19)
    assert (entry.reason or "").endswith("SMOTE with k_neighbors=5 made 19 in its place")


@pytest.mark.parametrize("sampler", [EOS(), Mixup(), Remix()], ids=lambda each: type(each).__name__)
def test_a_row_between_two_is_kept_as_two_numbers_and_a_step(sampler: Any) -> None:
    X, y = classes((40, 12), d=9)
    found = augmented(Augmenter(sampler), X, y)
    assert len(found.synthetic.others) == 0
    assert (found.parents >= 0).all()
    state = np.random.RandomState(0)
    rows, _ = sampler.set_params(random_state=state, sampling_strategy={1: 40}).fit_resample(X, y)
    np.testing.assert_allclose(found.synthetic_embeddings, rows[len(X) :], atol=1e-5)
    np.testing.assert_array_equal(np.sort(found.parents), np.sort(sampler.parents_))


# Slerp


def angles(first: Array, second: Array) -> Array:
    across = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    found: Array = np.arccos(np.clip((first * second).sum(1) / across, -1, 1))
    return found


def test_slerp_keeps_unit_length_and_stays_on_the_great_circle() -> None:
    X, y = classes((40, 15), d=8)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    sampler: Any = Slerp(k_neighbors=4)
    made = new_rows(sampler, X, y, 3000)
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, atol=1e-6)
    a, b = X[sampler.parents_.T].astype(np.float64)
    whole, part = angles(a, b), angles(a, made)
    np.testing.assert_allclose(part + angles(made, b), whole, atol=1e-4)
    assert stats.kstest(part / whole, "uniform").pvalue > 0.01
    own = X[y == 1]
    near = NearestNeighbors(n_neighbors=5).fit(own).kneighbors(own, return_distance=False)[:, 1:]
    numbers = np.flatnonzero(y == 1)
    expected = {(numbers[row], numbers[other]) for row in range(15) for other in near[row]}
    assert set(map(tuple, sampler.parents_.tolist())) == expected


def test_slerp_interpolates_the_length_of_rows_that_have_others() -> None:
    X, y = classes((40, 15), d=8)
    sampler: Any = Slerp()
    made = new_rows(sampler, X, y, 500)
    a, b = X[sampler.parents_.T].astype(np.float64)
    step = angles(a, made) / angles(a, b)
    lengths = (1 - step) * np.linalg.norm(a, axis=1) + step * np.linalg.norm(b, axis=1)
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), lengths, rtol=1e-3)


def test_slerp_of_rows_without_a_great_circle_keeps_the_first_s_direction() -> None:
    a = np.array([[3.0, 4.0], [3.0, 4.0], [3.0, 4.0], [0.0, 0.0], [1.0, 0.0]])
    b = np.array([[-3.0, -4.0], [6.0, 8.0], [3.0, 4.0], [1.0, 0.0], [0.0, 1.0]])
    made = slerp(a, b, np.full(5, 0.5))
    expected = np.array([[3.0, 4.0], [4.5, 6.0], [3.0, 4.0], [0.5, 0.0], [0.5**0.5, 0.5**0.5]])
    np.testing.assert_allclose(made, expected, atol=1e-9)


# MGS and the Gaussian


def test_mgs_with_all_rows_as_neighbours_has_the_class_s_mean_and_covariance() -> None:
    X, y = classes((30, 7))
    rows = X[y == 1].astype(np.float64)
    assert_moments(new_rows(MGS(k_neighbors=6), X, y), rows.mean(0), np.cov(rows.T, bias=True))


def test_mgs_draws_around_the_mean_of_a_row_and_its_neighbours() -> None:
    X, y = classes((30, 6))
    rows = X[y == 1].astype(np.float64)
    sampler: Any = MGS(k_neighbors=2)
    made = new_rows(sampler, X, y)
    centres = sampler.parents_[:, 0]
    assert stats.chisquare(np.bincount(centres, minlength=len(y))[y == 1]).pvalue > 0.01
    near = NearestNeighbors(n_neighbors=3).fit(rows).kneighbors(rows, return_distance=False)
    for row, number in enumerate(np.flatnonzero(y == 1)):
        local = rows[near[row]]
        assert_moments(made[centres == number], local.mean(0), np.cov(local.T, bias=True))


@pytest.mark.parametrize("shrinkage", ["oas", "ledoit_wolf", 0.0, 0.3, 1.0])
@pytest.mark.parametrize("n", [3, 12])
def test_a_gaussian_has_the_class_s_mean_and_its_shrunk_covariance(shrinkage: Any, n: int) -> None:
    X, y = classes((30, n))
    rows = X[y == 1].astype(np.float64)
    sampler: Any = Gaussian(shrinkage=shrinkage)
    made = new_rows(sampler, X, y)
    if isinstance(shrinkage, str):
        covariance, expected = {"oas": oas, "ledoit_wolf": ledoit_wolf}[shrinkage](rows)
    else:
        plain, expected = np.cov(rows.T, bias=True), shrinkage
        covariance = (1 - shrinkage) * plain + shrinkage * np.trace(plain) / 4 * np.eye(4)
    assert sampler.diagnostics_ == [{"class": 1, "rows": n, "shrinkage": pytest.approx(expected)}]
    assert 0 < expected < 1 or not isinstance(shrinkage, str)
    assert_moments(made, rows.mean(0), covariance)


def test_of_two_rows_ledoit_and_wolf_s_formula_shrinks_nothing_and_the_default_much() -> None:
    X, y = classes((30, 2), d=50)
    sampler: Any = Gaussian(shrinkage="ledoit_wolf")
    made = new_rows(sampler, X, y, 100)
    assert sampler.diagnostics_[0]["shrinkage"] == pytest.approx(0, abs=1e-6)
    assert np.linalg.matrix_rank(made - made.mean(0), tol=1e-3) == 1
    sampler = Gaussian()
    made = new_rows(sampler, X, y, 100)
    assert sampler.diagnostics_[0]["shrinkage"] > 0.5
    assert np.linalg.matrix_rank(made - made.mean(0), tol=1e-3) == 50


@pytest.mark.parametrize(
    "sampler", [Gaussian(), MGS(), DistributionCalibration()], ids=lambda each: type(each).__name__
)
def test_a_feature_that_never_varies_keeps_its_value(sampler: Any) -> None:
    X, y = classes((40, 12))
    X[:, 2] = 0.25
    X[:, 3] = np.random.RandomState(1).normal(0.125, 5e-9, size=len(X))
    made = new_rows(sampler, X, y, 100)
    np.testing.assert_allclose(made[:, 2:], [[0.25, 0.125]] * 100, atol=1e-6)
    assert made[:, :2].std(axis=0).min() > 0.1


# Distribution calibration


def expected_calibration(X: Array, y: Array, row: Array, k: int, alpha: float, own: int) -> tuple[Array, Array]:
    """The paper's mean and covariance around one row, spelled out."""
    larger = [X[y == each] for each in np.unique(y) if (y == each).sum() > own]
    near = sorted(larger, key=lambda rows: float(np.linalg.norm(rows.mean(0) - row)))[:k]
    mean = (row + sum(rows.mean(0) for rows in near)) / (len(near) + 1)
    covariance = sum(np.cov(rows.T) for rows in near) / len(near)
    return mean, covariance + alpha * np.trace(covariance) / X.shape[1] * np.eye(X.shape[1])


@pytest.mark.parametrize("counts", [(30, 3), (30, 3, 25, 2, 20)], ids=["two classes", "several"])
@pytest.mark.parametrize("alpha", [0.0, 0.5])
def test_a_row_s_gaussian_is_calibrated_by_the_nearest_larger_classes(counts: Sequence[int], alpha: float) -> None:
    X, y = classes(counts)
    exact = X.astype(np.float64)
    sampler: Any = DistributionCalibration(alpha=alpha)
    made = new_rows(sampler, X, y)
    assert np.bincount(sampler.parents_[:, 0])[y[: sampler.parents_.max() + 1] == 1].tolist() == [MANY / 3] * 3
    for number in np.flatnonzero(y == 1):
        mean, covariance = expected_calibration(exact, y, exact[number], 2, alpha, own=3)
        assert_moments(made[sampler.parents_[:, 0] == number], mean, covariance)
    (told,) = sampler.diagnostics_
    assert set(told["base"]) == {str(each) for each, n in enumerate(counts) if n > 3}
    assert sum(told["base"].values()) == 3 * min(2, len(told["base"]))


def test_the_mean_may_stay_the_row_s_own() -> None:
    X, y = classes((30, 3, 25, 20))
    exact = X.astype(np.float64)
    sampler: Any = DistributionCalibration(calibrate_mean=False)
    made = new_rows(sampler, X, y)
    for number in np.flatnonzero(y == 1):
        _, covariance = expected_calibration(exact, y, exact[number], 2, 0.21, own=3)
        assert_moments(made[sampler.parents_[:, 0] == number], exact[number], covariance)


def test_tukey_s_power_is_undone_after_drawing() -> None:
    X, y = classes((30, 1, 25))
    exact = np.sign(X) * np.abs(X.astype(np.float64)) ** 0.5
    assert (exact < 0).any()
    made = new_rows(DistributionCalibration(tukey=0.5), X, y)
    mean, covariance = expected_calibration(exact, y, exact[y == 1][0], 2, 0.21, own=1)
    assert_moments(np.sign(made) * np.abs(made) ** 0.5, mean, covariance)


def test_calibration_needs_a_larger_class() -> None:
    X, y = classes((5, 5))
    with pytest.raises(TooFewRowsError, match="no class has more rows than class 1, but distribution calibration"):
        new_rows(DistributionCalibration(), X, y, 3)


# What all have in common


def test_calibration_of_many_classes_holds_few_covariances_at_a_time() -> None:
    counts = [30] * 40 + [8] * 37
    X, y = classes(counts, 200)
    wanted = {label: n + 4 for label, n in enumerate(counts) if n < 30}
    tracemalloc.start()
    DistributionCalibration(sampling_strategy=wanted, random_state=0).fit_resample(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # Forty classes lend their covariances; eight are held, and a draw takes some bytes, too.
    assert peak < 16 * 8 * 200**2 + 4 * X.nbytes


ALL = [GE3, EOS, MGS, DistributionCalibration, Mixup, Remix, Slerp, Gaussian]
every = pytest.mark.parametrize("kind", ALL)


@every
def test_the_draws_of_a_class_do_not_depend_on_which_others_are_wanted(kind: Any) -> None:
    X, y = classes((40, 12, 10))
    both, labels = kind(random_state=np.random.RandomState(0), sampling_strategy={1: 40, 2: 40}).fit_resample(X, y)
    alone, of = kind(random_state=np.random.RandomState(0), sampling_strategy={2: 40}).fit_resample(X, y)
    np.testing.assert_array_equal(both[labels == 2], alone[of == 2])


@every
def test_sparse_rows_and_names_as_labels_are_served(kind: Any) -> None:
    X, y = classes((40, 12))
    dense, _ = kind(random_state=np.random.RandomState(0)).fit_resample(X, y)
    rows, labels = kind(random_state=np.random.RandomState(0)).fit_resample(
        sparse.csr_matrix(X), np.array(["ham", "spam"])[y]
    )
    assert sparse.isspmatrix_csr(rows)
    np.testing.assert_allclose(rows.toarray(), dense, atol=1e-5)
    assert labels[len(X) :].tolist() == ["spam"] * 28


OWN = "made by itself"
SMALL = {
    GE3: [OWN, OWN, OWN],
    EOS: [OWN, OWN, OWN],
    Remix: [OWN, OWN, OWN],
    DistributionCalibration: [OWN, OWN, OWN],
    Mixup: ["repetition", OWN, OWN],
    Gaussian: ["repetition", OWN, OWN],
    MGS: ["repetition", "MGS with k_neighbors=1", "MGS with k_neighbors=2"],
    Slerp: ["repetition", "Slerp with k_neighbors=1", "Slerp with k_neighbors=2"],
}


@every
@pytest.mark.parametrize("rows", [1, 2, 3])
def test_what_is_done_for_one_two_and_three_rows(kind: Any, rows: int) -> None:
    X, y = classes((20, rows), d=10)
    entry = augmented(Augmenter(kind()), X, y).balance[1]
    how = SMALL[kind][rows - 1]
    if how == OWN:
        assert (entry.made, entry.made_by_fallback, entry.reason) == (20 - rows, 0, None)
    else:
        assert entry.made == entry.made_by_fallback == 20 - rows
        assert (entry.reason or "").endswith(f"; {how} made {20 - rows} in its place")


@pytest.mark.parametrize("kind", [MGS, Slerp])
def test_neighbours_may_be_a_search_as_in_imbalanced_learn(kind: Any) -> None:
    X, y = classes((40, 12))
    by_number = new_rows(kind(k_neighbors=3), X, y, 50)
    for search in (nearest_neighbours(3, "euclidean"), NearestNeighbors(n_neighbors=4)):
        np.testing.assert_allclose(new_rows(kind(k_neighbors=search), X, y, 50), by_number, atol=1e-5)
    assert (new_rows(kind(k_neighbors=nearest_neighbours(3, "cosine")), X, y, 50) != by_number).any()


def test_enemies_may_be_found_by_a_search_as_in_imbalanced_learn() -> None:
    X, y = classes((40, 12))
    by_number = augmented(Augmenter(EOS(m_neighbors=6)), X, y)
    by_search = augmented(Augmenter(EOS(m_neighbors=NearestNeighbors(n_neighbors=7))), X, y)
    np.testing.assert_array_equal(by_search.parents, by_number.parents)
    np.testing.assert_array_equal(by_search.synthetic_embeddings, by_number.synthetic_embeddings)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: EOS(m_neighbors=0), "augmenter.m_neighbors=0 must be at least 1"),
        (lambda: EOS(reach=1.5), "augmenter.reach=1.5 must be at most 1"),
        (lambda: MGS(k_neighbors=0), "augmenter.k_neighbors=0 must be at least 1"),
        (lambda: Slerp(k_neighbors="x"), "augmenter.k_neighbors=x must be a whole number"),
        (lambda: Mixup(alpha=0), "augmenter.alpha=0 must be above 0"),
        (lambda: Remix(kappa=0.5), "augmenter.kappa=0.5 must be at least 1"),
        (lambda: Remix(tau=0), "augmenter.tau=0 must be above 0"),
        (lambda: Gaussian(shrinkage="lw"), "augmenter.shrinkage=lw must be one of oas, ledoit_wolf"),
        (lambda: Gaussian(shrinkage=2), "augmenter.shrinkage=2 must be one of oas, ledoit_wolf"),
        (lambda: DistributionCalibration(base_classes=0), "augmenter.base_classes=0 must be at least 1"),
        (lambda: DistributionCalibration(tukey=0), "augmenter.tukey=0 must be at least 0.01"),
    ],
)
def test_a_setting_out_of_range_gets_a_sentence(make: Any, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        make()
    assert str(caught.value).startswith(sentence)
