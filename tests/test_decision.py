"""Decision rules, against Bayes and brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax
from scipy.stats import norm

from synaug.scores.decision import CANDIDATES, OutOfFold, shift
from synaug.scores.prior_correction import corrected, prior_correction
from synaug.scores.tuned_offsets import RIDGE, tune

UNIFORM2, UNIFORM3 = np.full(2, 1 / 2), np.full(3, 1 / 3)
SKEWED = np.array([0.9, 0.08, 0.02])
MEANS = np.array([-1.0, 0.0, 1.5])


PRIOR_CORRECTED, TUNED = CANDIDATES


def known(
    log_probabilities: NDArray[np.float64],
    labels: NDArray[np.int64],
    target: NDArray[np.float64] | None = None,
    n_parts: int = 5,
) -> OutOfFold:
    """Out-of-fold rows, of each class dealt into parts; target uniform unless given."""
    parts = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        parts[labels == label] = np.arange((labels == label).sum()) % n_parts
    n_classes = log_probabilities.shape[1]
    return OutOfFold(log_probabilities, labels, parts, np.full(n_classes, 1 / n_classes) if target is None else target)


def tuned(
    log_probabilities: NDArray[np.float64], labels: NDArray[np.int64], target: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The offset that these rows choose."""
    return TUNED.offset(known(log_probabilities, labels, target))


def posterior(x: NDArray[np.float64], prior: NDArray[np.float64]) -> NDArray[np.float64]:
    """p(y | x) `[n, 3]` of three Gaussians, by Bayes' rule from their densities."""
    joint = norm.pdf(x[:, None], MEANS) * prior
    share: NDArray[np.float64] = joint / joint.sum(1, keepdims=True)
    return share


def weighted_log_loss(
    log_probabilities: NDArray[np.float64], labels: NDArray[np.int64], target: NDArray[np.float64]
) -> float:
    """Mean log loss of each class, weighted with the target."""
    own = -log_probabilities[np.arange(len(labels)), labels]
    return float(sum(weight * own[labels == label].mean() for label, weight in enumerate(target)))


