"""What an offset of a decision rule changes, and what it must leave as it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.metrics import log_loss, roc_auc_score

from synaug.scores.decision import CANDIDATES, OutOfFold, shift
from synaug.scores.metrics import overall_scores
from synaug.scores.score import judged

RANKING = ("auroc_macro", "auprc_macro")
(TUNED,) = (rule for rule in CANDIDATES if rule.name == "tuned")


def said(n: int, n_classes: int, seed: int, sharpness: float = 2.0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Log probabilities of rows and their labels; the classes overlap."""
    draw = np.random.RandomState(seed)
    labels = np.arange(n) % n_classes
    logits = draw.standard_normal((n, n_classes)) * sharpness
    logits[np.arange(n), labels] += sharpness
    return log_softmax(logits, axis=-1), labels


@given(offset=st.floats(-50, 50), seed=st.integers(0, 20), sharpness=st.sampled_from([0.5, 2.0, 30.0]))
def test_no_offset_changes_how_two_classes_are_ranked(offset: float, seed: int, sharpness: float) -> None:
    log_probabilities, labels = said(60, 2, seed, sharpness)
    as_it_is = overall_scores(labels, shift(log_probabilities, np.zeros(2)), [1])
    shifted = overall_scores(labels, shift(log_probabilities, np.array([0.0, offset])), [1])
    assert [shifted[name] for name in RANKING] == [as_it_is[name] for name in RANKING]


def test_rows_that_are_as_good_as_certain_are_ranked_by_how_certain_they_are() -> None:
    log_odds = np.array([-60.0, -45.0, 45.0, 60.0])  # probabilities of 1 in double precision, from 37 on
    labels = np.array([0, 1, 0, 1])
    log_probabilities = log_softmax(np.stack([np.zeros(4), log_odds], axis=1), axis=-1)
    found = overall_scores(labels, shift(log_probabilities, np.zeros(2)), [1])
    assert found["auroc_macro"] == roc_auc_score(labels, log_odds) == 0.75


def test_of_more_classes_each_is_ranked_by_its_probability_under_the_rule() -> None:
    log_probabilities, labels = said(90, 3, 0)
    probabilities = shift(log_probabilities, np.array([0.0, 1.0, -2.0]))
    expected = roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
    assert overall_scores(labels, probabilities, [1])["auroc_macro"] == pytest.approx(expected, abs=1e-12)


def test_the_log_loss_of_a_tuned_rule_is_of_the_probabilities_that_it_decides_by() -> None:
    known_rows, known_labels = said(80, 3, 1)
    test, labels = said(60, 3, 2)
    test = log_softmax(test + np.array([3.0, 0.0, 0.0]), axis=-1)
    known = OutOfFold(
        log_softmax(known_rows + np.array([3.0, 0.0, 0.0]), axis=-1), known_labels, np.arange(80) % 5, np.full(3, 1 / 3)
    )
    rule = judged(TUNED, known, test)
    found = overall_scores(labels, rule.test, [2])
    assert found["log_loss"] == pytest.approx(log_loss(labels, shift(test, rule.offset)), rel=1e-12)
    assert found["log_loss"] < log_loss(labels, np.exp(test)) - 0.1
    assert (rule.test.argmax(1) == (test + rule.offset).argmax(1)).all()


def test_a_class_that_is_absent_from_the_rows_tuned_on_keeps_its_place_between_the_others() -> None:
    rows, labels = said(90, 3, 3)
    present = labels != 1
    known = OutOfFold(rows[present], labels[present], np.arange(present.sum()) % 5, np.full(3, 1 / 3))
    offset = TUNED.offset(known)
    assert np.isfinite(offset).all()
    assert offset[1] == pytest.approx(offset[[0, 2]].mean(), abs=1e-12)
    judged_rows = judged(TUNED, known, rows)
    assert np.isfinite(judged_rows.test).all()
    assert judged_rows.out_of_fold is not None
    assert np.isfinite(np.log(judged_rows.out_of_fold[np.arange(present.sum()), labels[present]])).all()
    assert set(judged_rows.test.argmax(1)) == {0, 1, 2}


def test_a_class_that_is_absent_from_one_part_alone_changes_only_what_that_part_tunes() -> None:
    rows, labels = said(60, 3, 4)
    parts = np.where(labels == 1, 0, np.arange(60) % 5)  # class 1 stands in part 0 alone
    known = OutOfFold(rows, labels, parts, np.full(3, 1 / 3))
    said_of_rows = TUNED.out_of_fold(known)
    assert np.isfinite(said_of_rows).all()
    assert known.loss(said_of_rows) > 0
