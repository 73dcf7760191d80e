"""The classifiers of all members as one Lightning module, which keeps the best weights of each."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import LightningModule
from torch.nn import functional

from synaug.classifier.batch import StackedBatch
from synaug.classifier.stacked import StackedMLP
from synaug.classifier.tally import ClassTally
from synaug.errors import UserError

# Of the widest vector registers of today's CPUs; torch's fused optimisers cut their work into such units.
REGISTER_FLOATS = 16


class Classifier(LightningModule):
    """Trains a stack of classifiers and keeps each member's best weights.

    The loss is summed over members, so that each member's gradient is its own; nothing else couples
    them. After each epoch the class-balanced validation loss (the mean over classes of the mean
    log loss of a class's rows) is taken, and a member whose loss fell has its weights kept. That
    loss is of prior-corrected probabilities (Menon et al. 2021): the prior that a member was
    trained on can be corrected without training, so it must not decide which weights are best. Where a
    member trains on balanced classes, the correction is none.

    Parameters
    ----------
    n_features, n_classes
        Width of the embeddings, number of classes.
    minority
        Labels of the minority classes, whose accuracy is watched.
    seeds
        One for each member.
    hidden
        Widths of the hidden layers.
    optimizer
        Called with the parameters; must work element by element (SGD, Adam and their kin do).
    class_frequencies
        Share of each class among the rows a member trains on, `[m, n_classes]`; None for equal ones.
    loss
        Called with logits `[r, n_classes]`, labels `[r]` and ``reduction="none"``.
    """

    def __init__(
        self,
        *,
        n_features: int,
        n_classes: int,
        minority: Sequence[int],
        seeds: Sequence[int],
        hidden: Sequence[int] = (128,),
        optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
        loss: Callable[..., torch.Tensor] = functional.cross_entropy,
        class_frequencies: NDArray[np.float64] | None = None,
    ) -> None:
        super().__init__()
        # Lightning's work for a step costs half as much as the step, so it is handed several at once.
        self.automatic_optimization = False
        if any(width < 1 for width in hidden):
            raise UserError(
                f"classifier.hidden={list(hidden)} must hold positive widths, e.g. [128], or be [] for a linear model"
            )
        self.network = StackedMLP(n_features, n_classes, hidden, seeds)
        self.n_classes = n_classes
        self.optimizer = optimizer
        # Of Hydra's own kind, a partial is checked at every call, which takes longer than the loss.
        self.loss = partial(loss.func, *loss.args, **loss.keywords) if isinstance(loss, partial) else loss
        self.best_step = np.zeros(len(seeds), dtype=np.int64)
        self.curves: list[dict[str, NDArray[np.float64]]] = []
        is_minority = torch.zeros(n_classes, dtype=torch.bool)
        is_minority[list(minority)] = True
        self.is_minority: torch.Tensor
        self.register_buffer("is_minority", is_minority, persistent=False)
        prior = np.full((len(seeds), n_classes), 1 / n_classes) if class_frequencies is None else class_frequencies
        self.log_prior: torch.Tensor
        self.register_buffer("log_prior", torch.from_numpy(np.log(prior)).float()[:, None], persistent=False)
        self._best_loss = torch.full((len(seeds),), torch.inf, dtype=torch.float64)
        self._best_weights = {name: weight.detach().clone() for name, weight in self.network.named_parameters()}
        self._train_loss: list[torch.Tensor] = []
        self._tallies: list[ClassTally] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[m, B, n_classes]` of rows `[m, B, d]`."""
        return self.network(x)  # type: ignore[no-any-return]

    def flops(self, trained: int, judged: int) -> float:
        """Floating-point operations of the matrix products over rows trained on and rows judged.

        Forwards a row meets every weight of its member once (a multiplication and an addition), backwards
        twice, but for the first layer, whose input needs no gradient.
        """
        sizes = [weight[0].numel() for name, weight in self.network.named_parameters() if name.endswith("weight")]
        return 2.0 * (trained * (3 * sum(sizes) - sizes[0]) + judged * sum(sizes))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Lightning's hook; on a CPU the optimiser goes over weights, gradients and moments once a step, if it can."""
        arguments = inspect.signature(self.optimizer).parameters
        given = getattr(self.optimizer, "keywords", {})
        parameters = list(self.network.parameters())
        if self.device.type != "cpu" or "fused" not in arguments or {"fused", "foreach", "capturable"} & set(given):
            return self.optimizer(parameters)
        # What is left over from whole vector registers is rounded otherwise, and where the rest of a member falls
        # depends on the stack: a layer that leaves a rest is stepped through plainly.
        whole = [weight for weight in parameters if weight[0].numel() % REGISTER_FLOATS == 0]
        rest = [weight for weight in parameters if weight[0].numel() % REGISTER_FLOATS]
        groups = [{"params": whole, "fused": True}, {"params": rest, "fused": False, "foreach": False}]
        return self.optimizer([group for group in groups if group["params"]])

    def _losses(self, logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return self.loss(logits.flatten(0, 1), y.flatten(), reduction="none").view(y.shape)

    def training_step(self, steps: Iterable[StackedBatch], batch_idx: int) -> None:
        """Several optimiser steps on the members' mean losses, summed."""
        optimizer = self.optimizers()
        assert not isinstance(optimizer, list)
        for batch in steps:
            losses = self._losses(self(batch.x), batch.y).mean(1)
            self._train_loss.append(losses.detach())
            optimizer.zero_grad()
            self.manual_backward(losses.sum())
            optimizer.step()

    def on_validation_epoch_start(self) -> None:
        """Start a tally for each loader: the validation rows and the watched training rows."""
        n_members = len(self.best_step)
        self._tallies = [ClassTally(n_members, self.n_classes) for _ in range(2)]

    def validation_step(self, batch: StackedBatch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Add a block of rows to its loader's tally."""
        logits = self(batch.x)
        corrected = logits - self.log_prior
        losses = functional.cross_entropy(corrected.flatten(0, 1), batch.y.flatten(), reduction="none")
        self._tallies[dataloader_idx].add(losses.view(batch.y.shape), logits.argmax(-1) == batch.y, batch)

    def on_validation_epoch_end(self) -> None:
        """While fitting, put better weights by and note a point of the curves."""
        validation, watched = self._tallies
        point = {
            "validation_loss": validation.balanced_loss(),
            "train_minority_accuracy": watched.accuracy(self.is_minority),
            "validation_minority_accuracy": validation.accuracy(self.is_minority),
        }
        if self._train_loss:  # else the weights are only looked at
            self._keep_best(point["validation_loss"])
            point["train_loss"] = torch.stack(self._train_loss).cpu().double().mean(0)
            self._train_loss.clear()
            self.curves.append({name: value.numpy() for name, value in point.items()})
        for name, value in point.items():
            stage, _, metric = name.partition("_")
            self.log(f"{stage}/{metric}", value.nanmean().float(), batch_size=1)
        # Loggers would count the trainer's batches, each of which is several steps; by this name they take ours.
        self.log("step", float(self.trainer.global_step), batch_size=1)

    def _keep_best(self, loss: torch.Tensor) -> None:
        better = loss < self._best_loss
        for name, weight in self.network.named_parameters():
            mask = better.to(weight.device).view(-1, *[1] * (weight.dim() - 1))
            self._best_weights[name] = torch.where(mask, weight.detach(), self._best_weights[name].to(weight.device))
        self._best_loss = torch.where(better, loss, self._best_loss)
        self.best_step[better.numpy()] = self.trainer.global_step

    def on_fit_end(self) -> None:
        """Give each member its best weights back.

        Raises
        ------
        UserError
            If a member's validation loss was never finite.
        """
        lost = np.flatnonzero(self.best_step == 0)
        if len(lost):
            raise UserError(
                f"the validation loss of {len(lost)} of {len(self.best_step)} members was never finite: "
                "lower classifier.optimizer.lr"
            )
        with torch.no_grad():
            for name, weight in self.network.named_parameters():
                weight.copy_(self._best_weights[name])

    def predict_step(self, batch: StackedBatch, batch_idx: int, dataloader_idx: int = 0) -> torch.Tensor:
        """Log probabilities, float64 `[m, B, n_classes]`."""
        return self(batch.x).cpu().double().log_softmax(-1)  # type: ignore[no-any-return]