def drawn(counts: tuple[int, ...], seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Log probabilities of a model trained on skewed classes, and labels of other counts."""
    labels = np.repeat(np.arange(3), counts)
    x = np.random.RandomState(seed).normal(MEANS[labels])
    return np.log(posterior(x, SKEWED)), labels


@pytest.mark.parametrize("target", [UNIFORM3, np.array([0.2, 0.3, 0.5]), SKEWED])
def test_prior_correction_is_bayes_under_label_shift(target: NDArray[np.float64]) -> None:
    x = np.linspace(-6, 6, 101)
    said = corrected(np.log(posterior(x, SKEWED)), SKEWED, target)
    np.testing.assert_allclose(np.exp(said), posterior(x, target), rtol=1e-9)
    np.testing.assert_allclose(said, np.log(shift(np.log(posterior(x, SKEWED)), prior_correction(SKEWED, target))))


def test_prior_correction_does_nothing_where_the_model_trained_on_the_target() -> None:
    np.testing.assert_array_equal(prior_correction(UNIFORM3, UNIFORM3), 0)
    np.testing.assert_array_equal(prior_correction(SKEWED, SKEWED), 0)


def test_prior_correction_by_hand() -> None:
    # From 3:1 to 1:1: odds of 3:2 become 3/3 : 2/1 = 1:2.
    said = corrected(np.log([[0.6, 0.4]]), np.array([0.75, 0.25]), UNIFORM2)
    np.testing.assert_allclose(np.exp(said), [[1 / 3, 2 / 3]])


def test_each_of_several_models_is_corrected_by_its_own_prior() -> None:
    x, priors = np.linspace(-3, 3, 20), np.array([SKEWED, SKEWED[::-1], UNIFORM3])
    said = corrected(np.log([posterior(x, prior) for prior in priors]), priors, UNIFORM3)
    for of_model in np.exp(said):
        np.testing.assert_allclose(of_model, posterior(x, UNIFORM3), rtol=1e-9)


def test_no_offset_gives_the_probabilities_back() -> None:
    x = np.linspace(-3, 3, 20)
    np.testing.assert_allclose(shift(np.log(posterior(x, SKEWED)), np.zeros(3)), posterior(x, SKEWED), rtol=1e-12)


@given(
    st.lists(st.lists(st.floats(-1000, 0), min_size=4, max_size=4), min_size=1, max_size=20),
    st.lists(st.floats(-50, 50), min_size=4, max_size=4),
)
def test_shifted_probabilities_are_probabilities(logs: list[list[float]], offset: list[float]) -> None:
    log_probabilities = np.array(logs)
    shifted = shift(log_probabilities, np.array(offset))
    assert ((shifted >= 0) & (shifted <= 1)).all()  # not 1 + 1e-16: torchmetrics would take that for a logit
    np.testing.assert_allclose(shifted.sum(1), 1, rtol=1e-12)
    sums = log_probabilities + np.array(offset)
    decided = shifted.argmax(1)
    np.testing.assert_allclose(sums[np.arange(len(sums)), decided], sums.max(1), atol=1e-9)


def test_extreme_log_probabilities_do_not_overflow() -> None:
    shifted = shift(np.array([[-1000.0, 0.0], [0.0, -1000.0], [-1e30, 0.0]]), np.array([700.0, -700.0]))
    np.testing.assert_allclose(shifted, [[1, 0], [1, 0], [0, 1]], atol=1e-12)


def test_tuning_finds_the_prior_correction_where_that_is_bayes() -> None:
    log_probabilities, labels = drawn((20_000, 20_000, 20_000))
    found, bayes = tuned(log_probabilities, labels, UNIFORM3), prior_correction(SKEWED, UNIFORM3)
    np.testing.assert_allclose(found, bayes - bayes.mean(), atol=0.06)


def test_tuning_is_the_same_for_any_class_counts_but_for_chance() -> None:
    many, few = (tuned(*drawn(counts), UNIFORM3) for counts in ((20_000,) * 3, (40_000, 4_000, 2_000)))
    np.testing.assert_allclose(many, few, atol=0.15)


@pytest.mark.parametrize("target", [UNIFORM3, np.array([0.2, 0.3, 0.5])])
@pytest.mark.parametrize("counts", [(50, 50, 50), (80, 10, 3)])
def test_tuning_lowers_the_weighted_log_loss(counts: tuple[int, ...], target: NDArray[np.float64]) -> None:
    log_probabilities, labels = drawn(counts)
    shifted = np.log(shift(log_probabilities, tuned(log_probabilities, labels, target)))
    before, after = (weighted_log_loss(each, labels, target) for each in (log_probabilities, shifted))
    assert after < before - 0.1
    bayes = np.log(shift(log_probabilities, prior_correction(SKEWED, target)))
    assert after <= weighted_log_loss(bayes, labels, target) + 1e-3


@pytest.mark.parametrize("counts", [(400, 400, 400), (300, 60, 20)])
def test_tuned_probabilities_are_on_average_the_target(counts: tuple[int, ...]) -> None:
    # The gradient's zero: weighted as the target, rows are given each class as often as it comes.
    log_probabilities, labels = drawn(counts)
    target = np.array([0.2, 0.3, 0.5])
    shifted = shift(log_probabilities, tuned(log_probabilities, labels, target))
    mean = sum(weight * shifted[labels == label].mean(0) for label, weight in enumerate(target))
    np.testing.assert_allclose(mean, target, atol=2e-3)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 60), st.integers(5, 60), st.floats(0.1, 0.9))
def test_tuning_two_classes_matches_brute_force(seed: int, n_first: int, n_second: int, share: float) -> None:
    draw = np.random.RandomState(seed)
    labels = np.repeat([0, 1], [n_first, n_second])
    logits = draw.normal(labels * 1.0, 1.5) - 2
    log_probabilities = -np.logaddexp(0, np.stack([logits, -logits], axis=1))
    target = np.array([1 - share, share])

    def loss(second: float) -> float:
        shifted = np.log(shift(log_probabilities, np.array([0, second])))
        return weighted_log_loss(shifted, labels, target)

    best = minimize_scalar(loss, bounds=(-15, 15), method="bounded", options={"xatol": 1e-6})
    grid = min(map(loss, np.linspace(-15, 15, 301)))
    assert best.fun <= grid + 1e-9  # one valley
    found = tuned(log_probabilities, labels, target)
    assert loss(found[1] - found[0]) <= best.fun + 1e-5
    assert found[1] - found[0] == pytest.approx(best.x, abs=0.02)


def test_tuning_is_deterministic_and_centred() -> None:
    log_probabilities, labels = drawn((50, 20, 10))
    first, again = (tuned(log_probabilities, labels, UNIFORM3) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.sum() == pytest.approx(0, abs=1e-12)
    order = np.random.RandomState(0).permutation(len(labels))
    np.testing.assert_allclose(tuned(log_probabilities[order], labels[order], UNIFORM3), first, atol=1e-4)


def test_tuning_follows_the_classes_whatever_their_order() -> None:
    log_probabilities, labels = drawn((50, 20, 10))
    target = np.array([0.5, 0.3, 0.2])
    turned = tuned(log_probabilities[:, ::-1], 2 - labels, target[::-1])
    np.testing.assert_allclose(turned[::-1], tuned(log_probabilities, labels, target), atol=1e-3)


def test_tuning_stays_finite_where_rows_are_separable() -> None:
    labels = np.repeat([0, 1], 10)
    one_sided = np.where(labels == 1, -1.0, -3.0)  # both are taken for class 0, and a threshold parts them
    log_probabilities = np.stack([np.log1p(-np.exp(one_sided)), one_sided], axis=1)
    found = tuned(log_probabilities, labels, UNIFORM2)
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 20
    assert (shift(log_probabilities, found).argmax(1) == labels).all()

    certain = np.log(np.clip(np.eye(2)[labels], 1e-300, 1))
    assert np.isfinite(tuned(certain, labels, UNIFORM2)).all()


def test_an_offset_that_costs_nothing_does_not_run_away() -> None:
    # Rows of class 0 are sure beyond any offset; those of class 1 would have it grow for ever.
    labels = np.repeat([0, 1], 5)
    log_probabilities = np.array([[0.0, -1000.0]] * 5 + [[np.log1p(-np.exp(-5)), -5.0]] * 5)
    found = tuned(log_probabilities, labels, UNIFORM2)
    assert 5 < found[1] - found[0] < 12
    assert shift(log_probabilities, found)[5:, 1].min() > 0.99


def test_tuning_takes_log_probabilities_of_minus_1000() -> None:
    labels = np.array([0, 0, 1, 1])
    log_probabilities = np.array([[0.0, -1000.0], [0.0, -1000.0], [0.0, -1000.0], [-1000.0, 0.0]])
    found = tuned(log_probabilities, labels, UNIFORM2)
    assert np.isfinite(found).all()
    assert np.isfinite(shift(log_probabilities, found)).all()


def test_one_row_of_a_class_is_enough() -> None:
    found = tuned(np.log([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]]), np.array([0, 0, 1]), UNIFORM2)
    assert found[1] > found[0]


# The solver


def risk(
    offset: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.int64], weights: NDArray[np.float64]
) -> float:
    log_p = log_softmax(x + offset, axis=1)
    return float(-weights @ log_p[np.arange(len(y)), y] + RIDGE * offset @ offset)


def by_scipy(x: NDArray[np.float64], y: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The minimum over the classes that have rows, by a minimiser that knows no curvature."""
    present, place = np.unique(y, return_inverse=True)
    found = np.zeros(x.shape[1])
    options = {"maxiter": 50_000, "maxfun": 500_000, "ftol": 1e-15, "gtol": 1e-10}
    arguments = (x[:, present], place, weights)
    found[present] = minimize(risk, np.zeros(len(present)), arguments, method="L-BFGS-B", options=options).x
    return found


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_classes=st.integers(2, 6),
    n=st.integers(1, 60),
    scale=st.sampled_from([0.1, 1.0, 5.0, 30.0]),
)
def test_newtons_method_finds_scipys_minimum(seed: int, n_classes: int, n: int, scale: float) -> None:
    draw = np.random.RandomState(seed)
    labels = draw.choice(n_classes, n, p=draw.dirichlet(np.ones(n_classes)))
    x = log_softmax(scale * draw.standard_normal((n, n_classes)), axis=1)
    weights = draw.dirichlet(np.ones(n))
    found, expected = tune(x, labels, weights), by_scipy(x, labels, weights)
    present, place = np.unique(labels, return_inverse=True)
    losses = [risk(offset[present], x[:, present], place, weights) for offset in (found, expected)]
    assert losses[0] <= losses[1] + 1e-9
    if len(present) > 1:
        np.testing.assert_allclose(found, expected, atol=0.01)
    assert found.sum() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("right", [True, False])
