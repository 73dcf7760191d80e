"""Look at the members of a stack while they train: choose steps, keep weights, let those go that have stopped."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from synaug.classifier.module import Weights
from synaug.scores.decision import CANDIDATE_RULES
from synaug.scores.metrics import balanced_accuracy
from synaug.scores.prior_correction import corrected
from synaug.training.looks import SplitJudge, pooled
from synaug.training.training_sets import TrainingData

Array = NDArray[np.float64]


class Members(Protocol):
    """The members of a stack, as `synaug.training.datamodule.EmbeddingDataModule` has them."""

    data: TrainingData
    members: list[int]
    running: list[int]
    batch_size: int


class Stack(Protocol):
    """What has weights of its members, `[m, ...]` each."""

    @property
    def weights(self) -> Weights:
        """As they are now."""


class KeptWeights:
    """Weights of the members of a stack, each as it was at some look."""

    def __init__(self, members: Sequence[int]) -> None:
        self.members = np.array(members)
        self.weights: dict[str, torch.Tensor] = {}

    def keep(self, stack: Stack, running: Sequence[int], positions: Sequence[int]) -> None:
        """Keep the weights of members, by their positions among those that run."""
        at = torch.from_numpy(np.searchsorted(self.members, np.array(running)[list(positions)]))
        which = torch.tensor(positions)
        for name, weight in stack.weights.items():
            if name not in self.weights:
                self.weights[name] = torch.zeros(len(self.members), *weight.shape[1:], dtype=weight.dtype)
            self.weights[name].index_copy_(0, at, weight.index_select(0, which.to(weight.device)).cpu())


class Watch:
    """What there is to count of any stack.

    Attributes
    ----------
    n_trained, n_judged, optimiser_steps
        Rows trained on, rows looked at, and steps, of all members.
    """

    def __init__(self, module: Members) -> None:
        self.module = module
        self.n_trained = self.n_judged = self.optimiser_steps = 0
        self._last_look = 0

    def count(self, step: int) -> None:
        """Count what was done since the last look."""
        steps = (step - self._last_look) * len(self.module.running)
        self._last_look = step
        self.optimiser_steps += steps
        self.n_trained += steps * self.module.batch_size

    def by_place(self) -> dict[int, list[int]]:
        """Positions of the running members of each split."""
        positions: dict[int, list[int]] = defaultdict(list)
        for position, member in enumerate(self.module.running):
            positions[self.module.data.training_sets[member].place].append(position)
        return positions


class InnerWatch(Watch):
    """Follows a stack of inner folds; a split's members stop one look after the last improvement of any rule.

    Parameters
    ----------
    module
        The members, all inner ones of their splits, and their rows.
    carried
        Class frequencies that the probabilities of all of the run's members follow, `[m, n_classes]`.

    Attributes
    ----------
    judges
        By split.
    kept
        By rule, weights at the best look of the split.
    """

    def __init__(self, module: Members, carried: Array) -> None:
        super().__init__(module)
        self.carried = carried
        self.judges = {place: judge_of(module.data, place) for place in self.by_place()}
        self.kept = {rule: KeptWeights(module.members) for rule in CANDIDATE_RULES}

    def look(self, step: int, train_loss: Array, log_probabilities: Array, stack: Stack) -> NDArray[np.intp]:
        """See `synaug.classifier.module.Watcher`."""
        self.count(step)
        running = self.module.running
        better: dict[str, list[int]] = defaultdict(list)
        going_on: list[int] = []
        for place, positions in self.by_place().items():
            members = [running[position] for position in positions]
            said = out_of_fold(self.module.data, self.carried, members, log_probabilities[positions])
            self.n_judged += len(said)
            rules = self.judges[place].look(step, said)
            for rule in rules:
                better[rule] += positions
            if rules:
                going_on += positions
        for rule, positions in better.items():
            self.kept[rule].keep(stack, running, positions)
        self.module.running = [running[position] for position in going_on]
        return np.array(going_on, dtype=np.intp)


class WholeWatch(Watch):
    """Follows a stack of fits on all rows, which runs the whole budget.

    Parameters
    ----------
    module
        The members, and their rows.
    chosen
        By rule, the step that each split's inner members chose: there weights are kept, too.

    Attributes
    ----------
    kept
        By rule.
    train_loss, argmax_test
        By split, at each look: the mean training loss since the last one, and the balanced accuracy of argmax on the
        test rows, which is described and never used to choose.
    """

    def __init__(self, module: Members, chosen: Mapping[str, Mapping[int, int]]) -> None:
        super().__init__(module)
        self.chosen = chosen
        self.kept = {rule: KeptWeights(module.members) for rule in chosen}
        self.train_loss: dict[int, list[float]] = defaultdict(list)
        self.argmax_test: dict[int, list[float]] = defaultdict(list)

    def look(self, step: int, train_loss: Array, log_probabilities: Array, stack: Stack) -> NDArray[np.intp]:
        """See `synaug.classifier.module.Watcher`."""
        self.count(step)
        data, running = self.module.data, self.module.running
        for place, positions in self.by_place().items():
            self.train_loss[place].append(float(train_loss[positions].mean()))
            labels = data.labels[data.splits[place].test]
            self.n_judged += len(positions) * len(labels)
            said = pooled(list(log_probabilities[positions, : len(labels)]))
            of_test = balanced_accuracy(labels, said.argmax(1)) if len(labels) else np.nan
            self.argmax_test[place].append(of_test)
            for rule, steps in self.chosen.items():
                if steps[place] == step:
                    self.kept[rule].keep(stack, running, positions)
        return np.arange(len(running))


def judge_of(data: TrainingData, place: int) -> SplitJudge:
    """The judge of a split's inner models."""
    split = data.splits[place]
    inner = np.concatenate([np.full(len(fold.left_out), number) for number, fold in enumerate(split.inner)])
    return SplitJudge(data.labels[split.out_of_fold], inner, data.target[place])


def out_of_fold(data: TrainingData, carried: Array, members: Sequence[int], log_probabilities: Any) -> Array:
    """What the inner members of one split say of its out-of-fold rows, each corrected by its own carried prior.

    Parameters
    ----------
    carried
        Class frequencies that the probabilities of all of the run's members follow, `[m, n_classes]`.
    members
        All inner members of the split, by their places in `data.training_sets`, ascending.
    log_probabilities
        Of the rows that each was not fitted on, and perhaps more rows, `[members, n, n_classes]`.

    Returns
    -------
    ndarray
        `[n, n_classes]`, row by row those of `Split.out_of_fold`; the mean over replicas.
    """
    said = []
    for member, of_member in zip(members, log_probabilities, strict=True):
        training_set = data.training_sets[member]
        rows = of_member[: len(training_set.left_out)]
        said.append(corrected(rows, carried[member], data.target[training_set.place]))
    return by_row(data, members, said)


def by_row(data: TrainingData, members: Sequence[int], said: Sequence[Array]) -> Array:
    """What the inner members of one split say of its out-of-fold rows.

    Parameters
    ----------
    members
        All inner members of the split, by their places in `data.training_sets`, ascending.
    said
        Log probabilities of the rows that each was not fitted on, `[n_left_out, n_classes]`.

    Returns
    -------
    ndarray
        `[n, n_classes]`, row by row those of `Split.out_of_fold`; the mean over replicas.
    """
    of_folds: dict[int, list[Array]] = defaultdict(list)
    for member, of_member in zip(members, said, strict=True):
        inner = data.training_sets[member].inner
        assert inner is not None
        of_folds[inner].append(of_member)
    return np.concatenate([pooled(of_fold) for of_fold in of_folds.values()])
