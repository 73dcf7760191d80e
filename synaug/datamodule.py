"""Cached embeddings to stacked batches: augment each member's rows and serve all members at once."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import LightningDataModule
from tqdm.auto import tqdm

from synaug.augmenter import Augmented, Augmenter, NeighbourGraph, ToAugment, TrainingRows, interpolate, segment_parents
from synaug.augmenter.search import METRICS
from synaug.dataset import LabelledTexts
from synaug.digest import array_sha256
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.members import Member
from synaug.seeding import derive_seed

# Rows are evaluated in blocks of one shape, so that a member's numbers do not depend on how many
# rows the others of its stack have.
EVALUATION_ROWS = 256
# Optimiser steps in one of Lightning's, whose own work for each costs as much as half a step of ours.
BLOCK_STEPS = 10
# The training accuracy of the minority is watched on at most so many real rows of each member.
WATCHED_ROWS = 512


@dataclass(frozen=True)
class TrainingSet:
    """What one member trains on.

    Attributes
    ----------
    member
        Its real rows.
    augmented
        What the sampler made of them.
    mean, scale
        float32 `[d]`, of the real rows; 0 and 1 where embeddings are taken as they are.
    """

    member: Member
    augmented: Augmented
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]


@dataclass(frozen=True)
class StackedBatch:
    """Rows of all members: `x` float32 `[m, B, d]`, `y` int64 `[m, B]`, `real` bool `[m, B]` (False: padding)."""

    x: torch.Tensor
    y: torch.Tensor
    real: torch.Tensor

    def to(self, device: torch.device) -> "StackedBatch":
        """The same rows on a device."""
        return StackedBatch(self.x.to(device), self.y.to(device), self.real.to(device))


class EmbeddingDataModule(LightningDataModule):
    """The members of a run over cached embeddings.

    Parameters
    ----------
    embeddings
        float32 `[n, d]`, row by row those of `texts`.
    texts
        The data set; only its labels and class names are used.
    members
        Which rows train, validate and test; the training rows are thinned already.
    imbalance_ratio, augmenter
        How they were thinned, and what fills the gap.
    batch_size
        Rows of each member in a training batch.
    max_steps, steps_per_epoch
        Training batches in all, and between two validations; the latter divides the former.
    standardize
        Shift and scale each dimension by the real training rows of each member, before the
        classifier; the sampler sees the embeddings as they are.
    neighbours
        Folder of neighbours that were searched for already; None keeps them in memory only.
    """

    def __init__(
        self,
        embeddings: NDArray[np.float32],
        texts: LabelledTexts,
        members: Sequence[Member],
        *,
        imbalance_ratio: ImbalanceRatio,
        augmenter: Augmenter,
        batch_size: int,
        max_steps: int,
        steps_per_epoch: int,
        standardize: bool,
        neighbours: Path | None = None,
    ) -> None:
        super().__init__()
        if len(embeddings) != len(texts.labels):
            raise ValueError(
                f"{len(embeddings)} embeddings for {len(texts.labels)} texts: they must be row by row the same"
            )
        self.embeddings = embeddings
        self.labels = texts.labels
        self.class_names = texts.class_names
        self.dataset = texts.name
        self.imbalance_ratio = imbalance_ratio
        self.augmenter = augmenter
        self.batch_size = batch_size
        self.n_epochs = max_steps // steps_per_epoch
        self.steps_per_epoch = steps_per_epoch
        self.standardize = standardize
        self.minority = imbalance_ratio.minority_classes(texts.class_names, texts.rows_per_class)
        self.members = list(members)
        self.graphs = {
            metric: NeighbourGraph(embeddings, self.labels, metric, neighbours, lambda: self.embeddings_sha256)
            for metric in METRICS
        }

    @cached_property
    def embeddings_sha256(self) -> str:
        """Digest of the embeddings."""
        return array_sha256(self.embeddings)

    @property
    def search_flops(self) -> float:
        """Floating-point operations of the searches for neighbours so far."""
        return sum(graph.flops_done for graph in self.graphs.values())

    @cached_property
    def training_sets(self) -> list[TrainingSet]:
        """Each member's thinned rows and what the sampler added, `[m]`."""
        # The augmenter's name and amount do not enter: comparisons between them are paired.
        ratio = "natural" if self.imbalance_ratio.ratio is None else float(self.imbalance_ratio.ratio)
        sets = [
            ToAugment(
                TrainingRows(self.embeddings, self.labels, member.train, self.graphs),
                np.random.RandomState(derive_seed("augmenter", self.dataset, member.seed, member.fold, ratio)),
                f"seed {member.seed} fold {member.fold}",
            )
            for member in self.members
        ]
        augmented = self.augmenter.augment_all(sets, self.class_names)
        bar = tqdm(augmented, f"augmenting ({self.augmenter.name})", len(sets), unit="member", disable=None)
        return [self._training_set(member, each) for member, each in zip(self.members, bar, strict=True)]

    def _training_set(self, member: Member, augmented: Augmented) -> TrainingSet:
        width = self.embeddings.shape[1]
        mean, scale = np.zeros(width, np.float32), np.ones(width, np.float32)
        if self.standardize:
            from sklearn.preprocessing import StandardScaler

            scaler = StandardScaler().fit(self.embeddings[member.train])
            mean, scale = scaler.mean_.astype(np.float32), scaler.scale_.astype(np.float32)
        return TrainingSet(member, augmented, mean, scale)

    def parents(self, index: int) -> NDArray[np.int64]:
        """Rows of the data set that each synthetic row of a member was made of.

        Returns
        -------
        ndarray
            int64 `[s, 2]`: what the sampler tells, else the rows between which the synthetic one
            lies; the same twice for one parent, -1 where there is none (a draw from a VAE's prior).
        """
        training_set = self.training_sets[index]
        rows, augmented = training_set.member.train, training_set.augmented
        parents = augmented.parents.astype(np.int64)
        unknown = np.flatnonzero(parents[:, 0] < 0)
        if len(unknown):
            parents[unknown] = segment_parents(augmented.synthetic[unknown], self.embeddings[rows])
        found: NDArray[np.int64] = np.where(parents < 0, -1, rows[parents])
        return found

    def class_frequencies(self) -> NDArray[np.float64]:
        """Share of each class among the rows that each member trains on, `[m, n_classes]`."""
        counts = np.stack(
            [np.bincount(self._training_labels(each), minlength=len(self.class_names)) for each in self.training_sets]
        )
        shares: NDArray[np.float64] = counts / counts.sum(1, keepdims=True)
        return shares

    def _training_labels(self, training_set: TrainingSet) -> NDArray[np.int64]:
        member, augmented = training_set.member, training_set.augmented
        return np.concatenate([self.labels[member.train[augmented.kept]], augmented.labels])

    @cached_property
    def _pool(self) -> "RowPool":
        return RowPool(self.embeddings, self.labels, self.training_sets)

    def train_dataloader(self) -> "TrainingBatches":
        """Batches of `[m, batch_size, d]`, `steps_per_epoch` of them an epoch."""
        starts = np.cumsum([len(self.labels)] + [len(each.augmented.labels) for each in self.training_sets])
        rows = [
            np.concatenate(
                [each.member.train[each.augmented.kept], np.arange(start, start + len(each.augmented.labels))]
            ).astype(np.int32)
            for each, start in zip(self.training_sets, starts, strict=False)
        ]
        generators = [
            torch.Generator().manual_seed(derive_seed("batches", self.dataset, each.seed, each.fold))
            for each in self.members
        ]
        return TrainingBatches(self._pool, rows, generators, self.batch_size, self.steps_per_epoch)

    def val_dataloader(self) -> list["EvaluationBatches"]:
        """The validation rows, and the real minority rows trained on (for the gap between the two)."""
        watched = []
        for member in self.members:
            minority = member.train[np.isin(self.labels[member.train], self.minority)]
            draw = np.random.RandomState(derive_seed("watched", self.dataset, member.seed, member.fold))
            watched.append(draw.permutation(minority)[:WATCHED_ROWS])
        return [
            EvaluationBatches(self._pool, [member.validation for member in self.members]),
            EvaluationBatches(self._pool, watched),
        ]

    def predict_dataloader(self) -> list["EvaluationBatches"]:
        """The validation rows and the test rows."""
        return [
            EvaluationBatches(self._pool, [member.validation for member in self.members]),
            EvaluationBatches(self._pool, [member.test for member in self.members]),
        ]

    def transfer_batch_to_device(
        self, batch: "StackedBatch | Steps", device: torch.device, dataloader_idx: int
    ) -> "StackedBatch | Steps":
        """Lightning's hook for our batch types."""
        return batch.to(device)