@pytest.mark.parametrize("depth", [10.0, 1000.0, 1e6])
def test_newtons_method_ends_at_the_minimum_however_sure_the_rows_are(right: bool, depth: float) -> None:
    # Every row is given to class 0, or all are right, as surely as can be.
    labels = np.repeat(np.arange(4), [20, 5, 2, 1])
    said = labels if right else np.zeros_like(labels)
    x = np.where(np.eye(4)[said] > 0, 0.0, -depth) + 1e-3 * np.random.RandomState(0).standard_normal((28, 4))
    weights = known(x, labels).weights
    found = tune(log_softmax(x, axis=1), labels, weights)
    assert np.isfinite(found).all()
    near = min(risk(step * found, x, labels, weights) for step in (0.0, 0.9, 0.99, 1.01, 1.1))
    assert risk(found, x, labels, weights) <= near + 1e-9
    assert risk(found, x, labels, weights) <= risk(by_scipy(x, labels, weights), x, labels, weights) + 1e-6


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("scale", [1.0, 1000.0])
def test_newtons_method_takes_151_classes(rows: int, scale: float) -> None:
    draw = np.random.RandomState(0)
    labels = np.repeat(np.arange(151), rows)
    # A leaning towards classes, which tuning is to take back.
    x = log_softmax(scale * draw.standard_normal((len(labels), 151)) + 3 * draw.standard_normal(151), axis=1)
    weights = np.full(len(labels), 1 / len(labels))
    found = tune(x, labels, weights)
    assert np.isfinite(found).all()
    log_p = log_softmax(x + found, axis=1)
    gradient = weights @ np.exp(log_p) - np.bincount(labels, weights) + 2 * RIDGE * found
    # What a step of Newton's could gain, half of gradient times step, where the curvature is the ridge at least.
    assert gradient @ gradient / (4 * RIDGE) < 1e-4
    assert risk(found, x, labels, weights) < risk(np.zeros(151), x, labels, weights)


