"""What a stack takes: rows of its members, side by side."""

from dataclasses import dataclass

import torch

from synaug.classifier.stacked import ALL


@dataclass(frozen=True)
class StackedBatch:
    """Rows of members, side by side.

    Attributes
    ----------
    x, y
        float32 `[m, B, d]` and int64 `[m, B]`.
    real
        bool `[m, B]`; False is padding.
    members
        Which members of the stack these are.
    """

    x: torch.Tensor
    y: torch.Tensor
    real: torch.Tensor
    members: slice = ALL

    def to(self, device: torch.device) -> "StackedBatch":
        """The same rows on a device."""
        return StackedBatch(self.x.to(device), self.y.to(device), self.real.to(device), self.members)
