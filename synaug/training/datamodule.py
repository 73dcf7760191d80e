"""Training sets to stacked batches: the rows of all members, served at once."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import LightningDataModule

from synaug.classifier.batch import StackedBatch
from synaug.seeding import derive_seed
from synaug.training.batches import EvaluationBatches, Passes, RowPool, Steps, TrainingBatches
from synaug.training.training_sets import TrainingData, member_seeds


class EmbeddingDataModule(LightningDataModule):
    """The members of a stack over cached embeddings, one for each training set; they may leave it.

    Parameters
    ----------
    data
        What they train on, and are judged on.
    batch_size
        Rows of each member in a training batch.
    looks
        After which steps members are looked at, ascending; an epoch goes from one look to the next.

    Attributes
    ----------
    running
        Which members (places in `data.training_sets`) are in the stack, ascending.
    """

    def __init__(self, data: TrainingData, *, batch_size: int, looks: Sequence[int]) -> None:
        super().__init__()
        self.data = data
        self.batch_size = batch_size
        self.looks = looks
        self.running = np.arange(len(data.training_sets))

    @cached_property
    def _pool(self) -> RowPool:
        return RowPool(self.data.embeddings, self.data.labels, self.data.training_sets)

    @cached_property
    def _passes(self) -> list[Passes]:
        training_sets = self.data.training_sets
        n_synthetic = [len(training_set.augmented.labels) for training_set in training_sets]
        starts = np.cumsum([len(self.data.labels), *n_synthetic])
        passes = []
        for training_set, start, count in zip(training_sets, starts[:-1], n_synthetic, strict=True):
            rows = np.concatenate([training_set.real, np.arange(start, start + count)]).astype(np.int32)
            seeds = member_seeds(training_set.split, training_set.inner, training_set.replica)
            generator = torch.Generator().manual_seed(derive_seed("batches", self.data.dataset, *seeds))
            passes.append(Passes(rows, generator))
        return passes

    @property
    def n_inner(self) -> int:
        """How many of those that run are of an inner fold; they come first."""
        return int(np.count_nonzero(self.running < len(self.data.inner)))

    def train_dataloader(self) -> TrainingBatches:
        """Batches of `[m, batch_size, d]`, up to the next look."""
        assert self.trainer is not None
        epoch = self.trainer.current_epoch
        n_steps = self.looks[epoch] - (self.looks[epoch - 1] if epoch else 0)
        passes = [self._passes[member] for member in self.running]
        return TrainingBatches(self._pool, passes, self.running.tolist(), self.batch_size, n_steps)

    def val_dataloader(self) -> list[EvaluationBatches]:
        """The test rows of those that train on all rows; then, if some run, the rows that inner folds left out."""
        n_inner = self.n_inner
        loaders = [self.test_rows(self.running[n_inner:], n_inner)]
        return [*loaders, self.left_out_rows(self.running[:n_inner])] if n_inner else loaders

    def left_out_rows(self, members: NDArray[np.intp]) -> EvaluationBatches:
        """The rows that judge members of inner folds, which are the first ones of the stack."""
        rows = [self.data.training_sets[member].left_out for member in members]
        return EvaluationBatches(self._pool, rows, members.tolist(), slice(len(members)))

    def test_rows(self, members: NDArray[np.intp], first: int) -> EvaluationBatches:
        """The test rows of the splits of members, of which the first has the place `first` in the stack."""
        rows = [self.data.training_sets[member].split.test for member in members]
        return EvaluationBatches(self._pool, rows, members.tolist(), slice(first, first + len(members)))

    def transfer_batch_to_device(
        self, batch: StackedBatch | Steps, device: torch.device, dataloader_idx: int
    ) -> StackedBatch | Steps:
        """Lightning's hook for our batch types."""
        return batch.to(device)
