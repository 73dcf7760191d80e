"""Fine-tuning as a way to fit: `TunedTraining` end to end, and what it shares with the tuning of spaces."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import Trainer

from synaug import record
from synaug.classifier import FineTuned
from synaug.dataset import LabelledTexts
from synaug.encoder import TransformerEncoder
from synaug.encoder.transformer import transformers_quiet
from synaug.errors import UserError
from synaug.files.digest import array_sha256, json_sha256
from synaug.loss import Loss
from synaug.scores.tau_norm import LinearEnd
from synaug.seeding import derive_seed
from synaug.settings import BF16
from synaug.training.batches import RowPool
from synaug.training.datamodule import judging_rows
from synaug.training.fit import Task, make_trainer
from synaug.training.looks import looks
from synaug.training.predictions import Predictions
from synaug.training.progress import StepsBar
from synaug.training.training_sets import TrainingData, member_seeds
from synaug.training.watch import InnerWatch, Watch, WholeWatch
from synaug.tuning import checkpoint
from synaug.tuning.mixing import Candidates, Partner, partners
from synaug.tuning.network import networks
from synaug.tuning.rows import Slots, Texts
from synaug.tuning.stack import Read, TunedStack, Watcher

log = logging.getLogger(__name__)

Array = NDArray[np.float64]
TRIAL_STEPS = 3  # the first ones are slower
FOLDER = "tuning"  # below the cache's folder: trainings that were broken off


@dataclass(frozen=True)
class Tuning:
    """All that members are tuned with, whatever is done with them.

    Attributes
    ----------
    settings
        What the user set.
    encoder
        What members start from.
    texts
        The data set.
    loss
        What is trained on.
    told
        What decides the numbers beside, as JSON holds it: the loss's own settings, the sampler's.
    trainer
        Lightning's own arguments.
    cache_dir
        Below which trainings that are broken off are kept.
    """

    settings: FineTuned
    encoder: TransformerEncoder
    texts: LabelledTexts
    loss: Loss
    told: Mapping[str, Any]
    trainer: Mapping[str, Any]
    cache_dir: Path

    @cached_property
    def read(self) -> Texts:
        """The texts as a model reads them."""
        tokens = self.encoder.tokens(self.texts.texts, self.settings.max_length)
        return Texts(tokens, self.texts.labels)

    @cached_property
    def device(self) -> torch.device:
        """On which Lightning will train."""
        return device_of(self.trainer)

    @property
    def arguments(self) -> dict[str, Any]:
        """Lightning's arguments, with the precision that was asked for.

        Raises
        ------
        UserError
            If the device does not have it.
        """
        if self.settings.precision != BF16:
            return dict(self.trainer)
        if problem := bf16_problem(self.device):
            raise UserError(problem)
        return {**self.trainer, "precision": "bf16-mixed"}

    @property
    def steps(self) -> list[int]:
        """After which optimiser steps members are looked at: none before learning rates are what they were set to.

        So nobody stops before, as a loss may rise while learning rates do.
        """
        risen = self.settings.warmup * self.settings.max_steps
        return [step for step in looks(self.settings.max_steps) if step >= risen]

    def identity(self, data: TrainingData, members: Sequence[int]) -> dict[str, Any]:
        """All that decides the weights of some members of a split."""
        sets = [data.training_sets[member] for member in members]
        slots = [Slots.of(data, member) for member in members]
        drawn = [
            [array_sha256(np.ascontiguousarray(part)) for part in (each.rows, each.labels, each.is_mixed)]
            for each in slots
        ]
        return {
            "settings": self.settings.of_the_encoder,
            "told": dict(self.told),
            "precision": self.arguments.get("precision"),
            "encoder": self.encoder.identity(),
            "texts": self.texts.fingerprint,
            "seeds": [[data.dataset, *member_seeds(each.split, each.inner, each.replica)] for each in sets],
            "rows": drawn,
            # What is kept of fits on all rows depends on the steps that inner ones choose.
            "inner": [[array_sha256(fold.fit), array_sha256(fold.left_out)] for fold in sets[0].split.inner],
            "target": data.target[sets[0].place].tolist(),
            "code": record.code_sha256(),
            "versions": {**record.versions(), **({"peft": metadata.version("peft")} if self.settings.rank else {})},
        }

    def stack(
        self,
        data: TrainingData,
        members: Sequence[int],
        partner: Partner,
        *,
        steps: Sequence[int],
        judged: Sequence[NDArray[np.int64]],
        watch: Watcher | None = None,
        kept_as: str = "",
    ) -> TunedStack:
        """Some members of one split, as they are before the first step, or where their training was broken off."""
        seeds = [
            derive_seed("weights", *member_seeds(each.split, each.inner, each.replica))
            for each in (data.training_sets[member] for member in members)
        ]
        own = networks(self.encoder, self.settings, len(data.class_names), seeds, on_cpu=self.device.type == "cpu")
        return TunedStack(
            self.settings,
            self.loss,
            data,
            members,
            own,
            self.read,
            partner,
            looks=steps,
            judged=judged,
            watcher=watch,
            path=self.kept(kept_as) if kept_as else None,
        )

    def kept(self, name: str) -> Path:
        """Where a training is kept while it is on."""
        return self.cache_dir / FOLDER / f"{name}.safetensors"

    def train(self, stack: TunedStack, bar: StepsBar) -> Trainer:
        """Train a stack to its last look, or until its watcher stops it."""
        n_epochs = sum(look > stack.step for look in stack.looks)
        blind = {"limit_val_batches": 0} if stack.watcher is None else {}
        trainer = make_trainer({**self.arguments, **blind}, n_epochs, bar.callback(1))
        if n_epochs:
            with transformers_quiet():
                trainer.fit(stack.train())  # encoders are loaded for reading
        return trainer

    def say_how_long(self, data: TrainingData, members: Sequence[int], n_read: int) -> None:
        """Time a step of one member, and say how long all of them will take at most.

        Parameters
        ----------
        members
            Those that are still to be tuned.
        n_read
            How many texts they read, all in all, without being trained by them.
        """
        if not members:
            return
        trial = self.stack(data, members[:1], nothing, steps=[TRIAL_STEPS], judged=[])
        with StepsBar(0, is_wanted=False) as bar:
            self.train(trial, bar)
        n_steps = len(members) * self.settings.max_steps
        # To read a batch is a third of a step: backwards, there are two products for each of forwards.
        seconds = trial.seconds * (n_steps + n_read / self.settings.batch_size / 3)
        log.info(
            "tuning %d members for at most %d steps each (%s a step), which takes at most %s",
            len(members),
            self.settings.max_steps,
            f"{trial.seconds:.2g} s",
            duration(seconds),
        )


def device_of(trainer: Mapping[str, Any]) -> torch.device:
    """On which Lightning trains with these arguments."""
    arguments = {name: trainer[name] for name in ("accelerator", "devices") if name in trainer}
    quiet: dict[str, Any] = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    device: torch.device = Trainer(**arguments, **quiet, enable_model_summary=False).strategy.root_device
    return device


def bf16_problem(device: torch.device) -> str | None:
    """What to say where a device lacks bfloat16: computed in float32, numbers would have a name that is not theirs."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return None
    return (
        f"classifier.precision=bf16 needs a GPU that has bfloat16, and this run trains on {device}: set "
        "classifier.precision=float32"
    )


