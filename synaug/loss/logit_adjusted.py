"""The log loss of logits to which the class frequencies are added, so that the logits themselves need not hold them."""

import numpy as np
import torch
from numpy.typing import NDArray

from synaug import settings
from synaug.loss.base import Loss, as_logits, exact, log_losses


class LogitAdjusted(Loss):
    """The log loss of the logits plus τ · log π, where π are the class frequencies of a member's rows.

    What is trained on is the sum, and the sum follows π; so the logits themselves follow π^(1 − τ).

    Parameters
    ----------
    tau
        τ: 0 is the plain loss; with 1, the logits follow uniform frequencies.

    References
    ----------
    Menon et al., "Long-tail learning via logit adjustment", ICLR 2021, equation 10.
    """

    def __init__(self, tau: float = 1.0) -> None:
        settings.require("loss", settings.OF_A_TARGET["synaug.loss.LogitAdjusted"], {"tau": tau})
        self.tau = tau

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """Loss of each row, `[m, B]`."""
        rows = exact(counts)
        log_shares = (rows / rows.sum(1, keepdim=True)).log()
        return log_losses(logits + as_logits(self.tau * log_shares, logits)[:, None], labels)

    def carried_prior(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """π^(1 − τ), so that they add up to 1."""
        powers = (counts / counts.sum(1, keepdims=True)) ** (1 - self.tau)
        shares: NDArray[np.float64] = powers / powers.sum(1, keepdims=True)
        return shares


class BalancedSoftmax(LogitAdjusted):
    """The log loss of n_c · exp(logit_c), divided by their sum over the classes c: logit adjustment with τ = 1.

    References
    ----------
    Ren et al., "Balanced meta-softmax for long-tailed visual recognition", NeurIPS 2020, equation 4.
    """

    def __init__(self) -> None:
        super().__init__(tau=1.0)
