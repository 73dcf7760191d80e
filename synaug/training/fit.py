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
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.plugins.environments import LightningEnvironment  # type: ignore[attr-defined]  # documented

from synaug.accelerator import in_halves, is_out_of_memory, usable_bytes
from synaug.classifier import Classifier, WithoutBiases
from synaug.classifier.batch import EVALUATION_ROWS
from synaug.errors import UserError
from synaug.loss import Loss
from synaug.scores.decision import ARGMAX, CANDIDATE_RULES, CANDIDATES
from synaug.scores.prior_correction import corrected
from synaug.scores.tau_norm import LinearEnd, choose
from synaug.seeding import derive_seed
from synaug.settings import REFIT
from synaug.training.batches import EvaluationBatches, RowPool
from synaug.training.datamodule import EmbeddingDataModule
from synaug.training.looks import SplitJudge, looks, pooled
from synaug.training.predictions import Chosen, Curves, Member, OfSplit, Predictions, TauNorm
from synaug.training.progress import StepsBar
from synaug.training.training_sets import TrainingData
from synaug.training.watch import InnerWatch, Watch, WholeWatch, by_row, out_of_fold

log = logging.getLogger(__name__)

Array = NDArray[np.float64]
MemberWeights = dict[str, NDArray[np.float32]]
# Weights, gradients and Adam's two moments of a stack must fit the caches of a core. Larger stacks save few calls
# and are slowed down by memory.
STACK_BYTES = 8 << 20
BYTES_OF_A_WEIGHT = 16  # with its gradient and Adam's two moments
# Tensors as large as a batch of a member's rows that a step has at once: two ends of an interpolation, steps between
# them, activations and their gradients. A generous count: what it misses is found out by halving.
BATCHES_AT_ONCE = 8
TAU_NORM_OF = CANDIDATES[0].name  # at whose step the last layer's weights are normalised


class Fits(Protocol):
    """What can be trained: a classifier with all of its settings."""

    @property
    def keep(self) -> bool:
        """Whether it returns the fitted classifiers, too (`synaug.training.predictions.OfSplit.members`)."""

    def fit(self, data: TrainingData) -> Predictions:
        """Train on each training set, and predict the out-of-fold and test rows of its split."""


@dataclass(frozen=True)
class StackedTraining:
    """Members in stacks, each under one Lightning Trainer: those of inner folds, then those that train on all rows.

    Nothing couples the members of a stack, so it is cut where it runs fast.

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
    keep
        Whether to return the fitted classifiers, too.
    cuda_graphs
        Whether a step on a GPU is recorded and replayed (`synaug.classifier.replay`). Elsewhere it changes nothing.
    """

    classifier: Callable[..., Classifier]
    loss: Loss
    batch_size: int
    max_steps: int
    trainer: Mapping[str, Any]
    final: str
    keep: bool = False
    cuda_graphs: bool = True

    def fit(self, data: TrainingData) -> Predictions:
        """Train all members, and predict with the weights that each rule chose.

        Raises
        ------
        UserError
            If a split's loss on out-of-fold rows was never finite, or if its fit on all rows diverged; if an
            accelerator has too little memory for all rows, or for the members of one split.
        """
        counts = data.class_counts()
        pool = RowPool(data.embeddings, data.labels, data.training_sets).to(device_of(self.trainer))
        task = Task(self, data, pool, counts)
        n_inner, n_all = len(data.inner), len(data.training_sets)
        log.info(
            "training %d networks at once, each for at most %d steps: %d for inner folds, and %d for whole splits",
            n_all,
            self.max_steps,
            n_inner,
            n_all - n_inner,
        )
        with StepsBar(n_all * self.max_steps, self.trainer.get("enable_progress_bar", True)) as bar:
            for members in task.stacks(range(n_inner)):
                task.train(task.inner, members, bar)
            task.check()
            for members in task.stacks(range(n_inner, n_all)):
                task.train(task.whole, members, bar)
        return task.predictions()


