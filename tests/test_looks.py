"""When members are looked at, and which step a split's out-of-fold rows choose."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import log_softmax

from synaug.scores.decision import CANDIDATES, OutOfFold
from synaug.scores.metrics import overall_scores
from synaug.training.looks import PARTS, SplitJudge, looks, pooled

UNIFORM = np.full(3, 1 / 3)
LABELS = np.repeat(np.arange(3), [12, 6, 3])
INNER = np.arange(21) % 3
Array = NDArray[np.float64]


def sure(strength: float, seed: int = 0) -> Array:
    """Log probabilities that lean towards the right class."""
    noise = np.random.RandomState(seed).standard_normal((len(LABELS), 3))
    said: Array = log_softmax(noise + strength * np.eye(3)[LABELS], axis=1)
    return said


def judge(inner: NDArray[np.int64] = INNER, target: Array = UNIFORM) -> SplitJudge:
    return SplitJudge(LABELS, inner, target)


def test_looks_are_evenly_spaced_in_the_logarithm_and_end_with_the_budget() -> None:
    assert looks(512) == [8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362, 512]
    assert looks(500) == [8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256, 362, 500]
    assert looks(513)[-2:] == [512, 513]


@pytest.mark.parametrize("max_steps", [1, 7, 8])
def test_a_budget_of_few_steps_has_one_look_at_its_end(max_steps: int) -> None:
    assert looks(max_steps) == [max_steps]


@given(st.integers(1, 20_000))
def test_looks_ascend_and_none_is_left_out(max_steps: int) -> None:
    found = looks(max_steps)
    assert found[-1] == max_steps
    assert (np.diff(found) > 0).all()
    assert found[:-1] == [step for step in looks(20_000) if step < max_steps]


def test_the_step_of_each_rule_is_the_look_of_its_lowest_loss() -> None:
    found = judge()
    strengths = [0.5, 2.0, 1.0, 3.0, 0.1]
    for step, strength in enumerate(strengths, 1):
        found.look(step, sure(strength, seed=step))
    for rule in CANDIDATES:
        losses = found.losses[rule.name]
        assert len(losses) == len(strengths)
        assert found.step[rule.name] == np.argmin(losses) + 1
        assert found.best[rule.name] == min(losses)


def test_losses_are_class_balanced_log_losses_of_what_each_rule_says_cross_fitted() -> None:
    found, said = judge(), sure(1.5)
    found.look(8, said)
    known = OutOfFold(said, LABELS, INNER, UNIFORM)
    for rule in CANDIDATES:
        nats = -rule.out_of_fold(known)[np.arange(21), LABELS]
        by_hand = np.mean([nats[label == LABELS].mean() for label in range(3)])
        assert found.losses[rule.name] == [pytest.approx(by_hand)]
        probabilities = np.exp(rule.out_of_fold(known))
        assert overall_scores(LABELS, probabilities, [2])["balanced_log_loss"] == pytest.approx(by_hand)
    assert found.losses["tuned"] != found.losses["prior_corrected"]
    assert found.chance == pytest.approx(np.log(3))


def test_a_target_that_is_not_uniform_weights_the_classes() -> None:
    target = np.array([0.6, 0.3, 0.1])
    found, said = judge(target=target), sure(1.5)
    found.look(8, said)
    nats = -said[np.arange(21), LABELS]
    expected = sum(share * nats[label == LABELS].mean() for label, share in enumerate(target))
    assert found.losses["prior_corrected"] == [pytest.approx(expected)]
    assert found.chance == pytest.approx(-(target * np.log(target)).sum())


def test_a_split_goes_on_while_any_rule_improves() -> None:
    found = judge()
    assert found.look(8, sure(1.0)) == ["prior_corrected", "tuned"]
    assert found.look(11, sure(1.0)) == []  # no worse is no better
    # Leaning to one class, which an offset takes back: only what is tuned improves.
    leaning = log_softmax(sure(2.0) + np.array([6.0, 0.0, 0.0]), axis=1)
    assert found.look(16, leaning) == ["tuned"]
    assert found.step == {"prior_corrected": 8, "tuned": 16}


def test_of_equal_looks_the_first_is_kept() -> None:
    found = judge()
    for step in (8, 11, 16):
        found.look(step, sure(1.0))
    assert set(found.step.values()) == {8}


def test_a_loss_that_is_not_finite_is_no_improvement() -> None:
    found = judge()
    assert found.look(8, np.full((21, 3), np.nan)) == []
    assert not found.step
    lost = sure(1.0)
    lost[0, 0] = -np.inf
    assert "prior_corrected" not in found.look(11, lost)


def test_offsets_are_fitted_on_the_other_inner_folds() -> None:
    known = judge().known(sure(1.0))
    np.testing.assert_array_equal(known.parts, INNER)


def test_rows_of_one_inner_fold_are_dealt_into_parts_class_by_class() -> None:
    known = judge(np.zeros(21, np.int64)).known(sure(1.0))
    assert sorted(np.unique(known.parts)) == list(range(PARTS))
    for label in range(3):
        counts = np.bincount(known.parts[label == LABELS], minlength=PARTS)
        assert counts.max() - counts.min() <= 1
    # Also where each class has one row, so that every row is under an offset that others choose.
    three = SplitJudge(np.arange(3), np.zeros(3, np.int64), UNIFORM).known(sure(1.0)[:3])
    assert len(np.unique(three.parts)) == 3


@pytest.mark.parametrize("labels", [[0], [0, 1], [1, 1, 1], [0, 1, 2]])
def test_few_rows_of_one_inner_fold_are_enough_to_choose_a_step(labels: list[int]) -> None:
    found = SplitJudge(np.array(labels), np.zeros(len(labels), np.int64), UNIFORM)
    assert found.look(8, sure(1.0)[: len(labels)]) == ["prior_corrected", "tuned"]
    assert np.isfinite(list(found.best.values())).all()


def test_pooled_probabilities_are_means() -> None:
    several = [sure(strength, seed) for seed, strength in enumerate((0.0, 1.0, 4.0))]
    np.testing.assert_allclose(np.exp(pooled(several)), np.mean(np.exp(several), axis=0), rtol=1e-12)
    assert pooled(several[:1]) is several[0]


@given(st.integers(2, 30), st.integers(2, 5), st.integers(0, 1000))
def test_pooled_probabilities_are_at_most_1_to_the_last_bit(n: int, n_classes: int, seed: int) -> None:
    # Above 1 they would be taken for logits, or be refused, where they are scored.
    draw = np.random.RandomState(seed)
    said = [log_softmax(draw.uniform(0, 60) * draw.standard_normal((20, n_classes)), axis=1) for _ in range(n)]
    said = [np.concatenate([each, np.where(np.eye(n_classes) > 0, 0.0, -1000.0)]) for each in said]
    assert np.exp(pooled(said)).max() <= 1
    assert (pooled(said) <= 0).all()


def test_pooled_probabilities_of_minus_1000_do_not_vanish() -> None:
    said = np.array([[0.0, -1000.0]])
    np.testing.assert_allclose(pooled([said, said, said]), said)
    np.testing.assert_allclose(pooled([said, said[:, ::-1]]), np.log([[0.5, 0.5]]))
