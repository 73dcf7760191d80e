"""Cached embeddings to stacked batches: augment each member's rows and serve all members at once."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning import LightningDataModule
from tqdm.auto import tqdm

from synaug.augmenter import Augmented, Augmenter, NeighbourGraph, ToAugment, TrainingRows, segment_parents
from synaug.augmenter.neighbours import METRICS
from synaug.dataset import LabelledTexts
from synaug.files.digest import array_sha256
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.seeding import derive_seed
from synaug.splits import Member
from synaug.training.batches import EvaluationBatches, RowPool, StackedBatch, Steps, TrainingBatches, TrainingSet

# The training accuracy of the minority is watched on at most so many real rows of each member.
WATCHED_ROWS = 512


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
    def _pool(self) -> RowPool:
        return RowPool(self.embeddings, self.labels, self.training_sets)

    def train_dataloader(self) -> TrainingBatches:
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

    def val_dataloader(self) -> list[EvaluationBatches]:
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

    def predict_dataloader(self) -> list[EvaluationBatches]:
        """The validation rows and the test rows."""
        return [
            EvaluationBatches(self._pool, [member.validation for member in self.members]),
            EvaluationBatches(self._pool, [member.test for member in self.members]),
        ]

    def transfer_batch_to_device(
        self, batch: StackedBatch | Steps, device: torch.device, dataloader_idx: int
    ) -> StackedBatch | Steps:
        """Lightning's hook for our batch types."""
        return batch.to(device)
