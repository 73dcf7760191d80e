"""Fine-tuning end to end: `when=batch`."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import Trainer

from synaug.encoder.transformer import transformers_quiet
from synaug.files.digest import array_sha256, json_sha256
from synaug.loss import Loss
from synaug.scores.tau_norm import LinearEnd
from synaug.training.batches import RowPool
from synaug.training.datamodule import judging_rows
from synaug.training.fit import MemberWeights, Task
from synaug.training.predictions import Member, Predictions
from synaug.training.progress import StepsBar
from synaug.training.training_sets import TrainingData
from synaug.tuning import checkpoint
from synaug.tuning.mixing import partners
from synaug.tuning.network import BODY
from synaug.tuning.stack import Read, TunedStack
from synaug.tuning.tuning import Tuning
from synaug.tuning.watch import KeptInnerWatch, KeptWholeWatch, TextMembers

log = logging.getLogger(__name__)

Array = NDArray[np.float64]
WEIGHTS = "weights."  # before the name of a rule: the members' weights under it, among what is kept of a stack


@dataclass(frozen=True)
class TunedTraining:
    """Encoders and linear layers trained end to end: `when=batch`.

    Attributes
    ----------
    tuning
        All that members are tuned with.
    sampler
        How rows are mixed within batches (`synaug.tuning.mixing`).
    final, keep
        As of `synaug.training.fit.StackedTraining`.
    """

    tuning: Tuning
    sampler: object
    final: str
    keep: bool = False
    done: list[Path] = field(default_factory=list, init=False, repr=False, compare=False)  # what `forget` removes

    @property
    def loss(self) -> Loss:
        """What is trained on."""
        return self.tuning.loss

    @property
    def max_steps(self) -> int:
        """Optimiser steps of the members that train on all rows."""
        return self.tuning.settings.max_steps

    @property
    def trainer(self) -> Mapping[str, Any]:
        """Lightning's own arguments."""
        return self.tuning.trainer

    def fit(self, data: TrainingData) -> Predictions:
        """Train all members, and predict with the weights that each rule chose.

        Raises
        ------
        UserError
            As `synaug.training.fit.StackedTraining.fit` does.
        """
        task = TunedTask(self, data)
        n_inner, n_all = len(data.inner), len(data.training_sets)
        inner, whole = task.stacks(range(n_inner)), task.stacks(range(n_inner, n_all))
        self.tuning.say_how_long(data, *task.to_do([*inner, *whole]))
        is_wanted = self.trainer.get("enable_progress_bar", True)
        with StepsBar(n_all * self.max_steps, is_wanted) as bar:
            for members in inner:
                task.train(task.inner, members, bar)
            task.check()
            for members in whole:
                task.train(task.whole, members, bar)
        self.done.extend(map(task.path_of_said, [*inner, *whole]))
        return task.predictions()

    def forget(self) -> None:
        """Remove what was kept against an interruption, of all fits so far: their results are on disk elsewhere."""
        while self.done:
            checkpoint.remove(self.done.pop())