class RowPool:
    """Every row that a member trains or is judged on, by number: the data set's first, then the synthetic ones.

    An interpolated row is two numbers and a step until a batch needs it.
    """

    def __init__(
        self, embeddings: NDArray[np.float32], labels: NDArray[np.int64], training_sets: Sequence[TrainingSet]
    ) -> None:
        augmented = [each.augmented for each in training_sets]
        others = [each.made.others for each in augmented if len(each.made.others)]
        with warnings.catch_warnings():
            # The cache's matrix may be read-only, and nothing writes into the pool.
            warnings.filterwarnings("ignore", message=".*not writable")
            self.rows = torch.from_numpy(np.concatenate([embeddings, *others]) if others else embeddings)
        self.n_real = len(embeddings)
        self.labels = torch.from_numpy(np.concatenate([labels, *(each.labels for each in augmented)]).astype(np.int16))
        ends = np.empty((sum(len(each.made) for each in augmented), 2), dtype=np.int32)
        start, other = 0, self.n_real
        for each in augmented:
            block = ends[start : start + len(each.made)]
            block[:] = each.given.index[each.made.between]
            is_other = each.made.is_other
            block[is_other] = np.arange(other, other + len(each.made.others))[:, None]
            start, other = start + len(block), other + len(each.made.others)
        self.ends = torch.from_numpy(ends)
        self.step = torch.from_numpy(np.concatenate([np.zeros(0, np.float32), *(each.made.step for each in augmented)]))
        self.interpolated = bool(self.step.any())
        mean = np.stack([each.mean for each in training_sets])[:, None]
        scale = np.stack([each.scale for each in training_sets])[:, None]
        self.standardized = bool(mean.any() or (scale != 1).any())
        self.mean, self.scale = torch.from_numpy(mean), torch.from_numpy(scale)

    def take(self, rows: torch.Tensor, real: torch.Tensor) -> StackedBatch:
        """Gather `rows`, int32 or int64 `[m, B]`."""
        x = self._values(rows.flatten()).view(*rows.shape, -1)
        if self.standardized:
            x = (x - self.mean) / self.scale
        return StackedBatch(x, self.labels[rows].long(), real)

    def _values(self, rows: torch.Tensor) -> torch.Tensor:
        made = (rows >= self.n_real).nonzero().squeeze(1)
        if not len(made):
            return self.rows.index_select(0, rows)  # ten times as fast as rows[...] for some hundred rows
        which = rows.index_select(0, made) - self.n_real
        first, second = self.ends.index_select(0, which).unbind(1)
        x = self.rows.index_select(0, rows.index_copy(0, made, first.to(rows.dtype)))
        if self.interpolated:
            begin, end = x.index_select(0, made), self.rows.index_select(0, second)
            x.index_copy_(0, made, interpolate(begin, end, self.step.index_select(0, which)[:, None]))
        return x