def nothing(place: int, among: Candidates, draw: np.random.RandomState) -> None:
    """Mix with nothing."""
    return


def duration(seconds: float) -> str:
    """A time to come, rounded up."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    return f"{math.ceil(seconds / 60)} min" if seconds < 90 * 60 else f"{math.ceil(seconds / 360) / 10:.1f} h"


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


@dataclass(frozen=True)
class TunedTraining:
    """Encoders and linear layers trained end to end: `when=batch`.

    Attributes
    ----------
    tuning
        All that members are tuned with.
    sampler
        How rows are mixed within batches (`synaug.tuning.mixing`).
    final
        As of `synaug.training.fit.StackedTraining`.
    """

    tuning: Tuning
    sampler: object
    final: str
    keep: bool = field(default=False, init=False)  # as of `StackedTraining`: no weights are handed over
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
                task.inner(members, bar)
            task.check()
            for members in whole:
                task.whole(members, bar)
        self.done.extend(map(task.path_of_said, [*inner, *whole]))
        return task.predictions()

    def forget(self) -> None:
        """Remove what was kept against an interruption, of all fits so far: their results are on disk elsewhere."""
        while self.done:
            checkpoint.remove(self.done.pop())


class TunedTask(Task):
    """The training of one run's members, each of which has an encoder of its own, split by split."""

    lr = "classifier.lr"
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
        splits: dict[int, list[int]] = {}
        for member in members:
            splits.setdefault(self.data.training_sets[member].place, []).append(member)
        return list(splits.values())

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
            bar.end_of_stack(len(members), self.training.max_steps)
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
        bar.end_of_stack(len(module.members), self.training.max_steps)
        self.watches.append(watch)
        self.flops_of_stack = stack.flops
        return trainer, stack

    def _name(self, members: Sequence[int]) -> str:
        """What a training that is broken off is called: all that decides it."""
        if members[0] not in self._names:
            identity = self.tuning.identity(self.data, members)
            self._names[members[0]] = json_sha256({**identity, "final": self.training.final})[:32]
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
        watch: Any = self.watches[-1]
        return tensors, {"watch": watch.state()[1], "flops": self.flops_of_stack}

    def _take(self, members: Sequence[int], tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> None:
        """Take up what `_given` has kept."""
        arrays = self._arrays()
        for name, first in tensors.items():
            kind, number, part = name.split("/")
            if part == "0":
                second = tensors.get(f"{kind}/{number}/1")
                known = first.numpy() if second is None else LinearEnd(first.numpy(), second.numpy())
                arrays[kind][members[int(number)]] = known
        module = self._module(members)
        is_inner = self.data.training_sets[members[0]].inner is not None
        watch: Any = self.inner_watch(module, self.carried) if is_inner else self.whole_watch(module, {})
        watch.restore({}, state["watch"])
        self.watches.append(watch)
        if is_inner:
            self.judges |= watch.judges
        self.flops += state["flops"]
