"""Spaces of tuned encoders: `when=features`. Each member is tuned without synthesis, and embeds all texts anew.

The vectors are kept in the cache of embeddings, under all that decides them, so that a sweep over augmenters tunes
once, and a run that was broken off goes on with the members that it lacks.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from synaug.embeddings.cache import EmbeddingCache, Encoded
from synaug.encoder.tuned import TunedEncoder, Weights
from synaug.errors import UserError
from synaug.files import checked_json
from synaug.files.digest import array_sha256, json_sha256
from synaug.files.locks import locked
from synaug.scores.decision import CANDIDATES
from synaug.training.progress import StepsBar
from synaug.training.training_sets import Space, Spaces, TrainingData, neighbour_graphs
from synaug.tuning import checkpoint
from synaug.tuning.mixing import repeated
from synaug.tuning.tuning import Tuning
from synaug.tuning.watch import KeptInnerWatch, TextMembers

log = logging.getLogger(__name__)

# At the step of whose least loss a split's encoders are taken.
RULE = CANDIDATES[0].name


@dataclass(frozen=True)
class Chosen:
    """The step that a split's encoders are taken at, and the out-of-fold losses (nats) that chose it."""

    step: int
    losses: list[float]
    chance: float


class TunedSplit:
    """The tuned encoders of one split: those of its inner folds, side by side, and one of all of its rows."""

    def __init__(self, tuning: Tuning, data: TrainingData, place: int, bar: StepsBar) -> None:
        self.tuning = tuning
        self.data = data
        self.bar = bar
        of_split = [member for member, each in enumerate(data.training_sets) if each.place == place]
        self.inner = [member for member in of_split if data.training_sets[member].inner is not None]
        (self.whole,) = (member for member in of_split if data.training_sets[member].inner is None)
        self.identity = tuning.identity(data, of_split)
        self.name = json_sha256(self.identity)[:32]
        self.flops = 0.0
        self.steps = self.n_trained = 0

    @property
    def chosen_path(self) -> Path:
        """Where the choice is kept."""
        return self.tuning.kept(self.name).with_suffix(".json")

    def encoder(self, inner: int | None, *, keep: bool) -> TunedEncoder:
        """The encoder of an inner fold, or of all rows.

        It is known by what decides its weights, and tuned when a vector is lacking; to be kept, it is tuned at once,
        and known by its weights, so that its vectors are theirs and of no other tuning.
        """

        def weights() -> Weights:
            return self._of_whole if inner is None else self._inner[inner]

        if keep:
            return TunedEncoder.of(self.tuning.encoder, weights())
        return TunedEncoder(self.tuning.encoder, {"split": self.name, "inner": inner}, weights)

    @cached_property
    def chosen(self) -> Chosen:
        """The choice: as it is kept, or after the inner members were tuned."""
        if (kept := self._kept_choice()) is not None:
            return kept
        self.__dict__.pop("_inner", None)  # a choice that was damaged since is made again
        self._inner  # noqa: B018  # which keeps it
        if (kept := self._kept_choice()) is not None:
            return kept
        raise AssertionError(f"{self.chosen_path} was written and cannot be read")

    def _kept_choice(self) -> Chosen | None:
        with suppress(OSError, ValueError, TypeError):  # none, or not what we wrote, or of other names
            return Chosen(**checked_json.read(self.chosen_path))
        return None

    @cached_property
    def _inner(self) -> list[Weights]:
        """The weights of each inner fold's encoder at the chosen step."""
        module = TextMembers(self.data, list(self.inner), self.tuning.settings.batch_size)
        watch = KeptInnerWatch(module, self.tuning.loss.carried_prior(self.data.class_counts()))
        stack = self.tuning.stack(
            self.data,
            self.inner,
            repeated,
            steps=self.tuning.steps,
            judged=module.left_out_rows(),
            watch=watch,
            kept_as=f"{self.name}-inner",
        )
        self.tuning.train(stack, self.bar)
        self.bar.end_of_stack(len(self.inner), self.tuning.settings.max_steps)
        (judge,) = watch.judges.values()
        if judge.is_lost:
            split = self.data.training_sets[self.whole].split
            raise UserError(
                f"the loss on out-of-fold rows of seed {split.seed} fold {split.fold} was never finite while the "
                "encoder was tuned: lower classifier.lr"
            )
        chosen = {"step": judge.step[RULE], "losses": judge.losses[RULE], "chance": judge.chance}
        checked_json.write(self.chosen_path, chosen)
        self._count(stack.flops, watch.optimiser_steps)
        stack.load(watch.kept[RULE].weights)
        return [stack.network(place).encoder_weights() for place in range(len(self.inner))]

    @cached_property
    def _of_whole(self) -> Weights:
        """The weights of the encoder of all rows, at the step that the inner ones chose."""
        stack = self.tuning.stack(
            self.data, [self.whole], repeated, steps=[self.chosen.step], judged=[], kept_as=f"{self.name}-whole"
        )
        self.tuning.train(stack, self.bar)
        self.bar.end_of_stack(1, self.tuning.settings.max_steps)
        self._count(stack.flops, stack.step)
        return stack.network(0).encoder_weights()

    def _count(self, flops: float, steps: int) -> None:
        self.flops += flops
        self.steps += steps
        self.n_trained += steps * self.tuning.settings.batch_size

    def forget(self) -> None:
        """Drop the weights, and what was kept against an interruption: the vectors are in the cache."""
        for name in ("_inner", "_of_whole"):
            self.__dict__.pop(name, None)
        for part in ("inner", "whole"):
            checkpoint.remove(self.tuning.kept(f"{self.name}-{part}"))


