"""Tuned offsets: class offsets chosen on validation rows."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

# A weak ridge: on separable rows the offsets would grow without bound.
RIDGE = 1e-4

Array = NDArray[np.float64]


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
