"""Look at the members of a stack while they train: choose steps, keep weights, let those go that have stopped."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from synaug.classifier import Classifier
from synaug.scores.decision import CANDIDATE_RULES
from synaug.scores.prior_correction import corrected
from synaug.training.datamodule import EmbeddingDataModule
from synaug.training.looks import SplitJudge, pooled
from synaug.training.predictions import Curves
from synaug.training.training_sets import TrainingData

Array = NDArray[np.float64]


class StackWatcher:
    """Follows all splits of a stack; a split's inner members stop one look after the last improvement of any rule.

    Parameters
    ----------
    module
        The members, and their rows.
    carried
        Class frequencies that each member's probabilities follow, `[m, n_classes]`.

    Attributes
    ----------
    judges
        One for each split.
    kept
        By rule, the weights of all members at the best look of their split.
    n_trained, n_judged, optimiser_steps
        Rows trained on, rows looked at, and steps, of all members.
    """

    def __init__(self, module: EmbeddingDataModule, carried: Array) -> None:
        self.module = module
        self.carried = carried
        self.judges = [judge_of(module.data, place) for place in range(len(module.data.splits))]
        self.kept: dict[str, dict[str, torch.Tensor]] = {}
        self.n_trained = self.n_judged = self.optimiser_steps = 0
        self._steps: list[int] = []
        self._points: dict[str, list[Array]] = defaultdict(list)

    def look(
        self, step: int, train_loss: Array, log_probabilities: Sequence[Array], stack: Classifier
    ) -> Mapping[str, float]:
        """Look at the members after a step; see `synaug.classifier.module.Watcher`."""
        running, n_inner = self.module.running, self.module.n_inner
        data = self.module.data
        since = step - (self._steps[-1] if self._steps else 0)
        self.optimiser_steps += since * len(running)
        self.n_trained += since * len(running) * self.module.batch_size
        self._steps.append(step)
        of_place = [data.training_sets[member].place for member in running]
        whole: list[list[int]] = [[] for _ in data.splits]
        inner: list[list[int]] = [[] for _ in data.splits]
        for position, place in enumerate(of_place):
            (inner if position < n_inner else whole)[place].append(position)
        self._points["train_loss"].append(np.array([train_loss[positions].mean() for positions in whole]))
        self._points["argmax_test"].append(self._argmax_test(log_probabilities[0], whole, n_inner))
        losses, stopped = self._judge(step, log_probabilities[1] if n_inner else None, inner, whole, stack)
        self._let_go(stopped, stack)
        logged = {"train/loss": float(self._points["train_loss"][-1].mean())}
        for rule, of_splits in losses.items():
            self._points[f"{rule}_loss"].append(of_splits)
            if not np.isnan(of_splits).all():
                logged[f"validation/{rule}_loss"] = float(np.nanmean(of_splits))
        return logged

    def _argmax_test(self, log_probabilities: Array, whole: Sequence[Sequence[int]], n_inner: int) -> Array:
        """Balanced accuracy of the fit on all rows; described, and never used to choose."""
        scores = np.empty(len(whole))
        for place, positions in enumerate(whole):
            split = self.module.data.splits[place]
            labels = self.module.data.labels[split.test]
            self.n_judged += len(labels) * len(positions)
            said = pooled([log_probabilities[position - n_inner, : len(labels)] for position in positions])
            hit = said.argmax(1) == labels
            counts = np.bincount(labels)
            scores[place] = (np.bincount(labels, hit) / np.maximum(counts, 1))[counts > 0].mean()
        return scores

    def _judge(
        self,
        step: int,
        log_probabilities: Array | None,
        inner: Sequence[Sequence[int]],
        whole: Sequence[Sequence[int]],
        stack: Classifier,
    ) -> tuple[dict[str, Array], list[int]]:
        """Losses of each split by rule, and the splits whose inner members have stopped."""
        losses = {rule: np.full(len(inner), np.nan) for rule in CANDIDATE_RULES}
        improved: dict[str, list[int]] = defaultdict(list)
        stopped = []
        for place, positions in enumerate(inner):
            if not positions or log_probabilities is None:
                continue
            said = out_of_fold(self.module.data, self.carried, self.module.running[positions], log_probabilities[positions])
            self.n_judged += len(said) * (len(positions) // len(self.module.data.splits[place].inner))
            rules = self.judges[place].look(step, said)
            for rule in CANDIDATE_RULES:
                losses[rule][place] = self.judges[place].losses[rule][-1]
            for rule in rules:
                improved[rule] += [*positions, *whole[place]]
            if not rules:
                stopped.append(place)
        for rule, members in improved.items():
            self._keep(rule, np.array(members), stack)
        return losses, stopped

    def _keep(self, rule: str, positions: NDArray[np.intp], stack: Classifier) -> None:
        n_members = len(self.module.data.training_sets)
        kept = self.kept.setdefault(rule, {})
        at, which = torch.from_numpy(self.module.running[positions]), torch.from_numpy(positions)
        for name, weight in stack.weights.items():
            if name not in kept:
                kept[name] = torch.zeros(n_members, *weight.shape[1:], dtype=weight.dtype)
            kept[name].index_copy_(0, at, weight.index_select(0, which.to(weight.device)).cpu())

    def _let_go(self, stopped: Sequence[int], stack: Classifier) -> None:
        if not stopped:
            return
        running, data = self.module.running, self.module.data
        goes_on = [data.training_sets[member].inner is None or data.training_sets[member].place not in stopped for member in running]
        stack.leave(np.flatnonzero(goes_on))
        self.module.running = running[goes_on]

    def curves(self) -> Curves:
        """How training went."""
        return Curves(np.array(self._steps), {name: np.stack(points) for name, points in self._points.items()})


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
        Class frequencies that the probabilities of all members follow, `[m, n_classes]`.
    members
        All inner members of the split, by their places in `data.training_sets`, ascending.
    log_probabilities
        Of the rows that each was not fitted on, at least as many rows, `[members, n, n_classes]`.

    Returns
    -------
    ndarray
        `[n, n_classes]`, row by row those of `Split.out_of_fold`; the mean over replicas.
    """
    said: dict[int, list[Array]] = defaultdict(list)
    for member, of_member in zip(members, log_probabilities, strict=True):
        training_set = data.training_sets[member]
        assert training_set.inner is not None
        rows = of_member[: len(training_set.left_out)]
        said[training_set.inner].append(corrected(rows, carried[member], data.target[training_set.place]))
    return np.concatenate([pooled(of_fold) for of_fold in said.values()])
