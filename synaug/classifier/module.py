"""The classifiers of all members as one Lightning module: they train, are looked at, and leave."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import LightningModule

from synaug.classifier.batch import RowsOfSteps, StackedBatch
from synaug.classifier.replay import RECORDED_ON, CudaGraphs, Recorder, ReplayedStep
from synaug.classifier.stacked import StackedMLP
from synaug.errors import UserError
from synaug.loss import Loss, Plain

# Of the widest vector registers of today's CPUs; torch's fused optimisers cut their work into such units.
REGISTER_FLOATS = 16

Weights = Mapping[str, torch.Tensor]
LogProbabilities = NDArray[np.float64]


class Watcher(Protocol):
    """Who looks at the members of a stack while they train, and says who has stopped."""

    def look(
        self, step: int, train_loss: NDArray[np.float64], log_probabilities: LogProbabilities, stack: Any
    ) -> NDArray[np.intp]:
        """Look at the members after a step.

        Parameters
        ----------
        step
            Optimiser steps so far.
        train_loss
            Mean loss of each member since the last look, `[m]`.
        log_probabilities
            Of the rows of the datamodule's `val_dataloader`, float64 `[m, B, n_classes]`.
        stack
            The `Classifier`, whose `weights` may be kept.

        Returns
        -------
        ndarray
            Places of the members that go on, ascending; the others leave the stack.
        """


class Classifier(LightningModule):
    """Trains a stack of classifiers.

    The loss is summed over members, so that each member's gradient is its own; nothing else couples
    them. After each epoch, which ends where the datamodule says, a watcher looks at what they say of rows
    that they do not train on; it may keep weights, and members may leave the stack.

    Parameters
    ----------
    n_features, n_classes
        Width of the embeddings, number of classes.
    seeds
        One for each member; seeds its initial weights.
    class_counts
        Rows of each class that a member trains on, `[m, n_classes]`; None for equal ones. Losses may ask for them.
    loss
        Of logits `[m, B, n_classes]`, labels `[m, B]` and the class counts: the loss of each row, `[m, B]`.
    hidden
        Widths of the hidden layers.
    optimizer
        Called with the parameters; must work element by element (SGD, Adam and their kin do).
    watcher
        Who looks at the members; None for nobody.

    Attributes
    ----------
    steps_done
        Optimiser steps so far.
    recorder
        What records steps on a GPU; None to take each by itself.
    """

    recorder: Recorder | None = CudaGraphs()

    def __init__(
        self,
        *,
        n_features: int,
        n_classes: int,
        seeds: Sequence[int],
        class_counts: NDArray[np.int64] | None = None,
        loss: Loss | None = None,
        hidden: Sequence[int] = (128,),
        optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
        watcher: Watcher | None = None,
    ) -> None:
        super().__init__()
        # Lightning's work for a step costs half as much as the step, so it is handed several at once.
        self.automatic_optimization = False
        if any(width < 1 for width in hidden):
            raise UserError(
                f"classifier.hidden={list(hidden)} must hold positive widths, e.g. [128], or be [] for a linear model"
            )
        self.network = StackedMLP(n_features, n_classes, hidden, seeds)
        self.optimizer = optimizer
        self.loss = Plain() if loss is None else loss
        self.watcher = watcher
        counts = np.ones((len(seeds), n_classes), np.int64) if class_counts is None else class_counts
        self.class_counts: torch.Tensor
        self.register_buffer("class_counts", torch.from_numpy(counts).float(), persistent=False)
        self.steps_done = 0
        self._train_loss: list[torch.Tensor] = []
        self._replayed: ReplayedStep | None = None  # of the members as they are now
        self._blocks: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[m, B, n_classes]` of rows `[m, B, d]`."""
        return self.network(x)  # type: ignore[no-any-return]

    @property
    def ends_linearly(self) -> bool:
        """Whether logits are what the network's last layer, a linear one, makes of its features, and nothing else."""
        network = self.network
        is_ours = isinstance(network, StackedMLP) and type(network).forward is StackedMLP.forward
        return is_ours and type(self).forward is Classifier.forward

    @property
    def weights(self) -> Weights:
        """Weights of the members, `[m, ...]` each, as they are now and not as they will be."""
        return {name: weight.detach() for name, weight in self.network.named_parameters()}

    def load(self, weights: Weights) -> None:
        """Make this a stack of the members that these weights are of."""
        self._replayed = None
        for name, weight in self.network.named_parameters():
            weight.data = weights[name].to(weight.device)

    def leave(self, going_on: NDArray[np.intp]) -> None:
        """Let all members but some (by their places, ascending) leave the stack, and their moments the optimiser."""
        index = torch.from_numpy(going_on)
        self._replayed = None

        def kept(values: torch.Tensor) -> torch.Tensor:
            return values.index_select(0, index.to(values.device))

        self.class_counts = kept(self.class_counts)
        state = self.optimizers().state  # type: ignore[union-attr]
        for weight in self.network.parameters():
            n_members = len(weight)
            weight.data, weight.grad = kept(weight.data), None
            moments: dict[str, Any] = state[weight]
            for name, value in moments.items():
                if isinstance(value, torch.Tensor) and value.dim() and len(value) == n_members:
                    moments[name] = kept(value)

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
        if self.device.type in RECORDED_ON and "capturable" in arguments and not {"foreach", "capturable"} & set(given):
            # With its count of steps on the GPU, so that a step can be recorded; in one kernel, if it has one there.
            # (Some have one for CPUs alone: those are not capturable.)
            one_kernel = {"fused": True} if "fused" in arguments and "fused" not in given else {}
            return self.optimizer(parameters, capturable=True, **one_kernel)
        if self.device.type != "cpu" or "fused" not in arguments or {"fused", "foreach", "capturable"} & set(given):
            return self.optimizer(parameters)
        # What is left over from whole vector registers is rounded otherwise, and where the rest of a member falls
        # depends on the stack: a layer that leaves a rest is stepped through plainly.
        whole = [weight for weight in parameters if weight[0].numel() % REGISTER_FLOATS == 0]
        rest = [weight for weight in parameters if weight[0].numel() % REGISTER_FLOATS]
        groups = [{"params": whole, "fused": True}, {"params": rest, "fused": False, "foreach": False}]
        return self.optimizer([group for group in groups if group["params"]])

    def training_step(self, steps: Iterable[StackedBatch], batch_idx: int) -> None:
        """Several optimiser steps on the members' mean losses, summed."""
        optimizer = self.optimizers()
        assert not isinstance(optimizer, list)
        if isinstance(steps, RowsOfSteps) and self.recorder is not None and self._can_be_recorded(optimizer):
            if self._replayed is None:
                self._replayed = ReplayedStep(partial(self._step_on_rows, steps), self.recorder)
            self._train_loss += self._replayed.run(steps.rows)
            self.steps_done += len(steps.rows)
            return
        for batch in steps:
            losses = self.loss(self(batch.x), batch.y, self.class_counts).mean(1)
            self._train_loss.append(losses.detach())
            optimizer.zero_grad()
            self.manual_backward(losses.sum())
            optimizer.step()
            self.steps_done += 1

    def _can_be_recorded(self, optimizer: Any) -> bool:
        """Whether steps run on a CUDA device in plain float32, with an optimiser that keeps its numbers there."""
        is_plain = self.trainer.precision == "32-true"  # others scale losses, or cast weights, from step to step
        capturable = all(group.get("capturable") for group in optimizer.param_groups)
        return self.device.type in RECORDED_ON and is_plain and capturable

    def _step_on_rows(self, steps: RowsOfSteps, rows: torch.Tensor) -> torch.Tensor:
        """A step of which no part waits for the GPU: what can be recorded."""
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)
        batch = steps.gather(rows)
        losses = self.loss(self(batch.x), batch.y, self.class_counts).mean(1)
        optimizer.zero_grad()
        losses.sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        return losses.detach()

    def on_fit_end(self) -> None:
        """Let the recorded step go, and the memory that it holds."""
        self._replayed = None

    def on_validation_epoch_start(self) -> None:
        """Begin to gather what the members say."""
        self._blocks = []

    def validation_step(self, batch: StackedBatch, batch_idx: int) -> None:
        """Gather what the members say of a block of rows."""
        self._blocks.append(self.predict_step(batch, batch_idx))

    def on_validation_epoch_end(self) -> None:
        """While fitting, let the watcher look, and let those go that have stopped."""
        if self.watcher is None or not self._train_loss:
            return
        log_probabilities = torch.cat(self._blocks, dim=1).numpy()
        train_loss = torch.stack(self._train_loss).cpu().double().mean(0).numpy()
        self._train_loss.clear()
        going_on = self.watcher.look(self.steps_done, train_loss, log_probabilities, self)
        if not len(going_on):
            self.trainer.should_stop = True
        elif len(going_on) < len(self.class_counts):
            self.leave(going_on)

    def predict_step(self, batch: StackedBatch, batch_idx: int) -> torch.Tensor:
        """Log probabilities, float64 `[m, B, n_classes]`."""
        return self(batch.x).cpu().double().log_softmax(-1)  # type: ignore[no-any-return]


class WithoutBiases(LightningModule):
    """A stack that ends in a linear layer, without the biases of that layer: for predicting only.

    Parameters
    ----------
    stack
        Whose `ends_linearly` is true; its weights are used as they are when rows are predicted.
    """

    def __init__(self, stack: Classifier) -> None:
        super().__init__()
        self.network = stack.network

    @property
    def norms(self) -> NDArray[np.float64]:
        """Euclidean norm of each class's weights in the last layer, `[m, n_classes]`."""
        # Member by member, so that a member's sums are added up alike in any stack.
        weights = (of_member.cpu().double().numpy() for of_member in self.network.last.weight.detach())
        return np.stack([np.sqrt((weight**2).sum(0)) for weight in weights])

    def predict_step(self, batch: StackedBatch, batch_idx: int) -> torch.Tensor:
        """Logits without biases, float64 `[m, B, n_classes]`."""
        features = self.network.features(batch.x)
        return self.network.last.without_bias(features).cpu().double()
