"""Fit classifiers: training sets to log probabilities of the rows that did not train.

Whatever has a `fit` from `TrainingData` to `Predictions` is a classifier here; nothing behind it knows how it was
trained.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import Trainer
from pytorch_lightning.loggers import Logger
from pytorch_lightning.plugins.environments import LightningEnvironment  # type: ignore[attr-defined]  # documented

from synaug.classifier import Classifier
from synaug.errors import UserError
from synaug.loss import Loss
from synaug.scores.decision import CANDIDATE_RULES
from synaug.scores.prior_correction import corrected
from synaug.seeding import derive_seed
from synaug.training.batches import EvaluationBatches
from synaug.training.datamodule import EmbeddingDataModule
from synaug.training.looks import looks, pooled
from synaug.training.predictions import Chosen, OfSplit, Predictions
from synaug.training.progress import TrainingBar
from synaug.training.training_sets import TrainingData, member_seeds
from synaug.training.watch import StackWatcher, out_of_fold

log = logging.getLogger(__name__)

Array = NDArray[np.float64]
BAGGED, REFIT = "bagged", "refit"


class Fits(Protocol):
    """What can be trained: a classifier with all of its settings."""

    def fit(self, data: TrainingData) -> Predictions:
        """Train on each training set, and predict the out-of-fold and test rows of its split."""


@dataclass(frozen=True)
class StackedTraining:
    """All members in one stack, under one Lightning Trainer.

    Attributes
    ----------
    classifier
        `synaug.classifier.Classifier` without the arguments that the data decide.
    loss
        What is trained on.
    batch_size
        Rows of each member in a training batch.
    max_steps
        Training batches of the members that train on all rows; others stop earlier.
    trainer
        Lightning's own arguments.
    final
        ``bagged``: the mean of the inner members is the classifier; ``refit``: the member that trains on all rows, at
        the step that the inner ones chose.
    logger
        What is told of the training; None for nothing.
    """

    classifier: Callable[..., Classifier]
    loss: Loss
    batch_size: int
    max_steps: int
    trainer: Mapping[str, Any]
    final: str = BAGGED
    logger: Logger | None = None

    def fit(self, data: TrainingData) -> Predictions:
        """Train the stack, and predict with the weights that each rule chose.

        Raises
        ------
        UserError
            If a split's loss on out-of-fold rows was never finite.
        """
        return self.train(data).predict(self.final)

    def train(self, data: TrainingData) -> "TrainedStack":
        """Train the stack; raises as `fit` does."""
        steps = looks(self.max_steps)
        counts = data.class_counts()
        carried = self.loss.carried_prior(counts)
        module = EmbeddingDataModule(data, batch_size=self.batch_size, looks=steps)
        watcher = StackWatcher(module, carried)
        stack = self.classifier(
            n_features=data.embeddings.shape[1],
            n_classes=len(data.class_names),
            class_counts=counts,
            loss=self.loss,
            seeds=[
                derive_seed("weights", *member_seeds(training_set.split, training_set.inner, training_set.replica))
                for training_set in data.training_sets
            ],
            watcher=watcher,
        )
        log.info(
            "training %d members for at most %d steps (%d splits, with %d of inner folds)",
            len(data.training_sets),
            self.max_steps,
            len(data.splits),
            len(data.inner),
        )
        trainer = self._trainer(len(steps))
        trainer.fit(stack, module)
        lost = [judge for judge in watcher.judges if len(judge.step) < len(CANDIDATE_RULES)]
        if lost:
            raise UserError(
                f"the loss on out-of-fold rows of {len(lost)} of {len(watcher.judges)} splits was never finite: "
                "lower classifier.optimizer.lr"
            )
        return TrainedStack(trainer, stack, module, watcher)

    def _trainer(self, n_epochs: int) -> Trainer:
        """Lightning's own Trainer; weights are kept by member, so it writes no checkpoints."""
        return Trainer(
            max_epochs=n_epochs,
            reload_dataloaders_every_n_epochs=1,  # epochs grow longer, and members leave
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
    """A stack after its training, with the weights that were kept on the way."""

    trainer: Trainer
    stack: Classifier
    module: EmbeddingDataModule
    watcher: StackWatcher

    def predict(self, final: str) -> Predictions:
        """Predict the test rows with the last weights, and all rows that did not train with those that each rule chose."""
        data, watcher = self.module.data, self.watcher
        running, n_running_inner = self.module.running, self.module.n_inner
        last = self._said(self.module.test_rows(running[n_running_inner:], n_running_inner))
        lasts = [pooled(of_split) for of_split in _by_split(data, running[n_running_inner:], last)]
        chosen = [self._chosen(rule, final) for rule in CANDIDATE_RULES]
        return Predictions(
            splits=[
                OfSplit(of_split, dict(zip(CANDIDATE_RULES, of_rules, strict=True)))
                for of_split, *of_rules in zip(lasts, *chosen, strict=True)
            ],
            members=len(data.training_sets),
            n_trained=watcher.n_trained,
            optimiser_steps=watcher.optimiser_steps,
            flops=self.stack.flops(watcher.n_trained, watcher.n_judged),
            curves=watcher.curves(),
        )

    def _chosen(self, rule: str, final: str) -> list[Chosen]:
        """What the models of the step that a rule chose say, for each split."""
        data, watcher = self.module.data, self.watcher
        everyone, n_inner = np.arange(len(data.training_sets)), len(data.inner)
        self.stack.load(watcher.kept[rule])
        left_out = self._said(self.module.left_out_rows(everyone[:n_inner]))
        judges = everyone[n_inner:] if final == REFIT else everyone[:n_inner]
        test = self._said(self.module.test_rows(judges, int(judges[0])))
        chosen = []
        for place, (inner, said, on_test) in enumerate(
            zip(
                _by_split(data, everyone[:n_inner], everyone[:n_inner]),
                _by_split(data, everyone[:n_inner], left_out),
                _by_split(data, judges, list(zip(judges, test, strict=True))),
                strict=True,
            )
        ):
            judge = watcher.judges[place]
            as_they_are = [of_member for _, of_member in on_test]
            target = data.target[place]
            chosen.append(
                Chosen(
                    step=judge.step[rule],
                    loss=judge.best[rule],
                    chance=judge.chance,
                    out_of_fold=out_of_fold(data, watcher.carried, inner, said),
                    test=pooled([corrected(of_member, watcher.carried[member], target) for member, of_member in on_test]),
                    test_as_it_is=pooled(as_they_are),
                )
            )
        return chosen

    def _said(self, batches: EvaluationBatches) -> list[Array]:
        """Log probabilities `[n_rows, n_classes]` of each member's rows."""
        blocks = self.trainer.predict(self.stack, dataloaders=batches)
        assert blocks is not None
        stacked = torch.cat(list(blocks), dim=1).numpy()  # type: ignore[arg-type]
        return [of_member[:count] for of_member, count in zip(stacked, batches.n_rows, strict=True)]


def _by_split(data: TrainingData, members: NDArray[np.intp], values: Sequence[Any]) -> list[list[Any]]:
    """Values of members, split by split."""
    of_splits: list[list[Any]] = [[] for _ in data.splits]
    for member, value in zip(members, values, strict=True):
        of_splits[data.training_sets[member].place].append(value)
    return of_splits
