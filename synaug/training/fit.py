"""Fit classifiers: training sets to log probabilities of the rows that did not train.

Whatever has a `fit` from `TrainingData` to `Predictions` is a classifier here; nothing behind it knows how it was
trained.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import Trainer
from pytorch_lightning.loggers import Logger
from pytorch_lightning.plugins.environments import LightningEnvironment  # type: ignore[attr-defined]  # documented

from synaug.classifier import Classifier
from synaug.seeding import derive_seed
from synaug.training.datamodule import EmbeddingDataModule
from synaug.training.progress import TrainingBar
from synaug.training.training_sets import TrainingData

log = logging.getLogger(__name__)

LogProbabilities = NDArray[np.float64]


@dataclass(frozen=True)
class Curves:
    """How training went.

    Attributes
    ----------
    steps
        int64 `[p]`, ascending: after how many optimiser steps each point was taken.
    points
        float64 `[p, splits]` each, by name: `train_loss`, `validation_loss`, `train_minority_accuracy`,
        `validation_minority_accuracy`.
    best
        int64 `[splits]`: the step that each split's weights are from; one of `steps`.

    Of a classifier that is not trained in steps, all are empty.
    """

    steps: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    points: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    best: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass(frozen=True)
class Predictions:
    """What fitted classifiers say of the rows that they did not train on, and what it took.

    Attributes
    ----------
    validation, test
        Log probabilities of each split's rows, float64 `[n_rows, n_classes]`.
    prior
        Class frequencies that the log probabilities follow, `[splits, n_classes]`: prior correction takes them off.
    n_trained
        Rows trained on; a row counts as often as it is drawn.
    flops
        Floating-point operations of training; None where they are not known.
    curves
        How training went.
    """

    validation: Sequence[LogProbabilities]
    test: Sequence[LogProbabilities]
    prior: NDArray[np.float64]
    n_trained: int
    flops: float | None = None
    curves: Curves = field(default_factory=Curves)

    @property
    def n_predicted(self) -> int:
        """Rows of validation and test."""
        return sum(map(len, self.validation)) + sum(map(len, self.test))


class Fits(Protocol):
    """What can be trained: a classifier with all of its settings."""

    def fit(self, data: TrainingData) -> Predictions:
        """Train on each training set, and predict the validation and test rows of its split."""


@dataclass(frozen=True)
class StackedTraining:
    """All members in one stack, under one Lightning Trainer; a member for each split.

    Attributes
    ----------
    classifier
        `synaug.classifier.Classifier` without the arguments that the data decide.
    batch_size
        Rows of each member in a training batch.
    max_steps, steps_per_epoch
        Training batches in all, and between two validations; the latter divides the former.
    trainer
        Lightning's own arguments.
    logger
        What is told of the training; None for nothing.
    """

    classifier: Callable[..., Classifier]
    batch_size: int
    max_steps: int
    steps_per_epoch: int
    trainer: Mapping[str, Any]
    logger: Logger | None = None

    def fit(self, data: TrainingData) -> Predictions:
        """Train the stack, and predict with each member's best weights; raises as `train` does."""
        return self.train(data).predict()

    def train(self, data: TrainingData) -> "TrainedStack":
        """Train the stack.

        Raises
        ------
        UserError
            If a member's validation loss was never finite.
        """
        module = EmbeddingDataModule(data, batch_size=self.batch_size, steps_per_epoch=self.steps_per_epoch)
        stack = self.classifier(
            n_features=data.embeddings.shape[1],
            n_classes=len(data.class_names),
            minority=data.minority,
            class_frequencies=data.class_frequencies(),
            seeds=[derive_seed("weights", split.seed, split.fold) for split in data.splits],
        )
        log.info("training %d members for %d steps", len(data.training_sets), self.max_steps)
        trainer = self._trainer()
        trainer.fit(stack, module)
        return TrainedStack(trainer, stack, module)

    def _trainer(self) -> Trainer:
        """Lightning's own Trainer; best weights are kept by member, so it writes no checkpoints."""
        return Trainer(
            max_epochs=self.max_steps // self.steps_per_epoch,
            logger=self.logger or False,
            callbacks=[TrainingBar()] if self.trainer.get("enable_progress_bar", True) else None,
            enable_checkpointing=False,
            num_sanity_val_steps=0,
            plugins=[
                LightningEnvironment()
            ],  # one process, also inside a job of SLURM's, where it would look for others
            **{"enable_model_summary": False, "log_every_n_steps": 1, **self.trainer},
        )


@dataclass(frozen=True)
class TrainedStack:
    """A stack with the best weights of each member, and what it was trained with."""

    trainer: Trainer
    stack: Classifier
    module: EmbeddingDataModule

    def predict(self) -> Predictions:
        """Predict the validation and test rows of each member's split."""
        data, n_epochs = self.module.data, len(self.stack.curves)
        blocks = self.trainer.predict(self.stack, datamodule=self.module)
        assert blocks is not None
        n_drawn = len(data.training_sets) * self.module.batch_size * self.module.steps_per_epoch
        n_judged = sum(sum(loader.n_rows) for loader in self.module.val_dataloader())
        return Predictions(
            validation=predicted(blocks[0], [len(split.validation) for split in data.splits]),
            test=predicted(blocks[1], [len(split.test) for split in data.splits]),
            prior=data.class_frequencies(),
            n_trained=n_drawn * n_epochs,
            flops=self.stack.flops(n_drawn * n_epochs, n_judged * n_epochs),
            curves=curves(self.stack, self.module.steps_per_epoch),
        )


def predicted(blocks: Sequence[Any], n_rows: Sequence[int]) -> list[LogProbabilities]:
    """Join ``Trainer.predict``'s blocks into log probabilities `[n_rows, n_classes]` for each member."""
    stacked = torch.cat(list(blocks), dim=1).cpu().numpy()
    return [stacked[index, :count] for index, count in enumerate(n_rows)]


def curves(stack: Classifier, steps_per_epoch: int) -> Curves:
    """What a trained stack noted after each epoch."""
    steps = steps_per_epoch * np.arange(1, len(stack.curves) + 1)
    points = {name: np.stack([point[name] for point in stack.curves]) for name in stack.curves[0]}
    return Curves(steps, points, stack.best_step)
