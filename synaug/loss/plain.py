"""The log loss, also called cross-entropy."""

import numpy as np
import torch
from numpy.typing import NDArray

from synaug import settings
from synaug.loss.base import Loss, log_losses


class Plain(Loss):
    """The log loss of a row's class.

    Parameters
    ----------
    label_smoothing
        ε: the target is 1 − ε for a row's class, and ε shared out among all classes (Szegedy et al. 2016).

    References
    ----------
    Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR 2016, section 7.
    """

    def __init__(self, label_smoothing: float = 0.0) -> None:
        table = settings.OF_A_TARGET["synaug.loss.Plain"]
        settings.require("loss", table, {"label_smoothing": label_smoothing})
        self.label_smoothing = label_smoothing

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """Loss of each row, `[m, B]`."""
        return log_losses(logits, labels, self.label_smoothing)

    def carried_prior(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """The class frequencies π; smoothed labels have the frequencies (1 − ε) π + ε / C."""
        shares = counts / counts.sum(1, keepdims=True)
        smoothed: NDArray[np.float64] = (1 - self.label_smoothing) * shares + self.label_smoothing / counts.shape[1]
        return smoothed
