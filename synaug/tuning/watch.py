"""Who watches the members of a split while they are tuned, in a form that a checkpoint can hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from synaug.training.training_sets import TrainingData
from synaug.training.watch import InnerWatch, Watch, WholeWatch

Array = NDArray[np.float64]


@dataclass
class TextMembers:
    """The members of one split, as those who watch them ask for them (`synaug.training.watch.Members`)."""

    data: TrainingData
    members: list[int]
    batch_size: int
    running: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.running = list(self.members)

    def left_out_rows(self) -> list[NDArray[np.int64]]:
        """Of each member, the rows that its inner fold left out."""
        return [self.data.training_sets[member].left_out for member in self.members]

    def test_rows(self) -> list[NDArray[np.int64]]:
        """Of each member, the test rows of its split."""
        return [self.data.training_sets[member].split.test for member in self.members]


class KeptInnerWatch(InnerWatch):
    """An `InnerWatch` that a checkpoint can hold."""

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """See `synaug.tuning.stack.Watcher`."""
        (judge,) = self.judges.values()
        tensors = {f"{rule}.{name}": each for rule, kept in self.kept.items() for name, each in kept.weights.items()}
        judged = {"step": judge.step, "best": judge.best, "losses": judge.losses, "chance": judge.chance}
        return tensors, {**_counted(self), "last_look": self._last_look, "judge": judged}

    def restore(self, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> None:
        """See `synaug.tuning.stack.Watcher`."""
        _count(self, state)
        self._last_look = state["last_look"]
        (judge,) = self.judges.values()
        for name, value in state["judge"].items():
            setattr(judge, name, value)
        _keep(self, tensors)


class KeptWholeWatch(WholeWatch):
    """A `WholeWatch` that a checkpoint can hold."""

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """See `synaug.tuning.stack.Watcher`."""
        tensors = {f"{rule}.{name}": each for rule, kept in self.kept.items() for name, each in kept.weights.items()}
        curves = {name: list(getattr(self, name).items()) for name in ("train_loss", "argmax_test")}
        return tensors, {**_counted(self), "last_look": self._last_look, **curves}

    def restore(self, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> None:
        """See `synaug.tuning.stack.Watcher`."""
        _count(self, state)
        self._last_look = state["last_look"]
        for name in ("train_loss", "argmax_test"):
            getattr(self, name).update(dict(state[name]))
        _keep(self, tensors)


COUNTED = ("n_trained", "n_judged", "optimiser_steps")


def _counted(watch: Watch) -> dict[str, int]:
    return {name: getattr(watch, name) for name in COUNTED}


def _count(watch: Watch, state: Mapping[str, Any]) -> None:
    for name in COUNTED:
        setattr(watch, name, state[name])


def _keep(watch: InnerWatch | WholeWatch, tensors: Mapping[str, torch.Tensor]) -> None:
    for name, each in tensors.items():
        rule, _, weight = name.partition(".")
        watch.kept[rule].weights[weight] = each
