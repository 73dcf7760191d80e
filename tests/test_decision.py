"""Decision rules, against Bayes and brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from synaug.scores import decision
from synaug.scores.decision import DECISION_RULES, Known, on_validation_rows, shift
from synaug.scores.prior_correction import prior_correction
from synaug.scores.tuned_offsets import tune

UNIFORM2, UNIFORM3 = np.full(2, 1 / 2), np.full(3, 1 / 3)
SKEWED = np.array([0.9, 0.08, 0.02])
MEANS = np.array([-1.0, 0.0, 1.5])


def cross_fitted(log_probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """What the tuned rule says of validation rows, with uniform target."""
    (tuned,) = (rule for rule in DECISION_RULES if rule.looks_at_rows)
    uniform = np.full(log_probabilities.shape[1], 1 / log_probabilities.shape[1])
    return on_validation_rows(tuned, Known(log_probabilities, labels, uniform, uniform))


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
    corrected = shift(np.log(posterior(x, SKEWED)), prior_correction(SKEWED, target))
    np.testing.assert_allclose(corrected, posterior(x, target), rtol=1e-9)


def test_prior_correction_does_nothing_where_the_model_trained_on_the_target() -> None:
    np.testing.assert_array_equal(prior_correction(UNIFORM3, UNIFORM3), 0)
    np.testing.assert_array_equal(prior_correction(SKEWED, SKEWED), 0)


def test_prior_correction_by_hand() -> None:
    # From 3:1 to 1:1: odds of 3:2 become 3/3 : 2/1 = 1:2.
    corrected = shift(np.log([[0.6, 0.4]]), prior_correction(np.array([0.75, 0.25]), UNIFORM2))
    np.testing.assert_allclose(corrected, [[1 / 3, 2 / 3]])


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
    found, bayes = tune(log_probabilities, labels, UNIFORM3), prior_correction(SKEWED, UNIFORM3)
    np.testing.assert_allclose(found, bayes - bayes.mean(), atol=0.06)


def test_tuning_is_the_same_for_any_class_counts_but_for_chance() -> None:
    many, few = (tune(*drawn(counts), UNIFORM3) for counts in ((20_000,) * 3, (40_000, 4_000, 2_000)))
    np.testing.assert_allclose(many, few, atol=0.15)


@pytest.mark.parametrize("target", [UNIFORM3, np.array([0.2, 0.3, 0.5])])
@pytest.mark.parametrize("counts", [(50, 50, 50), (80, 10, 3)])
def test_tuning_lowers_the_weighted_log_loss(counts: tuple[int, ...], target: NDArray[np.float64]) -> None:
    log_probabilities, labels = drawn(counts)
    tuned = np.log(shift(log_probabilities, tune(log_probabilities, labels, target)))
    before, after = (weighted_log_loss(each, labels, target) for each in (log_probabilities, tuned))
    assert after < before - 0.1
    bayes = np.log(shift(log_probabilities, prior_correction(SKEWED, target)))
    assert after <= weighted_log_loss(bayes, labels, target) + 1e-3


@pytest.mark.parametrize("counts", [(400, 400, 400), (300, 60, 20)])
def test_tuned_probabilities_are_on_average_the_target(counts: tuple[int, ...]) -> None:
    # The gradient's zero: weighted as the target, rows are given each class as often as it comes.
    log_probabilities, labels = drawn(counts)
    target = np.array([0.2, 0.3, 0.5])
    tuned = shift(log_probabilities, tune(log_probabilities, labels, target))
    mean = sum(weight * tuned[labels == label].mean(0) for label, weight in enumerate(target))
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
    found = tune(log_probabilities, labels, target)
    assert loss(found[1] - found[0]) <= best.fun + 1e-5
    assert found[1] - found[0] == pytest.approx(best.x, abs=0.02)


def test_tuning_is_deterministic_and_centred() -> None:
    log_probabilities, labels = drawn((50, 20, 10))
    first, again = (tune(log_probabilities, labels, UNIFORM3) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.sum() == pytest.approx(0, abs=1e-12)
    order = np.random.RandomState(0).permutation(len(labels))
    np.testing.assert_allclose(tune(log_probabilities[order], labels[order], UNIFORM3), first, atol=1e-4)


def test_tuning_follows_the_classes_whatever_their_order() -> None:
    log_probabilities, labels = drawn((50, 20, 10))
    target = np.array([0.5, 0.3, 0.2])
    turned = tune(log_probabilities[:, ::-1], 2 - labels, target[::-1])
    np.testing.assert_allclose(turned[::-1], tune(log_probabilities, labels, target), atol=1e-3)


def test_tuning_stays_finite_where_rows_are_separable() -> None:
    labels = np.repeat([0, 1], 10)
    one_sided = np.where(labels == 1, -1.0, -3.0)  # both are taken for class 0, and a threshold parts them
    log_probabilities = np.stack([np.log1p(-np.exp(one_sided)), one_sided], axis=1)
    found = tune(log_probabilities, labels, UNIFORM2)
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 20
    assert (shift(log_probabilities, found).argmax(1) == labels).all()

    certain = np.log(np.clip(np.eye(2)[labels], 1e-300, 1))
    assert np.isfinite(tune(certain, labels, UNIFORM2)).all()


def test_an_offset_that_costs_nothing_does_not_run_away() -> None:
    # Rows of class 0 are sure beyond any offset; those of class 1 would have it grow for ever.
    labels = np.repeat([0, 1], 5)
    log_probabilities = np.array([[0.0, -1000.0]] * 5 + [[np.log1p(-np.exp(-5)), -5.0]] * 5)
    found = tune(log_probabilities, labels, UNIFORM2)
    assert 5 < found[1] - found[0] < 12
    assert shift(log_probabilities, found)[5:, 1].min() > 0.99


def test_tuning_takes_log_probabilities_of_minus_1000() -> None:
    labels = np.array([0, 0, 1, 1])
    log_probabilities = np.array([[0.0, -1000.0], [0.0, -1000.0], [0.0, -1000.0], [-1000.0, 0.0]])
    found = tune(log_probabilities, labels, UNIFORM2)
    assert np.isfinite(found).all()
    assert np.isfinite(shift(log_probabilities, found)).all()


def test_one_row_of_a_class_is_enough() -> None:
    found = tune(np.log([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]]), np.array([0, 0, 1]), UNIFORM2)
    assert found[1] > found[0]


def test_no_validation_row_helps_to_choose_the_offset_that_it_is_scored_under() -> None:
    log_probabilities, labels = drawn((40, 40, 40))
    fitted = cross_fitted(log_probabilities, labels)
    odd = log_probabilities.copy()
    odd[0] = np.log([0.001, 0.001, 0.998])
    again = cross_fitted(odd, labels)
    offset = np.log(fitted[0]) - log_probabilities[0]
    offset_again = np.log(again[0]) - odd[0]
    # The row's own offset is the same whatever the row says; those of the rows it helps to choose are not.
    np.testing.assert_allclose(offset - offset.mean(), offset_again - offset_again.mean(), atol=1e-9)
    assert not np.allclose(fitted[1:], again[1:], atol=1e-9)


def test_folds_do_not_follow_the_order_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    # Rows may be sorted by where they come from; each fold gets an offset of its own here, which tells it.
    numbers = iter(range(5))
    monkeypatch.setattr(decision, "tune", lambda *_: np.array([0.0, next(numbers)]))
    fitted = cross_fitted(np.log(np.full((40, 2), 0.5)), np.repeat([0, 1], 20))
    folds = np.rint(np.log(fitted[:, 1] / fitted[:, 0])).astype(int)
    assert sorted(folds[:20]) == sorted(folds[20:]) == sorted([0, 1, 2, 3, 4] * 4)
    assert (np.diff(folds[:20]) < 0).sum() > 1


def test_on_rows_of_chance_cross_fitting_does_not_flatter() -> None:
    """Offsets score better on the rows they were chosen on; cross-fitted ones must not."""
    own, honest = [], []
    for seed in range(40):
        draw = np.random.RandomState(seed)
        log_probabilities, labels = np.log(draw.dirichlet(np.ones(3), 30)), np.repeat(np.arange(3), 10)
        tuned = np.log(shift(log_probabilities, tune(log_probabilities, labels, UNIFORM3)))
        own.append(weighted_log_loss(tuned, labels, UNIFORM3))
        honest.append(weighted_log_loss(np.log(cross_fitted(log_probabilities, labels)), labels, UNIFORM3))
    assert np.mean(honest) > np.mean(own)


def test_a_class_of_one_row_is_scored_under_the_offset_of_all() -> None:
    log_probabilities, labels = drawn((5, 5, 1))
    expected = shift(log_probabilities, tune(log_probabilities, labels, UNIFORM3))
    np.testing.assert_array_equal(cross_fitted(log_probabilities, labels), expected)


def test_rules_that_choose_by_no_row_say_the_same_of_validation_rows_as_of_others() -> None:
    log_probabilities, labels = drawn((40, 20, 10))
    known = Known(log_probabilities, labels, SKEWED, UNIFORM3)
    for rule in DECISION_RULES:
        if not rule.looks_at_rows:
            shuffled = Known(log_probabilities, labels[::-1], SKEWED, UNIFORM3)
            np.testing.assert_array_equal(rule.offset(known), rule.offset(shuffled))
            expected = shift(log_probabilities, rule.offset(known))
            np.testing.assert_array_equal(on_validation_rows(rule, known), expected)