# Weights, and classes without rows


def test_classes_count_as_in_the_target_whatever_rows_they_have() -> None:
    labels, target = np.repeat([0, 1, 2], [5, 3, 2]), np.array([0.5, 0.3, 0.2])
    weights = known(np.zeros((10, 3)), labels, target).weights
    np.testing.assert_allclose(np.bincount(labels, weights), target)
    assert len(np.unique(weights[:5])) == 1


def test_a_class_without_rows_does_not_count_and_the_others_count_for_it() -> None:
    labels, target = np.repeat([0, 2], [5, 2]), np.array([0.5, 0.3, 0.2])
    some = known(log_softmax(np.random.RandomState(0).standard_normal((7, 3)), axis=1), labels, target)
    np.testing.assert_allclose(np.bincount(labels, some.weights), np.array([0.5, 0, 0.2]) / 0.7)
    nats = -some.log_probabilities[np.arange(7), labels]
    expected = (0.5 * nats[:5].mean() + 0.2 * nats[5:].mean()) / 0.7
    assert some.loss(some.log_probabilities) == pytest.approx(expected)


def test_chance_is_the_loss_of_always_saying_the_target() -> None:
    labels = np.repeat([0, 1, 2], [5, 3, 2])
    nothing = np.log(np.full((10, 3), 1 / 3))
    assert (
        known(nothing, labels).chance == pytest.approx(np.log(3)) == pytest.approx(known(nothing, labels).loss(nothing))
    )
    target = np.array([0.5, 0.3, 0.2])
    said = np.log(np.tile(target, (10, 1)))
    assert known(said, labels, target).chance == pytest.approx(known(said, labels, target).loss(said))
    # Of two classes that have rows, log 2: nobody is right to say the third.
    assert known(nothing[:8], labels[:8]).chance == pytest.approx(np.log(2))
    assert known(nothing[:5], labels[:5]).chance == pytest.approx(0)


@pytest.mark.parametrize("absent", [0, 2])
def test_a_class_without_rows_gets_the_mean_of_the_others_offsets(absent: int) -> None:
    log_probabilities, labels = drawn((40, 30, 20))
    rows = labels != absent
    offset = tuned(log_probabilities[rows], labels[rows], UNIFORM3)
    others = np.delete(offset, absent)
    assert offset[absent] == pytest.approx(others.mean(), abs=1e-12)
    assert np.abs(others).max() > 0.5
    # That class's probabilities have no say.
    changed = log_probabilities[rows].copy()
    changed[:, absent] -= 5
    np.testing.assert_allclose(tuned(changed, labels[rows], UNIFORM3), offset, atol=1e-9)


