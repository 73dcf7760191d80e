"""The members of one split side by side, as one Lightning module over texts: they train, are looked at, and stop."""

import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import LightningModule

from synaug.classifier import FineTuned
from synaug.encoder.batches import flops
from synaug.loss import Loss
from synaug.seeding import derive_seed
from synaug.training.training_sets import TrainingData
from synaug.tuning import checkpoint
from synaug.tuning.mixing import Memory, Partner, mixed
from synaug.tuning.network import TextClassifier, Weights
from synaug.tuning.rows import Slots, Texts

log = logging.getLogger(__name__)

Array = NDArray[np.float64]
# Steps of one member before it is the next one's turn, so that a broken-off training loses little; one Lightning batch.
TURN_STEPS = 8
CHECKPOINT_SECONDS = 180.0
MOMENTS = ("exp_avg", "exp_avg_sq", "step")  # AdamW's, of each parameter


class Watcher(Protocol):
    """Who looks at the members of a stack while they train, and can be kept with them."""

    def look(self, step: int, train_loss: Array, log_probabilities: Array, stack: Any) -> NDArray[np.intp]:
        """See `synaug.classifier.module.Watcher`."""

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
        """What it knows, as a checkpoint keeps it."""

    def restore(self, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> None:
        """Know what a checkpoint has kept."""


class Turn(NamedTuple):
    """Some steps of one member, by its place in the stack: a batch of Lightning's."""

    place: int
    n_steps: int


class Reading(NamedTuple):
    """Some texts for one member to read, by its place in the stack: a batch of Lightning's.

    Attributes
    ----------
    rows
        Of the data set, int64 `[B]`.
    at
        Their places among all rows that the member reads, int64 `[B]`.
    """

    place: int
    rows: NDArray[np.int64]
    at: NDArray[np.int64]


class Read(NamedTuple):
    """What a member says of rows: representations float32 `[n, d]`, and logits float32 `[n, C]`."""

    representations: NDArray[np.float32]
    logits: NDArray[np.float32]

    @classmethod
    def of_nothing(cls, width: int, n_classes: int) -> "Read":
        """What is said of no rows."""
        return cls(np.empty((0, width), np.float32), np.empty((0, n_classes), np.float32))

    @property
    def log_probabilities(self) -> Array:
        """float64 `[n, C]`."""
        said: Array = torch.from_numpy(self.logits).double().log_softmax(-1).numpy()
        return said


class Batches:
    """Batches of one loader: a list would be several loaders to Lightning."""

    def __init__(self, batches: Iterable[Any]) -> None:
        self._batches = list(batches)

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._batches)


class StackedWeights(Mapping[str, torch.Tensor]):
    """What trains of all members, by name, `[m, ...]`, on the CPU; stacked when it is asked for, one at a time."""

    def __init__(self, networks: Sequence[TextClassifier]) -> None:
        self._of_members = [network.trained() for network in networks]

    def __getitem__(self, name: str) -> torch.Tensor:
        return torch.stack([weights[name].detach().cpu() for weights in self._of_members])

    def __iter__(self) -> Iterator[str]:
        return iter(self._of_members[0])

    def __len__(self) -> int:
        return len(self._of_members[0])