class TunedTask(Task):
    """The training of one run's members, each of which has an encoder of its own, split by split."""

    lr = "classifier.lr"
    smaller = "raise classifier.accumulate, lower classifier.batch_size"
    inner_watch = KeptInnerWatch
    whole_watch = KeptWholeWatch

    def __init__(self, training: TunedTraining, data: TrainingData) -> None:
        pool = RowPool(data.embeddings, data.labels, data.training_sets)  # of which nothing is gathered
        super().__init__(training, data, pool, data.class_counts())  # type: ignore[arg-type]
        self.tuning = training.tuning
        self.steps = self.tuning.steps
        self.partner = partners(training.sampler)
        self._names: dict[int, str] = {}
        self._read: dict[str, list[Read]] = {}
        self.flops_of_stack = 0.0

    def stacks(self, members: Sequence[int]) -> list[list[int]]:
        """Of each split one stack."""
        return self._by_split(members)

    @property
    def device(self) -> torch.device:
        """Where encoders are trained."""
        return self.tuning.device

    def inner(self, members: Sequence[int], bar: StepsBar) -> None:
        """Train a stack of inner folds and predict, or take up what was predicted before the run was broken off."""
        self._once(members, bar, super().inner)

    def whole(self, members: Sequence[int], bar: StepsBar) -> None:
        """The same of a stack of fits on all rows."""
        self._once(members, bar, super().whole)

    def _once(self, members: Sequence[int], bar: StepsBar, fit: Callable[[Sequence[int], StepsBar], None]) -> None:
        found = checkpoint.read(self.path_of_said(members), state_needed=("watch", "flops"))
        if found is not None:
            self._take(members, *found)
            return
        fit(members, bar)
        self.flops += self.flops_of_stack
        checkpoint.write(self.path_of_said(members), *self._given(members))
        checkpoint.remove(self.tuning.kept(self._name(members)))

    def to_do(self, stacks: Sequence[Sequence[int]]) -> tuple[list[int], int]:
        """Members that are not done, and how many texts they will read without being trained by them."""
        missing = [member for stack in stacks if not self.path_of_said(stack).exists() for member in stack]
        sets = [self.data.training_sets[member] for member in missing]
        at_looks = sum(len(judging_rows(each)) for each in sets) * len(self.steps)
        return missing, at_looks + sum(len(each.left_out) + len(each.split.test) for each in sets)

    def said(self, trainer: Trainer, stack: Any, batches: Any, members: Sequence[int]) -> dict[int, Array]:
        """Log probabilities of each member's rows `[n_rows, n_classes]`."""
        read = self._reads(trainer, stack, batches)
        return {member: each.log_probabilities for member, each in zip(members, read, strict=True)}

    def linear_ends(self, trainer: Trainer, stack: Any, batches: Any, members: Sequence[int]) -> dict[int, LinearEnd]:
        """What each member's last layer makes of its rows."""
        ends = {}
        for place, (member, each) in enumerate(zip(members, self._reads(trainer, stack, batches), strict=True)):
            weight = stack.network(place).head.weight.detach().cpu()
            products = torch.from_numpy(each.representations) @ weight.T
            norms = np.sqrt((weight.double().numpy() ** 2).sum(1))
            ends[member] = LinearEnd(products.double().numpy(), norms)
        return ends

    def _reads(self, trainer: Trainer, stack: TunedStack, rows: Sequence[NDArray[np.int64]]) -> list[Read]:
        """What members say of rows; rules often choose one step, and then the same weights are asked the same."""
        weights = {name: array_sha256(each.numpy()) for name, each in stack.weights.items()}
        asked = json_sha256([weights, [array_sha256(of_member) for of_member in rows]])
        if asked not in self._read:
            with transformers_quiet():
                read = trainer.predict(stack, dataloaders=stack.readings(rows))
            self._read[asked] = stack.gathered(read)  # type: ignore[arg-type]
        return self._read[asked]

    def _keep(self, rule: str, stack: Any, members: Sequence[int]) -> None:
        """Keep the weights that the members have now, if any are to be kept."""
        if not self.training.keep:
            return
        for place, member in enumerate(members):
            network = stack.network(place)
            of_encoder = {f"{BODY}{name}": each for name, each in network.encoder_weights().items()}
            self.weights[rule][member] = {**of_encoder, **network.layers()}

    def _member(self, member: int, weights: MemberWeights, carried: Array | None) -> Member:
        """A member whose vectors are those of its own encoder."""
        of_encoder = {name.removeprefix(BODY): each for name, each in weights.items() if name.startswith(BODY)}
        layers = {name: each for name, each in weights.items() if not name.startswith(BODY)}
        return replace(super()._member(member, layers, carried), tuned=of_encoder)

    def _module(self, members: Sequence[int]) -> Any:
        return TextMembers(self.data, list(members), self.tuning.settings.batch_size)

    def _trained(self, module: Any, watch: Any, bar: StepsBar) -> tuple[Trainer, Any]:
        self._read.clear()
        stack = self.tuning.stack(
            self.data,
            module.members,
            self.partner,
            steps=self.steps,
            judged=[judging_rows(self.data.training_sets[member]) for member in module.members],
            watch=watch,
            kept_as=self._name(module.members),
        )
        trainer = self.tuning.train(stack, bar)
        self.watches.append(watch)
        self.flops_of_stack = stack.flops
        return trainer, stack

    def _name(self, members: Sequence[int]) -> str:
        """What a training that is broken off is called: all that decides it."""
        if members[0] not in self._names:
            identity = {**self.tuning.identity(self.data, members), "final": self.training.final}
            # What a run has kept holds no weights.
            kept = {"keep": True} if self.training.keep else {}
            self._names[members[0]] = json_sha256({**identity, **kept})[:32]
        return self._names[members[0]]

    def path_of_said(self, members: Sequence[int]) -> Path:
        """Where is kept what the members of a stack say, until the run is recorded."""
        return self.tuning.kept(f"{self._name(members)}-said")

    def _arrays(self) -> dict[str, dict[int, Any]]:
        """All that is known of members, by what it is."""
        return {
            "last": self.last,
            "ends_on_test": self.ends_on_test,
            "ends_on_left_out": self.ends_on_left_out,
            **{f"on_test.{rule}": of_rule for rule, of_rule in self.on_test.items()},
            **{f"on_left_out.{rule}": of_rule for rule, of_rule in self.on_left_out.items()},
        }

    def _given(self, members: Sequence[int]) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """What is known of the members of the last stack, as a file holds it."""
        tensors: dict[str, torch.Tensor] = {}
        for kind, of_members in self._arrays().items():
            for number, member in enumerate(members):
                known = of_members.get(member)
                parts = [known.products, known.norms] if isinstance(known, LinearEnd) else [known]
                for part, array in enumerate(parts):
                    if array is not None:
                        tensors[f"{kind}/{number}/{part}"] = torch.from_numpy(array)
        for rule, of_rule in self.weights.items():
            for number, member in enumerate(members):
                for name, weight in of_rule.get(member, {}).items():
                    tensors[f"{WEIGHTS}{rule}/{number}/{name}"] = torch.from_numpy(weight)
        watch: Any = self.watches[-1]
        return tensors, {"watch": watch.state()[1], "flops": self.flops_of_stack}

    def _take(self, members: Sequence[int], tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> None:
        """Take up what `_given` has kept."""
        arrays = self._arrays()
        for name, first in tensors.items():
            kind, number, part = name.split("/")
            member = members[int(number)]
            if kind.startswith(WEIGHTS):
                self.weights[kind.removeprefix(WEIGHTS)].setdefault(member, {})[part] = first.numpy()
            elif part == "0":
                second = tensors.get(f"{kind}/{number}/1")
                known = first.numpy() if second is None else LinearEnd(first.numpy(), second.numpy())
                arrays[kind][member] = known
        module = self._module(members)
        is_inner = self.data.training_sets[members[0]].inner is not None
        watch: Any = self.inner_watch(module, self.carried) if is_inner else self.whole_watch(module, {})
        watch.restore({}, state["watch"])
        self.watches.append(watch)
        if is_inner:
            self.judges |= watch.judges
        self.flops += state["flops"]
