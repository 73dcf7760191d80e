"""What a stack takes: rows of all members, side by side."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch

# Rows are evaluated in blocks of one shape, so that a member's numbers do not depend on how many
# rows the others of its stack have.
EVALUATION_ROWS = 256


@dataclass(frozen=True)
class StackedBatch:
    """Rows of all members: `x` float32 `[m, B, d]`, `y` int64 `[m, B]`."""

    x: torch.Tensor
    y: torch.Tensor

    def to(self, device: torch.device) -> "StackedBatch":
        """The same rows on a device."""
        return StackedBatch(self.x.to(device), self.y.to(device))


@runtime_checkable
class RowsOfSteps(Protocol):
    """Consecutive batches as the numbers of their rows, which are on the device on which they are trained on.

    Attributes
    ----------
    rows
        int32 `[n_steps, m, B]`.
    """

    rows: torch.Tensor

    def gather(self, rows: torch.Tensor) -> StackedBatch:
        """The batch of so many rows `[m, B]`."""