class Steps:
    """Consecutive training batches, each gathered when it is its turn: one batch of Lightning's, several steps of ours.

    Parameters
    ----------
    pool
        Where rows are gathered.
    rows
        int32 `[n_steps, m, B]`.
    device
        Where the batches go; None leaves them where the pool is.
    """

    def __init__(self, pool: RowPool, rows: torch.Tensor, device: torch.device | None = None) -> None:
        self.pool = pool
        self.rows = rows
        self.device = device
        self._real = torch.ones(rows.shape[1:], dtype=torch.bool)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[StackedBatch]:
        for rows in self.rows:
            batch = self.pool.take(rows, self._real)
            yield batch if self.device is None else batch.to(self.device)

    def to(self, device: torch.device) -> "Steps":
        """The same batches on a device."""
        return Steps(self.pool, self.rows, device)


class TrainingBatches:
    """Endless shuffled passes over each member's own rows, cut into epochs of a fixed number of steps.

    Members of different sizes cycle at their own pace: no batch is ever padded, and no member's
    batches depend on another's.
    """

    def __init__(
        self,
        pool: RowPool,
        rows: Sequence[NDArray[np.int32]],
        generators: Sequence[torch.Generator],
        batch_size: int,
        n_steps: int,
    ) -> None:
        self.pool = pool
        self.rows = [torch.from_numpy(each) for each in rows]
        self.generators = generators
        self.batch_size = batch_size
        self.n_steps = n_steps
        self._left = [torch.empty(0, dtype=torch.int32) for _ in rows]

    def __len__(self) -> int:
        return -(-self.n_steps // BLOCK_STEPS)

    def __iter__(self) -> Iterator[Steps]:
        drawn = torch.stack([self._draw(index, self.n_steps * self.batch_size) for index in range(len(self.rows))])
        order = drawn.view(len(self.rows), self.n_steps, self.batch_size).transpose(0, 1).contiguous()
        for start in range(0, self.n_steps, BLOCK_STEPS):
            yield Steps(self.pool, order[start : start + BLOCK_STEPS])

    def _draw(self, index: int, count: int) -> torch.Tensor:
        rows, generator = self.rows[index], self.generators[index]
        drawn, lack = [self._left[index]], count - len(self._left[index])
        while lack > 0:
            drawn.append(rows[torch.randperm(len(rows), generator=generator)])
            lack -= len(rows)
        joined = torch.cat(drawn)
        # A copy: a view would keep what was drawn already.
        self._left[index] = joined[count:].clone()
        return joined[:count]


class EvaluationBatches:
    """Each member's rows in order, in blocks of one shape; the last ones are padded and marked so."""

    def __init__(self, pool: RowPool, rows: Sequence[NDArray[np.int64]]) -> None:
        self.pool = pool
        self.n_rows = [len(each) for each in rows]
        longest = max(-(-max(self.n_rows) // EVALUATION_ROWS), 1) * EVALUATION_ROWS
        padded = np.zeros((len(rows), longest), dtype=np.int64)
        for index, each in enumerate(rows):
            padded[index, : len(each)] = each
        self.rows = torch.from_numpy(padded)
        self.real = torch.arange(longest) < torch.tensor(self.n_rows)[:, None]

    def __len__(self) -> int:
        return self.rows.shape[1] // EVALUATION_ROWS

    def __iter__(self) -> Iterator[StackedBatch]:
        for start in range(0, self.rows.shape[1], EVALUATION_ROWS):
            block = slice(start, start + EVALUATION_ROWS)
            yield self.pool.take(self.rows[:, block], self.real[:, block])
