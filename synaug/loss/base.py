"""What every loss does: a number for each row, and the class frequencies that the trained logits follow."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from synaug.loss.best_constant import best_constant


class Loss(ABC):
    """What each member's training makes small: the mean of these numbers over the rows of a batch.

    A loss acts on each member by itself, so that a member's numbers are the same to the bit, alone or in a stack. What
    torch does row by row along the last dimension, and +, −, ×, / and square roots, keep to this; ``Tensor.pow`` with
    a fractional exponent does not (a number at the end of a tensor may be rounded otherwise): write exp(γ · log x).
    """

    @abstractmethod
    def __call__(self, logits: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """Loss of each row.

        Parameters
        ----------
        logits
            `[m, B, C]`.
        labels
            int64 `[m, B]`.
        counts
            Rows of each class, real and synthetic, that each member trains on, `[m, C]`; all of them positive.

        Returns
        -------
        Tensor
            `[m, B]`.
        """

    def carried_prior(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Class frequencies that the trained logits follow: prior correction takes them off.

        They are what the loss would have a classifier say of a row that tells nothing, which is the best answer that
        is the same for all rows. The plain loss has it say the class frequencies themselves; a loss that weights or
        shifts classes, another thing. Taken off, such a row gets uniform probabilities, and of two classes the
        decision changes where their densities are equal.

        A loss that has no formula of its own for them is minimised over constant logits.

        Parameters
        ----------
        counts
            As in the call, `[m, C]`.

        Returns
        -------
        ndarray
            `[m, C]`; rows add up to 1.

        Raises
        ------
        UserError
            If there is no best answer.
        """
        return best_constant(self, counts)

    def for_classes(self, class_names: Sequence[str]) -> Self:
        """The same loss where it need not know what classes are called; one that does takes their names here."""
        return self


def log_losses(logits: torch.Tensor, labels: torch.Tensor, label_smoothing: float = 0.0) -> torch.Tensor:
    """Log loss of each row, `[m, B]`, of logits `[m, B, C]`."""
    losses = functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), reduction="none", label_smoothing=label_smoothing
    )
    return losses.view(labels.shape)


def exact(counts: torch.Tensor) -> torch.Tensor:
    """Counts as float64 where the device has it: then what is computed of them is rounded once, to the logits' type."""
    return counts.to(torch.float32 if counts.device.type == "mps" else torch.float64)


def as_logits(values: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Numbers of each class in the logits' type, but float32 at least (logits may be half as wide)."""
    return values.to(torch.promote_types(logits.dtype, torch.float32))
