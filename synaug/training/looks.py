"""When members are looked at, and what a split's inner members are found to say: the choice of the step.

No test row is seen here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from synaug.scores.decision import CANDIDATES, OutOfFold

FIRST_LOOK = 8
# Rows of one part alone would leave nothing to fit an offset on: such rows are dealt into so many parts.
PARTS = 5

Array = NDArray[np.float64]


def looks(max_steps: int) -> list[int]:
    """After which optimiser steps members are looked at: 8, 11, 16, 23, 32, 45, … (× √2), and `max_steps`.

    Spaced evenly in the logarithm: where classes are balanced, members are at their best after tens of steps, and a
    first look at 50 comes too late.
    """
    steps = [FIRST_LOOK]
    while steps[-1] < max_steps:
        steps.append(round(FIRST_LOOK * 2 ** (len(steps) / 2)))
    return [step for step in steps if step < max_steps] + [max_steps]


@dataclass
class SplitJudge:
    """Follows the inner members of one split from look to look.

    Attributes
    ----------
    labels
        int64 `[n]`, of the split's out-of-fold rows.
    inner
        int64 `[n]`: which inner fold left each of them out.
    target
        Class frequencies `[n_classes]` that the decisions shall serve.
    step, best
        By rule: the look at which its loss was lowest, and that loss (nats).
    losses
        By rule, the loss at each look so far.
    chance
        The loss of always saying the target's frequencies.
    """

    labels: NDArray[np.int64]
    inner: NDArray[np.int64]
    target: Array
    step: dict[str, int] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    losses: dict[str, list[float]] = field(default_factory=lambda: {rule.name: [] for rule in CANDIDATES})
    chance: float = np.nan

    @property
    def is_lost(self) -> bool:
        """Whether some rule has had no finite loss, and so no step to choose."""
        return len(self.step) < len(CANDIDATES)

    def known(self, log_probabilities: Array) -> OutOfFold:
        """Corrected log probabilities `[n, n_classes]`, as rules may look at them."""
        return OutOfFold(log_probabilities, self.labels, parts_of(self.labels, self.inner), self.target)

    def look(self, step: int, log_probabilities: Array) -> list[str]:
        """Take the losses after a step; by which rules they are the lowest so far. If by none, it is time to stop."""
        known = self.known(log_probabilities)
        self.chance = known.chance
        improved = []
        for rule in CANDIDATES:
            loss = known.loss(rule.out_of_fold(known))
            self.losses[rule.name].append(loss)
            if loss < self.best.get(rule.name, np.inf):
                self.best[rule.name], self.step[rule.name] = loss, step
                improved.append(rule.name)
        return improved


def parts_of(labels: NDArray[np.int64], inner: NDArray[np.int64]) -> NDArray[np.int64]:
    """Parts for what is fitted on out-of-fold rows: the inner folds; of one fold alone, rows dealt by class."""
    if len(np.unique(inner)) > 1:
        return inner
    parts = np.empty(len(labels), dtype=np.int64)
    # Going on from class to class, so that rows of small classes are not all in the first part.
    parts[np.argsort(labels, kind="stable")] = np.arange(len(labels)) % PARTS
    return parts


def pooled(log_probabilities: Sequence[Array]) -> Array:
    """Mean of several models' probabilities of the same rows, as log probabilities `[n, n_classes]`."""
    if len(log_probabilities) == 1:
        return log_probabilities[0]
    with np.errstate(invalid="ignore"):  # of models that diverged, which is said of them elsewhere
        sums = np.logaddexp.reduce(np.stack(log_probabilities), axis=0)
    # Divided by what they add up to, and not by their number: rounding then leaves no probability above 1.
    mean: Array = log_softmax(sums, axis=-1)
    return mean