def test_rows_of_one_class_alone_choose_no_offset() -> None:
    log_probabilities, labels = drawn((40, 0, 0))
    np.testing.assert_array_equal(tuned(log_probabilities, labels, UNIFORM3), 0)
    some = known(log_probabilities, labels)
    np.testing.assert_allclose(TUNED.out_of_fold(some), log_probabilities, atol=1e-12)


# Cross-fitting


def test_each_part_stands_under_the_offset_that_the_other_parts_choose() -> None:
    log_probabilities, labels = drawn((23, 17, 11))
    some = known(log_probabilities, labels, np.array([0.2, 0.3, 0.5]), n_parts=3)
    found = TUNED.out_of_fold(some)
    for part in range(3):
        others = some.parts != part
        offset = tuned(log_probabilities[others], labels[others], some.target)
        np.testing.assert_allclose(np.exp(found[~others]), shift(log_probabilities[~others], offset), rtol=1e-9)


def test_no_row_helps_to_choose_the_offset_that_it_is_scored_under() -> None:
    log_probabilities, labels = drawn((40, 40, 40))
    fitted = TUNED.out_of_fold(known(log_probabilities, labels))
    odd = log_probabilities.copy()
    odd[0] = np.log([0.001, 0.001, 0.998])
    again = TUNED.out_of_fold(known(odd, labels))
    offset, offset_again = fitted[0] - log_probabilities[0], again[0] - odd[0]
    # The row's own offset is the same whatever the row says; those of the rows it helps to choose are not.
    np.testing.assert_allclose(offset - offset.mean(), offset_again - offset_again.mean(), atol=1e-9)
    in_its_part = known(odd, labels).parts == 0
    np.testing.assert_array_equal(fitted[in_its_part][1:], again[in_its_part][1:])
    assert not np.isclose(fitted[~in_its_part], again[~in_its_part], atol=1e-9).all(axis=1).any()


def test_on_rows_of_chance_cross_fitting_does_not_flatter() -> None:
    """Offsets score better on the rows they were chosen on; cross-fitted ones must not."""
    own, honest = [], []
    for seed in range(40):
        draw = np.random.RandomState(seed)
        log_probabilities, labels = np.log(draw.dirichlet(np.ones(3), 30)), np.repeat(np.arange(3), 10)
        flattered = np.log(shift(log_probabilities, tuned(log_probabilities, labels, UNIFORM3)))
        own.append(weighted_log_loss(flattered, labels, UNIFORM3))
        honest.append(weighted_log_loss(TUNED.out_of_fold(known(log_probabilities, labels)), labels, UNIFORM3))
    assert np.mean(honest) > np.mean(own)


def test_a_class_whose_only_row_is_in_a_part_is_absent_where_that_part_is_judged() -> None:
    log_probabilities, labels = drawn((5, 5, 1))
    some = known(log_probabilities, labels)
    (row,) = np.flatnonzero(labels == 2)
    others = some.parts != some.parts[row]
    offset = tuned(log_probabilities[others], labels[others], UNIFORM3)
    assert offset[2] == pytest.approx(offset[:2].mean(), abs=1e-12)
    np.testing.assert_allclose(np.exp(TUNED.out_of_fold(some)[row]), shift(log_probabilities[row], offset))


def test_rows_in_one_part_alone_have_nothing_to_be_fitted_on() -> None:
    log_probabilities, labels = drawn((1, 1, 1))
    some = known(log_probabilities, labels)
    np.testing.assert_allclose(TUNED.out_of_fold(some), log_probabilities, atol=1e-12)


def test_the_prior_corrected_rule_adds_nothing_to_what_is_corrected() -> None:
    log_probabilities, labels = drawn((40, 20, 10))
    some = known(log_probabilities, labels)
    np.testing.assert_array_equal(PRIOR_CORRECTED.offset(some), 0)
    np.testing.assert_array_equal(PRIOR_CORRECTED.out_of_fold(some), log_probabilities)


def test_candidates_stand_in_the_order_in_which_ties_are_decided() -> None:
    assert [rule.name for rule in CANDIDATES] == ["prior_corrected", "tuned"]
