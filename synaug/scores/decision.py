"""Decision rules: what to predict from probabilities, at no training cost.

The log probabilities of every fitted model are corrected by the class frequencies that they carry
(`synaug.scores.prior_correction`) before anything is pooled or averaged. A rule adds one offset more to each class and
predicts the largest; renormalised, the shifted probabilities are the rule's own. A new rule is an entry below.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from synaug.scores.tuned_offsets import tune

Array = NDArray[np.float64]


@dataclass(frozen=True)
class OutOfFold:
    """What may choose a step, a rule or an offset: rows that the models which judge them did not train on; no test row.

    Attributes
    ----------
    log_probabilities, labels
        float64 `[n, n_classes]`, corrected, and int64 `[n]`. A class may have no row.
    parts
        int64 `[n]`: which part each row is in. What is fitted on these rows is judged on one part at a time, fitted
        on the others.
    target
        Class frequencies `[n_classes]` that the decisions shall serve.
    """

    log_probabilities: Array
    labels: NDArray[np.int64]
    parts: NDArray[np.int64]
    target: Array

    def rows(self, mask: NDArray[np.bool_]) -> "OutOfFold":
        """Some of the rows, by a mask `[n]`."""
        return replace(
            self,
            log_probabilities=self.log_probabilities[mask],
            labels=self.labels[mask],
            parts=self.parts[mask],
        )

    @property
    def weights(self) -> Array:
        """Weight of each row `[n]`, of sum 1: classes count as in the target, those without a row not at all."""
        counts = np.bincount(self.labels, minlength=len(self.target))
        shares: Array = (self.target / np.maximum(counts, 1))[self.labels]
        weights: Array = shares / shares.sum()
        return weights

    @property
    def chance(self) -> float:
        """Loss (nats) of always saying the target's frequencies: log C where C classes are equal."""
        counts = np.bincount(self.labels, minlength=len(self.target))
        share = self.target[counts > 0] / self.target[counts > 0].sum()
        return float(-(share * np.log(share)).sum())

    def loss(self, log_probabilities: Array) -> float:
        """Log loss in nats, with the classes weighted as in the target; class-balanced where that is uniform."""
        nats = -log_probabilities[np.arange(len(self.labels)), self.labels]
        return float((self.weights * nats).sum())


@dataclass(frozen=True)
class Rule:
    """A decision rule on corrected log probabilities.

    Attributes
    ----------
    name
        As records and tables have it.
    choose
        Chooses the offset `[n_classes]` by out-of-fold rows; None for the rule that adds none.
    """

    name: str
    choose: Callable[[OutOfFold], Array] | None = None

    def offset(self, known: OutOfFold) -> Array:
        """The offset `[n_classes]` that all out-of-fold rows choose."""
        return np.zeros(len(known.target)) if self.choose is None else self.choose(known)

    def out_of_fold(self, known: OutOfFold) -> Array:
        """Log probabilities of the out-of-fold rows under the rule `[n, n_classes]`.

        No row is under an offset that it helped to choose: each part is under the one that the other parts choose.
        """
        if self.choose is None:
            return known.log_probabilities
        shifted = np.empty_like(known.log_probabilities)
        for part in np.unique(known.parts):
            in_part = known.parts == part
            offset = self.choose(known.rows(~in_part))
            shifted[in_part] = log_softmax(known.log_probabilities[in_part] + offset, axis=-1)
        return shifted


# What a choice chooses from; of equals, it takes the earlier one.
CANDIDATES = (
    Rule("prior_corrected"),
    Rule("tuned", lambda known: tune(known.log_probabilities, known.labels, known.weights)),
)
CANDIDATE_RULES = tuple(rule.name for rule in CANDIDATES)
# What stands beside them, and is never chosen: the largest probability as it is, of the fit on all rows with its last
# weights (what the paper compares), and of the models and the step of `prior_corrected`.
ARGMAX, ARGMAX_CHOSEN_STEP = "argmax", "argmax_chosen_step"
# Likewise, the same models with weights of normalised length, of classifiers that have them (`synaug.scores.tau_norm`).
TAU_NORM = "tau_norm"
# In order. A classifier that does not end in a linear layer has no `tau_norm`, and neither have older records.
RULES = (ARGMAX, ARGMAX_CHOSEN_STEP, TAU_NORM, *CANDIDATE_RULES)


def shift(log_probabilities: Array, offset: Array) -> Array:
    """Apply an offset: probabilities `[n, n_classes]`, whose largest is the decision."""
    shifted: Array = np.exp(log_softmax(log_probabilities + offset, axis=-1))
    return shifted
