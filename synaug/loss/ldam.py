"""The log loss with a margin, which is larger for classes of few rows."""

import torch
from torch.nn import functional

from synaug import settings
from synaug.loss.base import Loss, as_logits, exact, log_losses


class LDAM(Loss):
    """The log loss after a margin is taken off the logit of a row's own class: Δ · (n_min / n)^¼ for a class of n rows.

    Cao et al. take it off cosines, which they then scale by 30; here it is off the head's own logits, so that their
    margin of 0.5 is one of 15. Their second part, weights of classes from some epoch on, is none of the loss.

    With a margin the loss is no longer consistent (Menon et al. 2021, section 4.1): its logits follow the class
    probabilities in the middle, and overstate them beyond it. What is assumed of the class frequencies is what holds
    for a row that tells nothing: the best constant answer. It is near the class frequencies, but not the same.

    Parameters
    ----------
    max_margin
        Δ, in logits: the margin of the smallest class; 0 is the plain loss.

    References
    ----------
    Cao et al., "Learning imbalanced datasets with label-distribution-aware margin loss", NeurIPS 2019, equation 13.
    """

    def __init__(self, max_margin: float = 1.0) -> None:
        settings.require("loss", settings.OF_A_TARGET["synaug.loss.LDAM"], {"max_margin": max_margin})
        self.max_margin = max_margin

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """Loss of each row, `[m, B]`."""
        rows = exact(counts)
        margins = self.max_margin * (rows.amin(1, keepdim=True) / rows).sqrt().sqrt()
        own_class = functional.one_hot(labels, logits.shape[-1])
        return log_losses(logits - as_logits(margins, logits)[:, None] * own_class, labels)
