"""Training sets to stacked batches: the rows of all members of a stack, served at once."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import LightningDataModule

from synaug.classifier.batch import StackedBatch
from synaug.seeding import derive_seed
from synaug.training.batches import EvaluationBatches, Passes, RowPool, Steps, TrainingBatches
from synaug.training.training_sets import TrainingData, TrainingSet


class EmbeddingDataModule(LightningDataModule):
    """The members of one stack over cached embeddings, one for each of some training sets; they may leave it.

    Parameters
    ----------
    data
        What members train on, and are judged on.
    pool
        The rows of all training sets of `data`.
    members
        Which of these are in the stack: places in `data.training_sets`, ascending; either all of inner folds, or none.
    batch_size
        Rows of each member in a training batch.
    looks
        After which steps members are looked at, ascending; an epoch goes from one look to the next.

    Attributes
    ----------
    running
        Those of the members that have not left the stack.
    """

    def __init__(
        self, data: TrainingData, pool: RowPool, members: Sequence[int], *, batch_size: int, looks: Sequence[int]
    ) -> None:
        super().__init__()
        self.data = data
        self.members = list(members)
        self.running = list(members)
        self.batch_size = batch_size
        self.looks = looks
        self._pool = pool
        self._passes = self._all_passes()

    def _all_passes(self) -> dict[int, Passes]:
        n_synthetic = [len(training_set.augmented.labels) for training_set in self.data.training_sets]
        starts = np.cumsum([self._pool.n_real, *n_synthetic])
        passes = {}
        for member in self.members:
            training_set = self.data.training_sets[member]
            synthetic = np.arange(starts[member], starts[member + 1])
            seeds = training_set.seeds
            generator = torch.Generator().manual_seed(derive_seed("batches", self.data.dataset, *seeds))
            real = training_set.real + self._pool.offsets[member]
            passes[member] = Passes(np.concatenate([real, synthetic]).astype(np.int32), generator)
        return passes

    def train_dataloader(self) -> TrainingBatches:
        """Batches of `[m, batch_size, d]`, up to the next look."""
        assert self.trainer is not None
        epoch = self.trainer.current_epoch
        n_steps = self.looks[epoch] - (self.looks[epoch - 1] if epoch else 0)
        passes = [self._passes[member] for member in self.running]
        return TrainingBatches(self._pool, passes, self.running, self.batch_size, n_steps)

    def val_dataloader(self) -> EvaluationBatches:
        """The rows that inner folds left out; of members that train on all rows, the test rows."""
        return self._of_rows(judging_rows, self.running)

    def left_out_rows(self) -> EvaluationBatches:
        """The rows that judge each member of an inner fold, whether it has left the stack or not."""
        return self._of_rows(lambda training_set: training_set.left_out, self.members)

    def test_rows(self) -> EvaluationBatches:
        """The test rows of each member's split, whether it has left the stack or not."""
        return self._of_rows(lambda training_set: training_set.split.test, self.members)

    def _of_rows(
        self, rows_of: Callable[[TrainingSet], NDArray[np.int64]], members: Sequence[int]
    ) -> EvaluationBatches:
        rows = [rows_of(self.data.training_sets[member]) + self._pool.offsets[member] for member in members]
        return EvaluationBatches(self._pool, rows, members)

    def teardown(self, stage: str) -> None:
        """Lightning's hook: of members that are trained, nothing is drawn any more, and watches keep this module."""
        if stage == "fit":
            self._passes = {}

    def transfer_batch_to_device(
        self, batch: StackedBatch | Steps, device: torch.device, dataloader_idx: int
    ) -> StackedBatch | Steps:
        """Lightning's hook for our batch types: rows were gathered where the pool lies, which is on the device."""
        return batch


def judging_rows(training_set: TrainingSet) -> NDArray[np.int64]:
    """What a member is looked at on: the rows left out, or, if it trains on all rows, the test rows."""
    return training_set.split.test if training_set.inner is None else training_set.left_out
