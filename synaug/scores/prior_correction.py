"""Prior correction: from the class frequencies that a classifier was trained on to those that it shall serve."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


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
