"""The tau-normalised classifier: class weights of a last, linear layer brought nearer to one length.

Where classes are unequal, those with many rows get long weights. This rule shortens long ones and leaves out biases,
without training, in place of a correction for class frequencies. It is no candidate: nothing chooses it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from synaug.scores.decision import OutOfFold

# From weights as they are to weights of one length.
TAUS = tuple(tenths / 10 for tenths in range(11))

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LinearEnd:
    """What the last layer of one member makes of some rows.

    Attributes
    ----------
    products
        Weights of each class times the features of each row, without bias, `[n, n_classes]`.
    norms
        Euclidean norms of these weights, `[n_classes]`.
    """

    products: Array
    norms: Array

    def log_probabilities(self, tau: float) -> Array:
        """Log probabilities `[n, n_classes]` under the weights w_c / (‖w_c‖ / g)^τ, without biases.

        Kang et al. (2020, eq. 10) have w_c / ‖w_c‖^τ. Here the norms are taken relative to their geometric mean g over
        the classes of the member, which multiplies the logits of all classes by g^τ: no decision of the member changes,
        as a positive factor common to all classes changes none. But the logits keep their scale whatever τ is. τ is
        chosen by a log loss, to which the scale of logits matters, too, and which would else prefer the τ that happens
        to make the logits large or small enough.

        Parameters
        ----------
        tau
            0 leaves the weights as they are, 1 makes their lengths equal.

        References
        ----------
        Kang et al., "Decoupling representation and classifier for long-tailed recognition", ICLR 2020.
        """
        has_length = self.norms > 0  # without, all products are 0 whatever they are divided by
        logs = np.log(self.norms, out=np.zeros_like(self.norms), where=has_length)
        logs[has_length] -= logs[has_length].mean() if has_length.any() else 0.0
        found: Array = log_softmax(self.products * np.exp(-tau * logs), axis=-1)
        return found


def choose(under: Callable[[float], OutOfFold]) -> tuple[float, float]:
    """The τ of `TAUS` under which the loss on out-of-fold rows is lowest (of equals the smaller), and that loss (nats).

    Parameters
    ----------
    under
        Gives the out-of-fold rows with their log probabilities under a τ.
    """
    losses = [known.loss(known.log_probabilities) for known in map(under, TAUS)]
    best = int(np.argmin(losses))
    return TAUS[best], losses[best]
