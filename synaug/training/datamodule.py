"""Training sets to stacked batches: the rows of all members, served at once."""

from functools import cached_property

import numpy as np
import torch
from pytorch_lightning import LightningDataModule

from synaug.classifier.batch import StackedBatch
from synaug.seeding import derive_seed
from synaug.training.batches import EvaluationBatches, RowPool, Steps, TrainingBatches
from synaug.training.training_sets import TrainingData

# The training accuracy of the minority is watched on at most so many real rows of each member.
WATCHED_ROWS = 512


class EmbeddingDataModule(LightningDataModule):
    """The members of a stack over cached embeddings, one for each training set.

    Parameters
    ----------
    data
        What they train on, and are judged on.
    batch_size
        Rows of each member in a training batch.
    steps_per_epoch
        Training batches between two validations.
    """

    def __init__(self, data: TrainingData, *, batch_size: int, steps_per_epoch: int) -> None:
        super().__init__()
        self.data = data
        self.batch_size = batch_size
        self.steps_per_epoch = steps_per_epoch

    @cached_property
    def _pool(self) -> RowPool:
        return RowPool(self.data.embeddings, self.data.labels, self.data.training_sets)

    def train_dataloader(self) -> TrainingBatches:
        """Batches of `[m, batch_size, d]`, `steps_per_epoch` of them an epoch."""
        n_synthetic = [len(training_set.augmented.labels) for training_set in self.data.training_sets]
        starts = np.cumsum([len(self.data.labels), *n_synthetic])
        rows = [
            np.concatenate([training_set.real, np.arange(start, start + count)]).astype(np.int32)
            for training_set, start, count in zip(self.data.training_sets, starts[:-1], n_synthetic, strict=True)
        ]
        generators = [
            torch.Generator().manual_seed(derive_seed("batches", self.data.dataset, split.seed, split.fold))
            for split in self.data.splits
        ]
        return TrainingBatches(self._pool, rows, generators, self.batch_size, self.steps_per_epoch)

    def val_dataloader(self) -> list[EvaluationBatches]:
        """The validation rows, and the real minority rows trained on (for the gap between the two)."""
        watched = []
        for split in self.data.splits:
            minority = split.train[np.isin(self.data.labels[split.train], self.data.minority)]
            draw = np.random.RandomState(derive_seed("watched", self.data.dataset, split.seed, split.fold))
            watched.append(draw.permutation(minority)[:WATCHED_ROWS])
        return [
            EvaluationBatches(self._pool, [split.validation for split in self.data.splits]),
            EvaluationBatches(self._pool, watched),
        ]

    def predict_dataloader(self) -> list[EvaluationBatches]:
        """The validation rows and the test rows."""
        return [
            EvaluationBatches(self._pool, [split.validation for split in self.data.splits]),
            EvaluationBatches(self._pool, [split.test for split in self.data.splits]),
        ]

    def transfer_batch_to_device(
        self, batch: StackedBatch | Steps, device: torch.device, dataloader_idx: int
    ) -> StackedBatch | Steps:
        """Lightning's hook for our batch types."""
        return batch.to(device)
