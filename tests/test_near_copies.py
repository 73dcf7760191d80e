"""The share of test rows that all but repeat a training row."""

import logging

import numpy as np
import pytest
from numpy.typing import NDArray

from synaug.splits import InnerFold, Split
from synaug.splits.near_copies import MOST_ROWS, near_copies, near_pairs, said_of_near_copies, warn_of_near_copies


def split(train: list[int], test: list[int], fold: int = 0, seed: int = 0) -> Split:
    rows, none = np.array(train), np.empty(0, np.int64)
    return Split(seed, fold, (1,), rows, (InnerFold(rows, none),), np.array(test))


def at_angles(*degrees: float) -> NDArray[np.float32]:
    """Points of any length in the plane."""
    radians, lengths = np.radians(degrees), np.arange(1, len(degrees) + 1)
    return np.stack([lengths * np.cos(radians), lengths * np.sin(radians)], axis=1).astype(np.float32)


def test_the_nearest_training_row_of_any_class_counts() -> None:
    # The cosine of 18 degrees is .951, that of 19 degrees .946.
    embeddings, labels = at_angles(0, 120, 18, 19, 120, 240), np.array([0, 1, 1, 0, 0, 1])
    shares = near_copies(embeddings, labels, ["a", "b"], [split([0, 1], [2, 3, 4, 5])])
    assert shares == {"a": 0.5, "b": 0.5}
    assert near_copies(embeddings, labels, ["a", "b"], [split([5], [2, 3, 4])]) == {"a": 0.0, "b": 0.0}


def test_shares_are_means_over_the_splits_that_test_a_class() -> None:
    embeddings, labels = at_angles(0, 0, 90, 0), np.array([0, 0, 0, 1])
    splits = [split([0], [1], 0), split([0], [2], 1), split([0], [1, 2, 3], 2)]
    assert near_copies(embeddings, labels, ["a", "b", "c"], splits) == {"a": 0.5, "b": 1.0}


def test_a_row_of_zeros_is_near_nothing() -> None:
    embeddings = np.array([[0, 0], [0, 0], [1, 0]], np.float32)
    assert near_copies(embeddings, np.array([0, 0, 1]), ["a", "b"], [split([0, 2], [1])]) == {"a": 0.0}


def test_of_many_rows_some_are_drawn_of_each_class() -> None:
    n = 3 * MOST_ROWS
    labels = np.repeat([0, 1], [n - 4, 4])
    embeddings = np.where(np.arange(n)[:, None] % 2 == 0, at_angles(0), at_angles(90)).astype(np.float32)
    shares = near_copies(embeddings, labels, ["a", "b"], [split([0], list(range(1, n)))])
    assert shares == {"a": pytest.approx(0.5, abs=0.02), "b": 0.5}


def test_what_is_drawn_of_one_seed_does_not_depend_on_the_others() -> None:
    n = 2 * MOST_ROWS
    labels = np.zeros(n, np.int64)
    embeddings = np.stack([np.cos(angles := np.linspace(0, 0.64, n)), np.sin(angles)], axis=1).astype(np.float32)
    one, other = split([0], list(range(1, n))), split([n - 1], list(range(n - 1)), seed=1)
    apart = [near_copies(embeddings, labels, ["a"], [each])["a"] for each in (one, other)]
    assert near_copies(embeddings, labels, ["a"], [one, other])["a"] == pytest.approx(sum(apart) / 2, rel=1e-12)


def test_it_is_said_of_the_classes_with_more_than_a_tenth(caplog: pytest.LogCaptureFixture) -> None:
    shares = {"ham": 0.1, "spam": 0.285, "odd": 0.31}
    with caplog.at_level(logging.WARNING):
        warn_of_near_copies(shares, "sms")
    said = said_of_near_copies(shares, "sms")
    assert said == [
        "sms: 31% of class 'odd', 28% of class 'spam' in the test folds are near copies of training rows (cosine above "
        "0.95), so scores on new texts may be lower; dataset.group keeps rows that belong together on one side"
    ]
    assert caplog.messages == said
    assert said_of_near_copies({"ham": 0.1}, "sms") == []
    assert "and over 10% of 2 more classes" in said_of_near_copies({str(each): 0.2 for each in range(7)}, "sms")[0]


def test_pairs_of_near_copies_are_found_between_two_sets_of_rows() -> None:
    # The cosine of 18 degrees is .951, that of 19 degrees .946; lengths do not matter, and zeros are near nothing.
    among = np.concatenate([at_angles(0, 90, 180), np.zeros((1, 2), np.float32)])
    rows = np.concatenate([np.zeros((1, 2), np.float32), at_angles(18, 19, 162, 91)])
    assert near_pairs(rows, among).tolist() == [[1, 0], [3, 2], [4, 1]]
    assert near_pairs(rows[:1], among).shape == (0, 2)
    many = np.repeat(rows, 200, axis=0)  # more than are looked at at once
    assert near_pairs(many, among)[:, 0].tolist() == [*range(200, 400), *range(600, 1000)]
