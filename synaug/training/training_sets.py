"""What is trained on: the thinned real rows of each split, and what the augmenter made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from synaug.augmenter import Augmented, Augmenter, NeighbourGraph, ToAugment, TrainingRows, segment_parents
from synaug.augmenter.neighbours import METRICS
from synaug.dataset import LabelledTexts
from synaug.seeding import derive_seed
from synaug.splits import Split

Graphs = dict[str, NeighbourGraph]


@dataclass(frozen=True)
class TrainingSet:
    """What one member trains on.

    Attributes
    ----------
    split
        Its real rows.
    augmented
        What the sampler made of them.
    mean, scale
        float32 `[d]`, of the real rows; 0 and 1 where embeddings are taken as they are.
    """

    split: Split
    augmented: Augmented
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]

    @property
    def real(self) -> NDArray[np.int64]:
        """The rows of the data set that are trained on: all that train, but for those that the sampler removed."""
        return self.split.train[self.augmented.kept]


@dataclass(frozen=True)
class TrainingData:
    """All that a classifier is fitted on, and judged on.

    Attributes
    ----------
    dataset
        The data set's name, a part of every seed.
    embeddings, labels
        float32 `[n, d]` and int64 `[n]`, of the whole data set.
    class_names
        One for each class.
    minority
        Labels of the minority classes.
    training_sets
        One for each split.
    """

    dataset: str
    embeddings: NDArray[np.float32]
    labels: NDArray[np.int64]
    class_names: Sequence[str]
    minority: Sequence[int]
    training_sets: Sequence[TrainingSet]

    @property
    def splits(self) -> list[Split]:
        """Which rows train, validate and test."""
        return [training_set.split for training_set in self.training_sets]

    def class_frequencies(self) -> NDArray[np.float64]:
        """Share of each class among the rows of each training set, real and synthetic, `[splits, n_classes]`."""
        counts = np.stack(
            [
                np.bincount(
                    np.concatenate([self.labels[training_set.real], training_set.augmented.labels]),
                    minlength=len(self.class_names),
                )
                for training_set in self.training_sets
            ]
        )
        shares: NDArray[np.float64] = counts / counts.sum(1, keepdims=True)
        return shares

    def parents(self, index: int) -> NDArray[np.int64]:
        """Rows of the data set that each synthetic row of a training set was made of.

        Returns
        -------
        ndarray
            int64 `[s, 2]`: what the sampler tells, else the rows between which the synthetic one
            lies; the same twice for one parent, -1 where there is none (a draw from a VAE's prior).
        """
        training_set = self.training_sets[index]
        rows, augmented = training_set.split.train, training_set.augmented
        parents = augmented.parents.astype(np.int64)
        unknown = np.flatnonzero(parents[:, 0] < 0)
        if len(unknown):
            parents[unknown] = segment_parents(augmented.synthetic_embeddings[unknown], self.embeddings[rows])
        of_the_data_set: NDArray[np.int64] = np.where(parents < 0, -1, rows[parents])
        return of_the_data_set


def neighbour_graphs(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
    folder: Path | None = None,
    embeddings_sha256: str | None = None,
) -> Graphs:
    """The data set's neighbours, by metric, searched for when a sampler asks.

    Parameters
    ----------
    embeddings, labels
        float32 `[n, d]` and int64 `[n]`.
    folder
        Of neighbours that were searched for already; None keeps them in memory only.
    embeddings_sha256
        Digest of the embeddings, where it is known.
    """
    return {metric: NeighbourGraph(embeddings, labels, metric, folder, embeddings_sha256) for metric in METRICS}


def augment(
    texts: LabelledTexts,
    embeddings: NDArray[np.float32],
    splits: Sequence[Split],
    augmenter: Augmenter,
    graphs: Graphs,
    *,
    minority: Sequence[int],
    ratio: float | None,
    standardize: bool,
) -> TrainingData:
    """Have the augmenter fill the gaps of every split's training rows.

    Parameters
    ----------
    texts
        The data set; only its name, labels and class names are used.
    embeddings
        float32 `[n, d]`, row by row those of `texts`.
    splits
        Which rows train, validate and test; the training rows are thinned already.
    augmenter
        What fills the gap.
    graphs
        Of `neighbour_graphs`.
    minority
        Labels of the minority classes.
    ratio
        By how much the training rows were thinned; None where they were not.
    standardize
        Shift and scale each dimension by the real training rows of each split, before the
        classifier; the sampler sees the embeddings as they are.
    """
    if len(embeddings) != len(texts.labels):
        raise ValueError(
            f"{len(embeddings)} embeddings for {len(texts.labels)} texts: they must be row by row the same"
        )
    # The augmenter's name and amount do not enter: comparisons between them are paired.
    imbalance = "natural" if ratio is None else float(ratio)
    to_augment = [
        ToAugment(
            TrainingRows(embeddings, texts.labels, split.train, graphs),
            np.random.RandomState(derive_seed("augmenter", texts.name, split.seed, split.fold, imbalance)),
            f"seed {split.seed} fold {split.fold}",
        )
        for split in splits
    ]
    augmented = augmenter.augment_all(to_augment, texts.class_names)
    bar = tqdm(augmented, f"augmenting ({augmenter.name})", len(to_augment), unit="split", disable=None)
    training_sets = [
        TrainingSet(split, of_split, *_moments(embeddings, split, standardize))
        for split, of_split in zip(splits, bar, strict=True)
    ]
    return TrainingData(texts.name, embeddings, texts.labels, texts.class_names, minority, training_sets)


def _moments(
    embeddings: NDArray[np.float32], split: Split, standardize: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and scale of each dimension, float32 `[d]`."""
    if not standardize:
        width = embeddings.shape[1]
        return np.zeros(width, np.float32), np.ones(width, np.float32)
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(embeddings[split.train])
    return scaler.mean_.astype(np.float32), scaler.scale_.astype(np.float32)
