"""Two Gaussian classes, whose balanced accuracy under a learned prior and under a corrected one is a formula."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.metrics import balanced_accuracy_score

from synaug.check.comparison import Comparison
from synaug.check.ours import fitted
from synaug.scores.prior_correction import prior_correction

TITLE = "balanced accuracy of our linear model on two Gaussian classes, beside the formula"
# Distance of the means in standard deviations, and rows of the majority for each of the minority.
CASES = ((2.0, 10), (3.0, 10), (2.0, 50))
WIDTH = 2
MINORITY_ROWS = 2_000
TEST_ROWS = 20_000
LEARNING_RATE = 0.05
N_STEPS = 300
# Four standard errors of a recall of one half over the test rows of a class; the training rows add less.
TOLERANCE = 4 * float(np.sqrt(0.25 / TEST_ROWS))


def formula(distance: float, log_odds: float) -> float:
    """Balanced accuracy of the best linear decision for classes at some distance, under a prior of some log odds.

    The classes are N(∓Δ/2, 1), so that log p₁/p₀ = Δx − L, and class 1 is decided where x > L/Δ: the recalls are
    Φ(Δ/2 − L/Δ) and Φ(Δ/2 + L/Δ). Without the prior (L = 0), both are Φ(Δ/2).
    """
    half, shifted = distance / 2, log_odds / distance
    return float(norm.cdf(half - shifted) + norm.cdf(half + shifted)) / 2


def gaussian_rows(
    rows_of_each: tuple[int, int], distance: float, draw: np.random.RandomState
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Rows of both classes, float32 `[n, d]`, and their labels."""
    labels = np.repeat([0, 1], rows_of_each)
    rows = draw.standard_normal((len(labels), WIDTH))
    rows[:, 0] += (labels - 0.5) * distance
    return rows.astype(np.float32), labels


def compare() -> Iterator[Comparison]:
    """The linear model with its largest probability as it is, and after the correction of the prior."""
    for case, (distance, ratio) in enumerate(CASES):
        draw = np.random.RandomState(case)
        train = gaussian_rows((ratio * MINORITY_ROWS, MINORITY_ROWS), distance, draw)
        test = gaussian_rows((TEST_ROWS, TEST_ROWS), distance, draw)
        adam = partial(torch.optim.Adam, lr=LEARNING_RATE)
        said = fitted(train, test, hidden=[], optimizer=adam, n_steps=N_STEPS)
        frequencies = np.bincount(train[1]) / len(train[1])
        corrected = said + prior_correction(frequencies, np.full(2, 0.5))
        where = f"Δ = {distance:g}, 1:{ratio}"
        for rule, values, log_odds in (("argmax", said, np.log(ratio)), ("prior corrected", corrected, 0.0)):
            value = balanced_accuracy_score(test[1], values.argmax(1))
            yield Comparison(f"{where}, {rule}", float(value), formula(distance, log_odds), TOLERANCE)
