"""Prior correction: from the class frequencies that a classifier's probabilities carry to those that it shall serve."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

Array = NDArray[np.float64]


def prior_correction(carried: Array, target: Array) -> Array:
    """Offset that moves probabilities from the class frequencies that they carry to those of the target.

    Under label shift p(x | y) stays, so p'(y | x) ∝ p(y | x) · target(y) / carried(y) (Saerens,
    Latinne and Decaestecker 2002, eq. 2.4). With a uniform target it is post-hoc logit adjustment with τ = 1 (Menon et
    al. 2021).

    Parameters
    ----------
    carried, target
        Class frequencies `[..., n_classes]`, positive.
    """
    offset: Array = np.log(target) - np.log(carried)
    return offset


def corrected(log_probabilities: Array, carried: Array, target: Array) -> Array:
    """Log probabilities `[..., n, n_classes]` that carry the target's class frequencies, by `prior_correction`."""
    shifted: Array = log_softmax(log_probabilities + prior_correction(carried, target)[..., None, :], axis=-1)
    return shifted
