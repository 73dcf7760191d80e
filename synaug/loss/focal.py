"""The log loss, in which rows that are predicted well weigh little."""

import torch

from synaug import settings
from synaug.loss.base import Loss, log_losses


class Focal(Loss):
    """The log loss times (1 − p)^γ, where p is the probability of the row's class; without weights of classes.

    Its minimiser is less sure than the class probabilities, in a way that Charoenphakdee et al. (2021, theorem 11)
    give in closed form: with h(q) = q / ((1 − q)^γ − γ q (1 − q)^(γ − 1) log q), the class probabilities are h(q) over
    its sum. So on rows in unequal numbers the logits do not follow the class frequencies π, but frequencies that are
    less unequal: q with h(q) ∝ π, which is the best constant answer.

    Parameters
    ----------
    gamma
        γ: 0 is the plain loss.

    References
    ----------
    Lin et al., "Focal loss for dense object detection", ICCV 2017, equation 4. Charoenphakdee et al., "On focal loss
    for class-posterior probability estimation", CVPR 2021.
    """

    def __init__(self, gamma: float = 2.0) -> None:
        settings.require("loss", settings.OF_A_TARGET["synaug.loss.Focal"], {"gamma": gamma})
        self.gamma = gamma

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """Loss of each row, `[m, B]`."""
        losses = log_losses(logits, labels)
        # A row that is predicted perfectly has no logarithm here, and no gradient either.
        missed = -torch.expm1(-losses)
        log_missed = missed.clamp_min(torch.finfo(missed.dtype).tiny).log()
        return (self.gamma * log_missed).exp() * losses
