"""Losses and hits, counted by member and class."""

import torch

from synaug.classifier.batch import StackedBatch


class ClassTally:
    """Sums of losses and hits by member and class, each `[m, n_classes]`, on the CPU (not every device has float64)."""

    def __init__(self, n_members: int, n_classes: int) -> None:
        self.loss = torch.zeros(n_members, n_classes, dtype=torch.float64)
        self.hits = torch.zeros_like(self.loss)
        self.rows = torch.zeros_like(self.loss)

    def add(self, losses: torch.Tensor, hits: torch.Tensor, batch: StackedBatch) -> None:
        """Count a block `[m, B]`; padding does not count."""
        real, y = batch.real.cpu().double(), batch.y.cpu()
        self.loss.scatter_add_(1, y, losses.cpu().double() * real)
        self.hits.scatter_add_(1, y, hits.cpu().double() * real)
        self.rows.scatter_add_(1, y, real)

    def balanced_loss(self) -> torch.Tensor:
        """Mean over classes of the mean loss of a class's rows, `[m]`."""
        return (self.loss / self.rows).mean(1)

    def accuracy(self, classes: torch.Tensor) -> torch.Tensor:
        """Share of hits among all rows of some classes, `[m]`; NaN where there are none."""
        classes = classes.cpu()
        return self.hits[:, classes].sum(1) / self.rows[:, classes].sum(1)
