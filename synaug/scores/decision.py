"""Decision rules: what to predict from probabilities, at no training cost.

Every rule here adds an offset to each class's log probability and predicts the largest, so a rule
is a vector `[n_classes]`; renormalised, the shifted probabilities are the rule's own.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.model_selection import StratifiedKFold

RULES = ("argmax", "prior_corrected", "tuned")
# A whisper: rows that are separable would send the tuned offsets to infinity.
RIDGE = 1e-4
CROSS_FITTING_FOLDS = 5

Array = NDArray[np.float64]


def shift(log_probabilities: Array, offset: Array) -> Array:
    """Apply a rule: probabilities `[n, n_classes]`, whose largest is the decision."""
    shifted: Array = np.exp(log_softmax(log_probabilities + offset, axis=-1))
    return shifted


def prior_correction(trained_on: Array, target: Array) -> Array:
    """Offset that moves probabilities from the class frequencies trained on to those of the target.

    Under label shift p(x | y) stays, so p'(y | x) ∝ p(y | x) · target(y) / trained_on(y) (Saerens,
    Latinne and Decaestecker 2002, eq. 2.4; Menon et al. 2021 as post-hoc logit adjustment).

    Parameters
    ----------
    trained_on, target
        Class frequencies `[n_classes]`, positive.
    """
    return np.log(target) - np.log(trained_on)


def tune(log_probabilities: Array, labels: NDArray[np.int64], target: Array) -> Array:
    """Offset that minimises the log loss on validation rows, with the classes weighted as in the target.

    This is the bias of vector scaling (Guo et al. 2017) with its scale held at 1: convex, without
    settings, and with `n_classes − 1` numbers to choose hard to overfit.

    Parameters
    ----------
    log_probabilities, labels
        float64 `[n, n_classes]` and int64 `[n]` of validation rows; every class has at least one.
    target
        Class frequencies `[n_classes]`.

    Returns
    -------
    ndarray
        `[n_classes]`, of mean 0.
    """
    n_classes = log_probabilities.shape[1]
    weights = (target / np.bincount(labels, minlength=n_classes))[labels]
    one_hot = np.eye(n_classes)[labels]

    def loss_and_gradient(offset: Array) -> tuple[float, Array]:
        shifted = log_softmax(log_probabilities + offset, axis=-1)
        loss = -(weights * shifted[np.arange(len(labels)), labels]).sum()
        gradient = (weights[:, None] * (np.exp(shifted) - one_hot)).sum(0)
        return float(loss + RIDGE * (offset**2).sum()), gradient + 2 * RIDGE * offset

    found = minimize(loss_and_gradient, np.zeros(n_classes), jac=True, method="L-BFGS-B")
    return found.x - found.x.mean()  # type: ignore[no-any-return]


def cross_fitted(log_probabilities: Array, labels: NDArray[np.int64], target: Array) -> Array:
    """Probabilities of the validation rows under `tune`, no row under an offset that it helped to choose.

    They score the rule on the rows that it is chosen on, beside rules that choose nothing there.

    Parameters
    ----------
    log_probabilities, labels, target
        As in `tune`.

    Returns
    -------
    ndarray
        `[n, n_classes]`. A class with one row alone cannot be cross-fitted: then the offset of all rows
        is taken.
    """
    counts = np.bincount(labels, minlength=log_probabilities.shape[1])
    n_folds = min(CROSS_FITTING_FOLDS, int(counts.min()))
    if n_folds < 2:
        return shift(log_probabilities, tune(log_probabilities, labels, target))
    fitted = np.empty_like(log_probabilities)
    # Rows come in the order of the data set, which may be sorted; a fixed shuffle keeps comparisons paired.
    for rest, left_out in StratifiedKFold(n_folds, shuffle=True, random_state=0).split(labels, labels):
        offset = tune(log_probabilities[rest], labels[rest], target)
        fitted[left_out] = shift(log_probabilities[left_out], offset)
    return fitted
