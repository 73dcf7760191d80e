"""Cached embeddings to stacked batches: augment each member's rows and serve all members at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import LightningDataModule
from tqdm.auto import tqdm

from synaug.augmenter import Augmented, Augmenter, segment_parents
from synaug.dataset import LabelledTexts
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.members import Member
from synaug.seeding import derive_seed

# Rows are evaluated in blocks of one shape, so that a member's numbers do not depend on how many
# rows the others of its stack have.
EVALUATION_ROWS = 256
# The training accuracy of the minority is watched on at most so many real rows of each member.
WATCHED_ROWS = 1024


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

    @cached_property
    def training_sets(self) -> list[TrainingSet]:
        """Each member's thinned rows and what the sampler added, `[m]`."""
        bar = tqdm(self.members, desc=f"augmenting ({self.augmenter.name})", unit="member", disable=None)
        return [self._training_set(member) for member in bar]

    def _training_set(self, member: Member) -> TrainingSet:
        rows = self.embeddings[member.train]
        # The augmenter's name and amount do not enter: comparisons between them are paired.
        ratio = "natural" if self.imbalance_ratio.ratio is None else float(self.imbalance_ratio.ratio)
        draw = np.random.RandomState(derive_seed("augmenter", self.dataset, member.seed, member.fold, ratio))
        where = f"seed {member.seed} fold {member.fold}"
        augmented = self.augmenter.augment(rows, self.labels[member.train], draw, where, self.class_names)
        mean, scale = np.zeros(rows.shape[1], np.float32), np.ones(rows.shape[1], np.float32)
        if self.standardize:
            from sklearn.preprocessing import StandardScaler

            scaler = StandardScaler().fit(rows)
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
        parents = augmented.parents.copy()
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
            )
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

    def transfer_batch_to_device(self, batch: StackedBatch, device: torch.device, dataloader_idx: int) -> StackedBatch:
        """Lightning's hook for our batch type."""
        return StackedBatch(batch.x.to(device), batch.y.to(device), batch.real.to(device))


class RowPool:
    """All rows in one tensor, the data set's first and then each member's synthetic ones."""

    def __init__(
        self, embeddings: NDArray[np.float32], labels: NDArray[np.int64], training_sets: Sequence[TrainingSet]
    ) -> None:
        self.rows = torch.from_numpy(
            np.concatenate([embeddings, *(each.augmented.synthetic for each in training_sets)])
        )
        self.labels = torch.from_numpy(np.concatenate([labels, *(each.augmented.labels for each in training_sets)]))
        mean = np.stack([each.mean for each in training_sets])[:, None]
        scale = np.stack([each.scale for each in training_sets])[:, None]
        self.standardized = bool(mean.any() or (scale != 1).any())
        self.mean, self.scale = torch.from_numpy(mean), torch.from_numpy(scale)

    def take(self, rows: torch.Tensor, real: torch.Tensor) -> StackedBatch:
        """Gather `rows`, int64 `[m, B]`."""
        x = self.rows[rows.flatten()].view(*rows.shape, -1)
        if self.standardized:
            x = (x - self.mean) / self.scale
        return StackedBatch(x, self.labels[rows], real)


class TrainingBatches:
    """Endless shuffled passes over each member's own rows, cut into epochs of a fixed number of steps.

    Members of different sizes cycle at their own pace: no batch is ever padded, and no member's
    batches depend on another's.
    """

    def __init__(
        self,
        pool: RowPool,
        rows: Sequence[NDArray[np.int64]],
        generators: Sequence[torch.Generator],
        batch_size: int,
        n_steps: int,
    ) -> None:
        self.pool = pool
        self.rows = [torch.from_numpy(each) for each in rows]
        self.generators = generators
        self.batch_size = batch_size
        self.n_steps = n_steps
        self._left = [torch.empty(0, dtype=torch.int64) for _ in rows]

    def __len__(self) -> int:
        return self.n_steps

    def __iter__(self) -> Iterator[StackedBatch]:
        order = torch.stack([self._draw(index, self.n_steps * self.batch_size) for index in range(len(self.rows))])
        real = torch.ones(len(self.rows), self.batch_size, dtype=torch.bool)
        for step in range(self.n_steps):
            yield self.pool.take(order[:, step * self.batch_size : (step + 1) * self.batch_size], real)

    def _draw(self, index: int, count: int) -> torch.Tensor:
        rows, generator = self.rows[index], self.generators[index]
        drawn = [self._left[index]]
        while sum(map(len, drawn)) < count:
            drawn.append(rows[torch.randperm(len(rows), generator=generator)])
        joined = torch.cat(drawn)
        self._left[index] = joined[count:]
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
