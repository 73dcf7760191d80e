"""How members are tuned, whatever is done with them then: `Tuning`."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from synaug.files.digest import array_sha256
from synaug.loss import Loss
from synaug.seeding import derive_seed
from synaug.settings import BF16
from synaug.training.fit import device_of, make_trainer
from synaug.training.looks import looks
from synaug.training.progress import StepsBar
from synaug.training.training_sets import TrainingData
from synaug.tuning.mixing import Partner, repeated
from synaug.tuning.network import networks
from synaug.tuning.rows import Slots, Texts
from synaug.tuning.stack import TunedStack, Watcher

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
            "seeds": [[data.dataset, *each.seeds] for each in sets],
            "rows": drawn,
            # What is kept of fits on all rows depends on the steps that inner ones choose.
            "inner": [[array_sha256(fold.fit), array_sha256(fold.left_out)] for fold in sets[0].split.inner],
            "target": data.target[sets[0].place].tolist(),
            "code": [record.code_sha256(), record.own_sha256(self.loss)],
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
        seeds = [derive_seed("weights", *each.seeds) for each in (data.training_sets[member] for member in members)]
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
        trial = self.stack(data, members[:1], repeated, steps=[TRIAL_STEPS], judged=[])
        with StepsBar(0, is_wanted=False) as bar:
            self.train(trial, bar)
        n_steps = len(members) * self.settings.max_steps
        # To read a batch is a third of a step: backwards, there are two products for each of forwards.
        seconds = trial.seconds * (n_steps + n_read / self.settings.batch_size / 3)
        log.info(
            "tuning %d member%s for at most %d steps each (%s a step), which takes at most %s",
            len(members),
            "" if len(members) == 1 else "s",
            self.settings.max_steps,
            f"{trial.seconds:.2g} s",
            duration(seconds),
        )


def bf16_problem(device: torch.device) -> str | None:
    """What to say where a device lacks bfloat16: computed in float32, numbers would have a name that is not theirs."""
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return None
    return (
        f"classifier.precision=bf16 needs a GPU that has bfloat16, and this run trains on {device}: set "
        "classifier.precision=float32"
    )


def duration(seconds: float) -> str:
    """A time to come, rounded up."""
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    return f"{math.ceil(seconds / 60)} min" if seconds < 90 * 60 else f"{math.ceil(seconds / 360) / 10:.1f} h"
