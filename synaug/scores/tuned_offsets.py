"""Tuned offsets: class offsets chosen on out-of-fold rows."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

# A weak ridge: on separable rows the offsets would grow without bound.
RIDGE = 1e-4
MOST_ITERATIONS = 100
# Of a loss in nats: what is left to gain by a step, estimated by half of gradient times step.
ENOUGH = 1e-10

Array = NDArray[np.float64]


def tune(log_probabilities: Array, labels: NDArray[np.int64], weights: Array) -> Array:
    """Offset that minimises a weighted log loss, by Newton's method.

    This is the bias of vector scaling (Guo et al. 2017) with its scale held at 1: convex, without
    settings, and with `n_classes − 1` numbers to choose hard to overfit.

    Parameters
    ----------
    log_probabilities, labels
        float64 `[n, n_classes]` and int64 `[n]`; a class may have no row.
    weights
        `[n]`, of sum 1.

    Returns
    -------
    ndarray
        `[n_classes]`, of mean 0. A class without a row gets the mean of the others, which is 0.
    """
    present, place = np.unique(labels, return_inverse=True)
    offset = np.zeros(log_probabilities.shape[1])
    if len(present) > 1:
        offset[present] = _newton(log_probabilities[:, present], place, weights)
    return offset


def _newton(x: Array, y: NDArray[np.int64], weights: Array) -> Array:
    """The offset of mean 0 `[c]` for rows `x` `[n, c]` with labels `y` and weights of sum 1."""
    n_classes = x.shape[1]
    observed = np.bincount(y, weights, n_classes)
    of_row = np.arange(len(y)), y

    def evaluated(offset: Array) -> tuple[float, Array]:
        log_p = log_softmax(x + offset, axis=-1)
        return float(-weights @ log_p[of_row] + RIDGE * offset @ offset), np.exp(log_p)

    offset = np.zeros(n_classes)
    loss, p = evaluated(offset)
    for _ in range(MOST_ITERATIONS):
        weighted = weights[:, None] * p
        gradient = weighted.sum(0) - observed + 2 * RIDGE * offset
        hessian = np.diag(weighted.sum(0) + 2 * RIDGE) - weighted.T @ p
        step = np.linalg.solve(hessian, gradient)
        if gradient @ step < 2 * ENOUGH:
            break
        size = 1.0
        new_loss, new_p = evaluated(offset - step)
        while new_loss > loss and size > 1e-6:  # far from the minimum a whole step may go too far
            size /= 2
            new_loss, new_p = evaluated(offset - size * step)
        if new_loss >= loss:
            break
        offset, loss, p = offset - size * step, new_loss, new_p
    centred: Array = offset - offset.mean()
    return centred