class Task:
    """The training of one run's members, stack by stack, and what is known of them so far."""

    lr = "classifier.optimizer.lr"  # what is to be lowered where a training diverges
    smaller = "lower batch_size"  # what takes less memory
    inner_watch: type[InnerWatch] = InnerWatch
    whole_watch: type[WholeWatch] = WholeWatch

    def __init__(self, training: StackedTraining, data: TrainingData, pool: RowPool, counts: NDArray[np.int64]) -> None:
        self.training = training
        self.data = data
        self.pool = pool
        self.counts = counts
        self.carried = training.loss.carried_prior(counts)
        self.steps = looks(training.max_steps)
        self.watches: list[Watch] = []
        self.judges: dict[int, SplitJudge] = {}
        # By member: what it says of the test rows at the end, and, by rule, of its rows at the step that was chosen.
        self.last: dict[int, Array] = {}
        self.on_test: dict[str, dict[int, Array]] = {rule: {} for rule in CANDIDATE_RULES}
        self.on_left_out: dict[str, dict[int, Array]] = {rule: {} for rule in CANDIDATE_RULES}
        # The same at the step of `TAU_NORM_OF`, without biases; of classifiers that end in a linear layer.
        self.ends_on_test: dict[int, LinearEnd] = {}
        self.ends_on_left_out: dict[int, LinearEnd] = {}
        # By rule and member, the weights that said it, where they are to be kept.
        self.weights: dict[str, dict[int, MemberWeights]] = {rule: {} for rule in (ARGMAX, *CANDIDATE_RULES)}
        self.flops = 0.0

    @property
    def device(self) -> torch.device:
        """Where the members are trained."""
        return self.pool.device

    def stacks(self, members: Sequence[int]) -> list[list[int]]:
        """Cut members into stacks of as many as run well together, all of a split into one."""
        at_once = self._at_once(members)
        stacks: list[list[int]] = []
        for of_split in self._by_split(members):
            if stacks and len(stacks[-1]) + len(of_split) <= at_once:
                stacks[-1] += of_split
            else:
                stacks.append(of_split)
        return stacks

    def _by_split(self, members: Sequence[int]) -> list[list[int]]:
        splits: dict[int, list[int]] = {}
        for member in members:
            splits.setdefault(self.data.training_sets[member].place, []).append(member)
        return list(splits.values())

    def _at_once(self, members: Sequence[int]) -> int:
        """How many members are to be in a stack: on a CPU what fits a core's cache, on a GPU what fits its memory."""
        stack = self._classifier(members[:1])
        n_bytes = BYTES_OF_A_WEIGHT * sum(weight[0].numel() for weight in stack.parameters())
        usable = usable_bytes(self.device)
        if usable is None:
            return max(STACK_BYTES // max(n_bytes, 1), 1)
        # A row, and what layers make of it, which is as wide as their biases.
        biases = [weight for weight in stack.parameters() if weight.dim() == 3 and weight.shape[1] == 1]
        width = self.data.embeddings.shape[1] + sum(bias.shape[2] for bias in biases)
        n_bytes += 4 * width * BATCHES_AT_ONCE * max(self.training.batch_size, EVALUATION_ROWS)
        return max(int(usable // n_bytes), 1)

    def train(self, train: Callable[[Sequence[int], StepsBar], None], members: Sequence[int], bar: StepsBar) -> None:
        """Train a stack, or where an accelerator's memory is too little for it, halves of it, split by split."""
        splits = self._by_split(members)

        def at_once(some: Sequence[Sequence[int]]) -> None:
            counted = len(self.watches), self.flops
            try:
                train([member for of_split in some for member in of_split], bar)
            except RuntimeError:
                # What it trained before memory ran short is trained again.
                del self.watches[counted[0] :]
                self.flops = counted[1]
                raise
            bar.end_of_stack(sum(map(len, some)), self.training.max_steps)

        try:
            in_halves(at_once, splits)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise UserError(
                f"{self.device} has too little free memory for the {len(splits[0])} models of one split: "
                f"{self.smaller}, or train on the CPU with trainer.accelerator=cpu"
            ) from error

    def inner(self, members: Sequence[int], bar: StepsBar) -> None:
        """Train a stack of inner folds, and predict with the weights that each rule chose."""
        module = self._module(members)
        watch = self.inner_watch(module, self.carried)
        trainer, stack = self._trained(module, watch, bar)
        self.judges |= watch.judges
        if any(judge.is_lost for judge in watch.judges.values()):
            return  # `check` says so
        for rule in CANDIDATE_RULES:
            stack.load(watch.kept[rule].weights)
            self.on_left_out[rule] |= self.said(trainer, stack, module.left_out_rows(), members)
            if self.training.final != REFIT:
                self.on_test[rule] |= self.said(trainer, stack, module.test_rows(), members)
                self._keep(rule, stack, members)
            if rule == TAU_NORM_OF and stack.ends_linearly:
                self.ends_on_left_out |= self.linear_ends(trainer, stack, module.left_out_rows(), members)
                if self.training.final != REFIT:
                    self.ends_on_test |= self.linear_ends(trainer, stack, module.test_rows(), members)

    def check(self) -> None:
        """Refuse to go on where nothing could be chosen; raises as `StackedTraining.fit` does."""
        lost = [judge for judge in self.judges.values() if judge.is_lost]
        if lost:
            raise UserError(
                f"the loss on out-of-fold rows of {len(lost)} of {len(self.judges)} splits was never finite: "
                f"lower {self.lr}"
            )

    def whole(self, members: Sequence[int], bar: StepsBar) -> None:
        """Train a stack of fits on all rows, and predict with their last weights, and with those that were chosen."""
        module = self._module(members)
        of_refits = CANDIDATE_RULES if self.training.final == REFIT else ()
        chosen = {rule: {place: judge.step[rule] for place, judge in self.judges.items()} for rule in of_refits}
        watch = self.whole_watch(module, chosen)
        trainer, stack = self._trained(module, watch, bar)
        self.last |= self.said(trainer, stack, module.test_rows(), members)
        self._check_last(members)
        self._keep(ARGMAX, stack, members)
        for rule in of_refits:
            stack.load(watch.kept[rule].weights)
            self.on_test[rule] |= self.said(trainer, stack, module.test_rows(), members)
            self._keep(rule, stack, members)
            if rule == TAU_NORM_OF and stack.ends_linearly:
                self.ends_on_test |= self.linear_ends(trainer, stack, module.test_rows(), members)

    def _keep(self, rule: str, stack: Classifier, members: Sequence[int]) -> None:
        """Keep the weights that the stack has now, if any are to be kept."""
        if not self.training.keep:
            return
        if not stack.ends_linearly or type(stack).predict_step is not Classifier.predict_step:
            kind = type(stack)
            raise UserError(
                f"a classifier that computes in a way of its own ({kind.__module__}.{kind.__qualname__}) cannot be "
                "kept, as weights are kept and no code: choose a run of classifier=mlp or linear"
            )
        for place, member in enumerate(members):
            self.weights[rule][member] = {name: of[place].cpu().numpy().copy() for name, of in stack.weights.items()}

    def _check_last(self, members: Sequence[int]) -> None:
        """Refuse to score what is not finite: members on all rows go on after the inner ones have stopped."""
        places = {member: self.data.training_sets[member].place for member in members}
        lost = {place for member, place in places.items() if not np.isfinite(self.last[member]).all()}
        if lost:
            raise UserError(
                f"the fit on all rows of {len(lost)} of {len(set(places.values()))} splits diverged by step "
                f"{self.training.max_steps}: lower {self.lr} or max_steps"
            )

    def _module(self, members: Sequence[int]) -> EmbeddingDataModule:
        return EmbeddingDataModule(self.data, self.pool, members, batch_size=self.training.batch_size, looks=self.steps)

    def _classifier(self, members: Sequence[int], watcher: Watch | None = None) -> Classifier:
        training_sets = [self.data.training_sets[member] for member in members]
        return self.training.classifier(
            n_features=self.data.embeddings.shape[1],
            n_classes=len(self.data.class_names),
            class_counts=self.counts[list(members)],
            loss=self.training.loss,
            seeds=[derive_seed("weights", *training_set.seeds) for training_set in training_sets],
            watcher=watcher,
        )

    def _trained(self, module: EmbeddingDataModule, watch: Watch, bar: StepsBar) -> tuple[Trainer, Classifier]:
        stack = self._classifier(module.members, watch)
        if not self.training.cuda_graphs:
            stack.recorder = None
        trainer = make_trainer(self.training.trainer, len(self.steps), bar.callback(len(module.members)))
        trainer.fit(stack, module)
        self.watches.append(watch)
        self.flops += stack.flops(watch.n_trained, watch.n_judged)
        return trainer, stack

    def linear_ends(
        self, trainer: Trainer, stack: Classifier, batches: EvaluationBatches, members: Sequence[int]
    ) -> dict[int, LinearEnd]:
        """What each member's last layer makes of its rows."""
        without_biases = WithoutBiases(stack)
        products, norms = self.said(trainer, without_biases, batches, members), without_biases.norms
        return {
            member: LinearEnd(products[member], of_member) for member, of_member in zip(members, norms, strict=True)
        }

    def said(
        self, trainer: Trainer, stack: LightningModule, batches: EvaluationBatches, members: Sequence[int]
    ) -> dict[int, Array]:
        """What the stack predicts of each member's rows, `[n_rows, n_classes]`: log probabilities, of a classifier."""
        blocks = trainer.predict(stack, dataloaders=batches)
        assert blocks is not None
        stacked = torch.cat(list(blocks), dim=1).numpy()  # type: ignore[arg-type]
        return {
            member: of_member[:count] for member, of_member, count in zip(members, stacked, batches.n_rows, strict=True)
        }

    def predictions(self) -> Predictions:
        """All that was predicted."""
        return Predictions(
            splits=[self._of_split(place) for place in range(len(self.data.splits))],
            members=len(self.data.training_sets),
            n_trained=sum(watch.n_trained for watch in self.watches),
            optimiser_steps=sum(watch.optimiser_steps for watch in self.watches),
            flops=self.flops,
            curves=self._curves(),
        )

    def _of_split(self, place: int) -> OfSplit:
        of_split = [
            member for member, training_set in enumerate(self.data.training_sets) if training_set.place == place
        ]
        last = pooled([self.last[member] for member in of_split if member in self.last])
        chosen = {rule: self._chosen(rule, place, of_split) for rule in CANDIDATE_RULES}
        kept = self._members(of_split) if self.training.keep else {}
        return OfSplit(last, chosen, self._tau_norm(place, of_split), kept)

    def _members(self, of_split: Sequence[int]) -> dict[str, list[Member]]:
        """The classifiers behind what is said of one split's test rows, by rule."""
        kept: dict[str, list[Member]] = {}
        for rule, weights in self.weights.items():
            kept[rule] = [
                self._member(member, weights[member], None if rule == ARGMAX else self.carried[member])
                for member in of_split
                if member in weights
            ]
        return kept

    def _member(self, member: int, weights: MemberWeights, carried: Array | None) -> Member:
        """A member with the weights that were kept of it."""
        training_set = self.data.training_sets[member]
        return Member(weights, carried, training_set.mean, training_set.scale, training_set.tuned)

    def _chosen(self, rule: str, place: int, of_split: Sequence[int]) -> Chosen:
        """What the models of the step that a rule chose say, in one split."""
        judge, target = self.judges[place], self.data.target[place]
        inner = [member for member in of_split if member in self.on_left_out[rule]]
        final = [member for member in of_split if member in self.on_test[rule]]
        said = {member: self.on_test[rule][member] for member in final}
        return Chosen(
            step=judge.step[rule],
            loss=judge.best[rule],
            chance=judge.chance,
            out_of_fold=out_of_fold(
                self.data, self.carried, inner, [self.on_left_out[rule][member] for member in inner]
            ),
            test=pooled([corrected(of_member, self.carried[member], target) for member, of_member in said.items()]),
            test_as_it_is=pooled(list(said.values())),
        )

    def _tau_norm(self, place: int, of_split: Sequence[int]) -> TauNorm | None:
        """The tau that one split's out-of-fold rows choose, and what its models say of the test rows under it."""
        inner = [member for member in of_split if member in self.ends_on_left_out]
        if not inner:
            return None
        judge = self.judges[place]
        left_out = [self.ends_on_left_out[member] for member in inner]
        tau, loss = choose(
            lambda tau: judge.known(by_row(self.data, inner, [end.log_probabilities(tau) for end in left_out]))
        )
        test = [self.ends_on_test[member] for member in of_split if member in self.ends_on_test]
        return TauNorm(tau, loss, pooled([end.log_probabilities(tau) for end in test]))

    def _curves(self) -> Curves:
        shape = len(self.steps), len(self.data.splits)
        points = {f"{rule}_loss": np.full(shape, np.nan) for rule in CANDIDATE_RULES}
        for place, judge in self.judges.items():
            for rule in CANDIDATE_RULES:
                losses = judge.losses[rule]
                points[f"{rule}_loss"][: len(losses), place] = losses
        of_whole = [watch for watch in self.watches if isinstance(watch, WholeWatch)]
        for name in ("train_loss", "argmax_test"):
            by_place = {place: values for watch in of_whole for place, values in getattr(watch, name).items()}
            points[name] = np.stack([by_place[place] for place in range(shape[1])], axis=1)
        return Curves(np.array(self.steps), points)


def device_of(arguments: Mapping[str, Any]) -> torch.device:
    """Where a Trainer of these arguments works."""
    decisive = {key: arguments[key] for key in ("accelerator", "devices", "strategy") if key in arguments}
    return make_trainer(decisive, 1, Callback()).strategy.root_device


def make_trainer(arguments: Mapping[str, Any], n_epochs: int, bar: Callback) -> Trainer:
    """Lightning's own Trainer; weights are kept by member, so it writes no checkpoints."""
    return Trainer(
        max_epochs=n_epochs,
        reload_dataloaders_every_n_epochs=1,  # epochs grow longer, and members leave
        logger=False,
        callbacks=[bar],
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        plugins=[LightningEnvironment()],  # one process, also inside a job of SLURM's, where it would look for others
        **{"enable_model_summary": False, "log_every_n_steps": 1, **arguments, "enable_progress_bar": False},
    )