class TunedStack(LightningModule):
    """Trains members of one split, each with a network, an optimiser and draws of its own: nothing couples them.

    Parameters
    ----------
    settings
        What the user set.
    loss
        Of logits `[m, B, C]`.
    data
        What members train on, and are judged on.
    members
        Which these are: places in `data.training_sets`.
    networks
        One for each.
    texts
        Of the data set.
    partner
        How rows are mixed (`synaug.tuning.mixing.partners`).
    looks
        After which steps they are looked at, ascending; they end at the last.
    judged
        The rows that each member is looked at on; none where nobody looks.
    watcher
        Who looks.
    path
        Where a training that is broken off is kept; None for nowhere.
    """

    ends_linearly = True

    def __init__(
        self,
        settings: FineTuned,
        loss: Loss,
        data: TrainingData,
        members: Sequence[int],
        networks: Sequence[TextClassifier],
        texts: Texts,
        partner: Partner,
        *,
        looks: Sequence[int],
        judged: Sequence[NDArray[np.int64]],
        watcher: Watcher | None = None,
        path: Path | None = None,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False  # each member has an optimiser
        self.settings = settings
        self.loss = loss
        self.data = data
        self.members = list(members)
        self.networks = torch.nn.ModuleList(networks)
        self.texts = texts
        self.partner = partner
        self.looks = list(looks)
        self.judged = judged
        self.watcher = watcher
        self.path = path
        n_classes = len(data.class_names)
        self.slots = [Slots.of(data, member) for member in self.members]
        self.counts = [np.bincount(slots.labels, minlength=n_classes) for slots in self.slots]
        self.real = [
            np.bincount(data.labels[data.training_sets[member].real], minlength=n_classes) for member in self.members
        ]
        self.passes = [slots.passes(data, member) for slots, member in zip(self.slots, self.members, strict=True)]
        self.memories = [Memory(settings.memory) for _ in self.members]
        self.draws = [np.random.RandomState(self._seed("mix", place)) for place in range(len(self.members))]
        self.generators: list[dict[str, torch.Tensor]] = [{} for _ in self.members]
        self.step = 0  # of each member
        self.tokens_trained = self.tokens_read = 0
        self.flops = 0.0
        self.seconds = 0.0  # of the last step of a member
        self._train_loss: list[list[float]] = [[] for _ in self.members]
        self._looked: list[tuple[Reading, Read]] = []
        self._saved = time.monotonic()
        self._started = self._restored()

    def _seed(self, stage: str, place: int) -> int:
        return derive_seed(stage, self.data.dataset, *self.data.training_sets[self.members[place]].seeds)

    def network(self, place: int) -> TextClassifier:
        """The network of a member."""
        network = self.networks[place]
        assert isinstance(network, TextClassifier)
        return network

    @property
    def weights(self) -> StackedWeights:
        """What trains of all members, as it is now."""
        return StackedWeights(list(map(self.network, range(len(self.members)))))

    def load(self, weights: Weights) -> None:
        """Make this the members that these weights are of."""
        for place in range(len(self.members)):
            self.network(place).load({name: each[place] for name, each in weights.items()})

    # Lightning's hooks

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """One AdamW for each member; vectors (biases, normalisation) do not decay."""
        return [self._optimizer(place) for place in range(len(self.members))]

    def _optimizer(self, place: int) -> torch.optim.Optimizer:
        groups = []
        trained = self.network(place).trained().items()
        for is_head, lr in ((False, self.settings.lr), (True, self.settings.head_lr)):
            for is_matrix, decay in ((True, self.settings.weight_decay), (False, 0.0)):
                own = [
                    each
                    for name, each in trained
                    if name.startswith("head.") == is_head and (each.dim() > 1) == is_matrix
                ]
                if own:
                    groups.append({"params": own, "lr": lr, "rated": lr, "weight_decay": decay})
        return torch.optim.AdamW(groups, fused=self.device.type in ("cpu", "cuda"))

    def _own_optimizer(self, place: int) -> Any:
        """A member's, as Lightning has it: of one member it is not in a list."""
        optimizers = self.optimizers()
        return optimizers[place] if isinstance(optimizers, list) else optimizers

    def train_dataloader(self) -> Batches:
        """The members in turn, up to the next look."""
        end = next(look for look in self.looks if look > self.step)
        starts = range(self.step, end, TURN_STEPS)
        turns = product(starts, range(len(self.members)))
        return Batches(Turn(place, min(TURN_STEPS, end - start)) for start, place in turns)

    def val_dataloader(self) -> Batches:
        """The rows that members are looked at on."""
        return self.readings(self.judged)

    def readings(self, rows: Sequence[NDArray[np.int64]]) -> Batches:
        """Rows of each member, in batches."""
        found = []
        for place, of_member in enumerate(rows):
            padded = not self.network(place).is_packed
            for at in self.texts.batches(of_member, self.device.type, padded=padded):
                found.append(Reading(place, of_member[at], at))
        return Batches(found)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:
        """Turns and readings are numbers of rows: their texts go to the device when they are read."""
        return batch

    def on_train_start(self) -> None:
        """Go on where a training was broken off."""
        if self._started is not None:
            self._restore_moments(self._started)
            self._started = None

    def training_step(self, turn: Turn, batch_idx: int) -> None:
        """Some optimiser steps of one member."""
        network = self.network(turn.place)
        network.train()
        optimizer = self._own_optimizer(turn.place)
        # A member's last turn in a round of turns is the one that raises the number of steps.
        for step in range(self.step, self.step + turn.n_steps):
            with self._own_draws(turn.place):
                self._one_step(turn.place, network, optimizer, step)
        if turn.place == len(self.members) - 1:
            self.step += turn.n_steps
            if self.step not in self.looks:  # else after the look, which is a part of the step
                self._save_now_and_then()

    def _one_step(self, place: int, network: TextClassifier, optimizer: Any, step: int) -> None:
        started = time.monotonic()
        share = min(1.0, (step + 1) / max(1.0, self.settings.warmup * self.settings.max_steps))
        for group in optimizer.param_groups:
            group["lr"] = group["rated"] * share
        optimizer.zero_grad()
        drawn = self.passes[place].draw(self.settings.batch_size).numpy()
        loss = 0.0
        for part in np.array_split(drawn, min(self.settings.accumulate, len(drawn))):
            losses = self._losses(place, network, part)
            of_part = losses.sum() / len(drawn)
            self.manual_backward(of_part)
            loss += of_part.item()
        if self.settings.max_norm is not None:
            torch.nn.utils.clip_grad_norm_(network.trained().values(), self.settings.max_norm)
        optimizer.step()
        self._train_loss[place].append(loss)
        self.seconds = time.monotonic() - started

    def _losses(self, place: int, network: TextClassifier, part: NDArray[np.int32]) -> torch.Tensor:
        slots = self.slots[place]
        # Texts of one length stand side by side, as texts that stand end to end are read.
        part = part[np.argsort([len(self.texts.tokens[row]) for row in slots.rows[part].tolist()], kind="stable")]
        rows, labels = slots.rows[part], slots.labels[part]
        vectors = network.representations(self._tokens(network, rows, trains=True))
        is_mixed = slots.is_mixed[part]
        of_batch = mixed(
            vectors,
            rows,
            labels,
            is_mixed,
            self.partner,
            self.memories[place],
            self.texts.labels,
            self.real[place],
            self.draws[place],
        )
        if slots.is_mixed.any():
            self.memories[place].add(rows, vectors)
        counts = torch.from_numpy(self.counts[place]).float().to(of_batch.device)
        logits, told = network.logits(of_batch), torch.from_numpy(labels).to(of_batch.device)
        return self.loss(logits[None], told[None], counts[None])[0]

    def _tokens(self, network: TextClassifier, rows: NDArray[np.int64], *, trains: bool = False) -> list[list[int]]:
        tokens = self.texts.of(rows)
        lengths = list(map(len, tokens))
        if trains:
            self.tokens_trained += sum(lengths)
        else:
            self.tokens_read += sum(lengths)
        # Backwards, a layer's products are two more, but those with its weights where these do not train.
        self.flops += flops(network.body, lengths) * (1 if not trains else 3 if network.trains_body else 2)
        return tokens

    @contextmanager
    def _own_draws(self, place: int) -> Iterator[None]:
        """Have torch's generators draw for one member, and leave them as they were for everybody else."""
        own = self.generators[place]
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            if own:
                torch.set_rng_state(own["cpu"])
                if "cuda" in own:
                    torch.cuda.set_rng_state(own["cuda"], self.device)
            else:
                torch.manual_seed(self._seed("dropout", place))
            yield
            own["cpu"] = torch.get_rng_state()
            if self.device.type == "cuda":
                own["cuda"] = torch.cuda.get_rng_state(self.device)

    def predict_step(self, reading: Reading, batch_idx: int) -> tuple[Reading, Read]:
        """What a member says of a batch of rows."""
        network = self.network(reading.place)
        network.eval()
        if not len(reading.rows):  # all rows train
            return reading, Read.of_nothing(network.head.in_features, network.head.out_features)
        vectors = network.representations(self._tokens(network, reading.rows))
        logits = network.logits(vectors)
        return reading, Read(vectors.float().cpu().numpy(), logits.float().cpu().numpy())

    def gathered(self, read: Sequence[tuple[Reading, Read]]) -> list[Read]:
        """What each member says of its rows, in their order."""
        width, n_classes = self.network(0).head.in_features, len(self.data.class_names)
        found = []
        for place in range(len(self.members)):
            own = [(reading.at, each) for reading, each in read if reading.place == place]
            n_rows = sum(len(at) for at, _ in own)
            of_member = Read(np.empty((n_rows, width), np.float32), np.empty((n_rows, n_classes), np.float32))
            for at, each in own:
                of_member.representations[at], of_member.logits[at] = each.representations, each.logits
            found.append(of_member)
        return found

    def on_validation_epoch_start(self) -> None:
        """Begin to gather what members say."""
        self._looked = []

    def validation_step(self, reading: Reading, batch_idx: int) -> None:
        """Gather what a member says of a batch of rows."""
        self._looked.append(self.predict_step(reading, batch_idx))

    def on_validation_epoch_end(self) -> None:
        """Let the watcher look."""
        assert self.watcher is not None
        train_loss = np.array([np.mean(losses) if losses else np.nan for losses in self._train_loss])
        self._train_loss = [[] for _ in self.members]
        said = [each.log_probabilities for each in self.gathered(self._looked)]
        padded = np.zeros((len(said), max(map(len, said)), len(self.data.class_names)))
        for of_member, values in zip(padded, said, strict=True):
            of_member[: len(values)] = values
        if not len(self.watcher.look(self.step, train_loss, padded, self)):
            self.trainer.should_stop = True
        else:
            self._save_now_and_then()

    # A training that is broken off

    def _save_now_and_then(self) -> None:
        if self.path is not None and time.monotonic() - self._saved > CHECKPOINT_SECONDS and self.step < self.looks[-1]:
            self.save()

    def save(self) -> None:
        """Keep all that decides how training goes on; members must be at one step."""
        assert self.path is not None
        tensors: dict[str, torch.Tensor] = {}
        for place in range(len(self.members)):
            optimizer = self._own_optimizer(place)
            for name, each in self.network(place).trained().items():
                tensors[f"{place}.weights.{name}"] = each
                for moment in MOMENTS:
                    if moment in optimizer.state[each]:
                        tensors[f"{place}.{moment}.{name}"] = torch.as_tensor(optimizer.state[each][moment])
            for device, generator in self.generators[place].items():
                tensors[f"{place}.generator.{device}"] = generator
            keys, rest = checkpoint.of_draw(self.draws[place])
            tensors[f"{place}.draw"] = keys
            rows = self.memories[place].rows
            tensors[f"{place}.memory.rows"] = torch.from_numpy(rows)
            tensors[f"{place}.memory.vectors"] = self.memories[place].vectors(torch.zeros(0, 1))
            tensors[f"{place}.rest"] = torch.frombuffer(bytearray(json.dumps(rest).encode()), dtype=torch.uint8)
        of_watcher, state = ({}, {}) if self.watcher is None else self.watcher.state()
        tensors |= {f"watcher.{name}": each for name, each in of_watcher.items()}
        checkpoint.write(
            self.path,
            tensors,
            {
                "step": self.step,
                "train_loss": self._train_loss,
                "tokens": [self.tokens_trained, self.tokens_read, self.flops],
                "watcher": state,
            },
        )
        self._saved = time.monotonic()
        log.debug("kept step %d of %d in %s", self.step, self.looks[-1], self.path)

    def _restored(self) -> dict[str, torch.Tensor] | None:
        """Take up what `save` has kept, but for the optimisers' moments, which this returns."""
        found = None if self.path is None else checkpoint.read(self.path, *self._needed())
        if found is None:
            return None
        tensors, state = found
        self.step, self._train_loss = state["step"], state["train_loss"]
        self.tokens_trained, self.tokens_read, self.flops = state["tokens"]
        for place, passes in enumerate(self.passes):
            own = checkpoint.below(f"{place}.", tensors)
            self.network(place).load(checkpoint.below("weights.", own))
            self.generators[place] = checkpoint.below("generator.", own)
            rest = json.loads(bytes(own["rest"].numpy()).decode())
            self.draws[place] = checkpoint.to_draw(own["draw"], rest)
            if len(own["memory.rows"]):
                self.memories[place].add(own["memory.rows"].numpy(), own["memory.vectors"])
            passes.draw(self.step * self.settings.batch_size)  # as before
        if self.watcher is not None:
            self.watcher.restore(checkpoint.below("watcher.", tensors), state["watcher"])
        log.info("continuing a training that was interrupted after step %d of %d", self.step, self.looks[-1])
        return tensors

    def _needed(self) -> tuple[list[str], list[str]]:
        """Names of tensors and of JSON without which nothing can be taken up."""
        own = ["draw", "memory.rows", "memory.vectors", "rest"]
        tensors = [
            f"{place}.{name}"
            for place in range(len(self.members))
            for name in (*own, *(f"weights.{weight}" for weight in self.network(place).trained()))
        ]
        return tensors, ["step", "train_loss", "tokens", "watcher"]

    def _restore_moments(self, tensors: Mapping[str, torch.Tensor]) -> None:
        for place in range(len(self.members)):
            optimizer = self._own_optimizer(place)
            for name, each in self.network(place).trained().items():
                found = {moment: tensors.get(f"{place}.{moment}.{name}") for moment in MOMENTS}
                if found["step"] is not None:
                    optimizer.state[each] = {
                        moment: value.clone().to(self._device_of(moment))
                        for moment, value in found.items()
                        if value is not None
                    }

    def _device_of(self, moment: str) -> torch.device:
        """Where AdamW has a moment; a CPU counts its own steps, and those of an optimiser that is not fused."""
        return torch.device("cpu") if moment == "step" and self.device.type != "cuda" else self.device
