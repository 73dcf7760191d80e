"""Decision rules: what to predict from probabilities, at no training cost.

Every rule here adds an offset to each class's log probability and predicts the largest, so a rule
is a vector `[n_classes]`; renormalised, the shifted probabilities are the rule's own. A new rule is an entry below.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.model_selection import StratifiedKFold

from synaug.scores.prior_correction import prior_correction
from synaug.scores.tuned_offsets import tune

CROSS_FITTING_FOLDS = 5

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Known:
    """What a rule may look at to choose its offset: no test row.

    Attributes
    ----------
    log_probabilities, labels
        float64 `[n, n_classes]` and int64 `[n]` of validation rows; every class has at least one.
    prior
        Class frequencies `[n_classes]` that the probabilities follow.
    target
        Class frequencies `[n_classes]` that the decisions shall serve.
    """

    log_probabilities: Array
    labels: NDArray[np.int64]
    prior: Array
    target: Array

    def rows(self, index: NDArray[np.intp]) -> "Known":
        """Some of the validation rows."""
        return replace(self, log_probabilities=self.log_probabilities[index], labels=self.labels[index])


@dataclass(frozen=True)
class Rule:
    """A decision rule.

    Attributes
    ----------
    name
        As records and tables have it.
    offset
        Chooses the offset `[n_classes]`.
    looks_at_rows
        Whether it chooses by the validation rows. What it says of them is then cross-fitted.
    """

    name: str
    offset: Callable[[Known], Array]
    looks_at_rows: bool = False


# In the order of tables; of equals, a choice takes the earlier one.
DECISION_RULES = (
    Rule("argmax", lambda known: np.zeros_like(known.target)),
    Rule("prior_corrected", lambda known: prior_correction(known.prior, known.target)),
    Rule("tuned", lambda known: tune(known.log_probabilities, known.labels, known.target), looks_at_rows=True),
)
CANDIDATE_RULES = ("prior_corrected", "tuned")
RULES = ("argmax", "argmax_chosen_step", *CANDIDATE_RULES)


def shift(log_probabilities: Array, offset: Array) -> Array:
    """Apply a rule: probabilities `[n, n_classes]`, whose largest is the decision."""
    shifted: Array = np.exp(log_softmax(log_probabilities + offset, axis=-1))
    return shifted


def on_validation_rows(rule: Rule, known: Known) -> Array:
    """Probabilities of the validation rows under a rule, no row under an offset that it helped to choose.

    They score a rule on the rows that it is chosen on, beside rules that choose nothing there.

    Returns
    -------
    ndarray
        `[n, n_classes]`. A class with one row alone cannot be cross-fitted: then the offset of all rows
        is taken.
    """
    counts = np.bincount(known.labels, minlength=known.log_probabilities.shape[1])
    n_folds = min(CROSS_FITTING_FOLDS, int(counts.min()))
    if not rule.looks_at_rows or n_folds < 2:
        return shift(known.log_probabilities, rule.offset(known))
    fitted = np.empty_like(known.log_probabilities)
    # Rows come in the order of the data set, which may be sorted; a fixed shuffle keeps comparisons paired.
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=0)
    for rest, left_out in folds.split(known.labels, known.labels):
        fitted[left_out] = shift(known.log_probabilities[left_out], rule.offset(known.rows(rest)))
    return fitted