@dataclass(frozen=True)
class TunedSpaces:
    """Where each member's tuned encoder puts the texts, and what it took.

    Attributes
    ----------
    of_members
        By split (its place) and inner fold.
    encoded
        What was encoded anew.
    flops, n_trained, optimiser_steps
        Of the tuning.
    chosen
        Of each split, the step at which encoders are taken, and why.
    """

    of_members: Mapping[tuple[int, int | None], Space]
    encoded: Encoded
    flops: float
    n_trained: int
    optimiser_steps: int
    chosen: Sequence[Chosen]

    @property
    def lookup(self) -> Spaces:
        """As `synaug.training.training_sets.augment` asks for them."""
        return lambda place, inner: self.of_members[place, inner]


def tuned_spaces(tuning: Tuning, data: TrainingData, neighbours: Path, *, keep: bool = False) -> TunedSpaces:
    """Tune an encoder for each training set, and embed all texts with it.

    Parameters
    ----------
    data
        Without synthesis, and without replicas: each training set's real rows.
    neighbours
        The folder of neighbours that were searched for already.
    keep
        Whether spaces are to have the weights of their encoders (`Space.tuned`). The cache does not keep these, so all
        are tuned, whatever vectors it has.

    Raises
    ------
    UserError
        If the loss on a split's out-of-fold rows was never finite.
    """
    n_members, max_steps = len(data.training_sets), tuning.settings.max_steps
    found: dict[tuple[int, int | None], Space] = {}
    encoded = Encoded()
    with StepsBar(n_members * max_steps, tuning.trainer.get("enable_progress_bar", True)) as bar:
        splits = [TunedSplit(tuning, data, place, bar) for place in range(len(data.splits))]
        _say_how_long(tuning, data, [split for split in splits if keep or not split.chosen_path.exists()])
        for place, split in enumerate(splits):
            with locked(tuning.kept(split.name).with_suffix(".lock"), wait=True):
                for inner in [*range(len(split.inner)), None]:
                    encoder = split.encoder(inner, keep=keep)
                    cache = EmbeddingCache(encoder, tuning.cache_dir)
                    vectors = cache.embed(tuning.texts.texts, progress_bar=False, level=logging.DEBUG)
                    encoded += cache.encoded
                    graphs = neighbour_graphs(vectors, tuning.texts.labels, neighbours, array_sha256(vectors))
                    found[place, inner] = Space(vectors, graphs, encoder.weights() if keep else {})
                _ = split.chosen
                split.forget()
    steps = sorted({split.chosen.step for split in splits})
    taken = f"{steps[0]}" if len(steps) == 1 else f"{steps[0]} to {steps[-1]}"
    log.info("tuned encoders are taken after %s steps, as out-of-fold rows chose", taken)
    return TunedSpaces(
        found,
        encoded,
        sum(split.flops for split in splits),
        sum(split.n_trained for split in splits),
        sum(split.steps for split in splits),
        [split.chosen for split in splits],
    )


def _say_how_long(tuning: Tuning, data: TrainingData, splits: Sequence[TunedSplit]) -> None:
    """Say how long it will take at most to tune the encoders of some splits."""
    members = [member for split in splits for member in (*split.inner, split.whole)]
    at_looks = sum(len(data.training_sets[member].left_out) for member in members) * len(tuning.steps)
    tuning.say_how_long(data, members, at_looks + len(members) * len(tuning.texts.texts))
