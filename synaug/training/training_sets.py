"""What is trained on: the thinned real rows of each split and inner fold, and what the augmenter made of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from synaug.augmenter import Augmented, Augmenter, NeighbourGraph, ToAugment, TrainingRows, segment_parents
from synaug.augmenter.neighbours import METRICS
from synaug.dataset import LabelledTexts
from synaug.encoder.tuned import Weights
from synaug.seeding import derive_seed
from synaug.splits import Split

Graphs = dict[str, NeighbourGraph]


@dataclass(frozen=True)
class Space:
    """Vectors of a data set, and their neighbours.

    Attributes
    ----------
    embeddings
        float32 `[n, d]`, of the whole data set.
    graphs
        Of `neighbour_graphs`.
    tuned
        Weights that the encoder of these vectors has of its own, where a classifier in use is to have them.
    """

    embeddings: NDArray[np.float32]
    graphs: Graphs
    tuned: Weights = field(default_factory=dict)


# By split (its place) and inner fold (None: all rows): in which space a training set lies, where each has its own.
Spaces = Callable[[int, int | None], Space]


@dataclass(frozen=True)
class TrainingSet:
    """What one member trains on.

    Attributes
    ----------
    place
        Of its split, among those of the run.
    split
        That split.
    inner
        The inner fold whose `left_out` rows judge it; None if it trains on all rows of the split.
    replica
        Which of several draws of the sampler this is.
    rows
        The real rows that the sampler was given, ascending.
    augmented
        What the sampler made of them.
    mean, scale
        float32 `[d]`, of the real rows; 0 and 1 where embeddings are taken as they are.
    tuned
        Of its space.
    """

    place: int
    split: Split
    inner: int | None
    replica: int
    rows: NDArray[np.int64]
    augmented: Augmented
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    tuned: Weights = field(default_factory=dict)

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """Vectors of the whole data set, float32 `[n, d]`, in the space in which the synthetic rows were made."""
        return self.augmented.given.embeddings

    @property
    def real(self) -> NDArray[np.int64]:
        """The rows of the data set that are trained on: all that were given, but for those that the sampler removed."""
        return self.rows[self.augmented.kept]

    @property
    def seeds(self) -> tuple[int | str, ...]:
        """What its member's draws depend on beside their stage."""
        return member_seeds(self.split, self.inner, self.replica)

    @property
    def left_out(self) -> NDArray[np.int64]:
        """The rows that judge it: none of them trained it."""
        return self.rows[:0] if self.inner is None else self.split.inner[self.inner].left_out


@dataclass(frozen=True)
class TrainingData:
    """All that a classifier is fitted on, and judged on.

    Attributes
    ----------
    dataset
        The data set's name, a part of every seed.
    embeddings, labels
        float32 `[n, d]` and int64 `[n]`, of the whole data set. A training set may lie in a space of its own
        (`TrainingSet.embeddings`).
    class_names
        One for each class.
    splits
        Which rows train, and which test.
    training_sets
        One for each member. First those of the inner folds, split by split; then those of all rows of each split.
    target
        Class frequencies that the decisions shall serve, `[splits, n_classes]`.
    """

    dataset: str
    embeddings: NDArray[np.float32]
    labels: NDArray[np.int64]
    class_names: Sequence[str]
    splits: Sequence[Split]
    training_sets: Sequence[TrainingSet]
    target: NDArray[np.float64]

    @property
    def inner(self) -> Sequence[TrainingSet]:
        """The training sets of the inner folds."""
        return [training_set for training_set in self.training_sets if training_set.inner is not None]

    @property
    def whole(self) -> Sequence[TrainingSet]:
        """The training sets of all rows."""
        return [training_set for training_set in self.training_sets if training_set.inner is None]

    def class_counts(self) -> NDArray[np.int64]:
        """Rows of each class in each training set, real and synthetic, `[members, n_classes]`."""
        return np.stack(
            [
                np.bincount(
                    np.concatenate([self.labels[training_set.real], training_set.augmented.labels]),
                    minlength=len(self.class_names),
                )
                for training_set in self.training_sets
            ]
        )

    def parents(self, index: int) -> NDArray[np.int64]:
        """Rows of the data set that each synthetic row of a training set was made of.

        Returns
        -------
        ndarray
            int64 `[s, 2]`: what the sampler tells, else the rows between which the synthetic one
            lies; the same twice for one parent, -1 where there is none (a draw from a VAE's prior).
        """
        training_set = self.training_sets[index]
        rows, augmented = training_set.rows, training_set.augmented
        parents = augmented.parents.astype(np.int64)
        unknown = np.flatnonzero(parents[:, 0] < 0)
        if len(unknown):
            parents[unknown] = segment_parents(augmented.synthetic_embeddings[unknown], training_set.embeddings[rows])
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
    ratio: float | None,
    replicas: int = 1,
    standardize: bool = False,
    target_prior: str = "uniform",
    spaces: Spaces | None = None,
) -> TrainingData:
    """Have the augmenter fill the gaps of every training set: of each inner fold's rows, and of all rows of each split.

    Parameters
    ----------
    texts
        The data set; only its name, labels and class names are used.
    embeddings
        float32 `[n, d]`, row by row those of `texts`.
    splits
        Which rows train and test; the training rows are thinned already.
    augmenter
        What fills the gap.
    graphs
        Of `neighbour_graphs`.
    ratio
        By how much the training rows were thinned; None where they were not.
    replicas
        How many draws of the sampler each training set gets, each for a member of its own.
    standardize
        Shift and scale each dimension by the real training rows of each member, before the
        classifier; the sampler sees the embeddings as they are.
    target_prior
        As in `target_frequencies`.
    spaces
        Where each training set has vectors of its own; None for `embeddings` and `graphs`, for all of them.
    """
    if len(embeddings) != len(texts.labels):
        raise ValueError(
            f"{len(embeddings)} embeddings for {len(texts.labels)} texts: they must be row by row the same"
        )
    # The augmenter's name and amount do not enter: comparisons between them are paired.
    imbalance = "natural" if ratio is None else float(ratio)
    members = _members(splits, replicas)
    rows = [_rows(splits[place], inner) for place, inner, _ in members]
    everywhere = Space(embeddings, graphs)
    space_of = [everywhere if spaces is None else spaces(place, inner) for place, inner, _ in members]
    to_augment = [
        ToAugment(
            TrainingRows(space.embeddings, texts.labels, given, space.graphs),
            np.random.RandomState(
                derive_seed("augmenter", texts.name, *member_seeds(splits[place], inner, replica), imbalance)
            ),
            _where(splits[place], inner),
            replica,
            _judged(splits[place], inner),
        )
        for (place, inner, replica), given, space in zip(members, rows, space_of, strict=True)
    ]
    augmented = augmenter.augment_all(to_augment, texts.class_names)
    bar = tqdm(augmented, "augmenting", len(to_augment), unit="set", disable=None)
    training_sets = [
        TrainingSet(
            place,
            splits[place],
            inner,
            replica,
            given,
            of_member,
            *_moments(space.embeddings, given, standardize),
            space.tuned,
        )
        for (place, inner, replica), given, space, of_member in zip(members, rows, space_of, bar, strict=True)
    ]
    target = np.stack(
        [target_frequencies(split, texts.labels, len(texts.class_names), target_prior) for split in splits]
    )
    return TrainingData(texts.name, embeddings, texts.labels, texts.class_names, splits, training_sets, target)


def member_seeds(split: Split, inner: int | None, replica: int) -> tuple[int | str, ...]:
    """What a member's draws depend on beside their stage: its split, its inner fold and its replica."""
    of_inner = () if inner is None else ("inner", inner)
    return (split.seed, split.fold, *of_inner, *(("replica", replica) if replica else ()))


def target_frequencies(
    split: Split, labels: NDArray[np.int64], n_classes: int, target_prior: str
) -> NDArray[np.float64]:
    """Class frequencies that the decisions of a split shall serve, `[n_classes]`.

    Parameters
    ----------
    target_prior
        ``uniform``, or ``natural`` for the class frequencies of the split's training rows
        (which are those of the data set under ``imbalance_ratio=natural``).
    """
    if target_prior == "natural":
        frequencies: NDArray[np.float64] = np.bincount(labels[split.train], minlength=n_classes) / len(split.train)
        return frequencies
    return np.full(n_classes, 1 / n_classes)


def _members(splits: Sequence[Split], replicas: int) -> list[tuple[int, int | None, int]]:
    """Split, inner fold and replica of each member, in the order of `TrainingData.training_sets`."""
    of_inner: list[tuple[int, int | None, int]] = [
        (place, inner, replica)
        for place, split in enumerate(splits)
        for inner in range(len(split.inner))
        for replica in range(replicas)
    ]
    return of_inner + [(place, None, replica) for place in range(len(splits)) for replica in range(replicas)]


def _rows(split: Split, inner: int | None) -> NDArray[np.int64]:
    return split.train if inner is None else split.inner[inner].fit


def _judged(split: Split, inner: int | None) -> NDArray[np.int64]:
    """The rows that a member's predictions are judged by: what an inner fold leaves out, and the test fold."""
    return split.test if inner is None else np.concatenate([split.inner[inner].left_out, split.test])


def _where(split: Split, inner: int | None) -> str:
    if split.fold < 0:
        return f"all rows{'' if inner is None else f', inner fold {inner}'}"
    return f"seed {split.seed} fold {split.fold}{'' if inner is None else f', inner fold {inner}'}"


def _moments(
    embeddings: NDArray[np.float32], rows: NDArray[np.int64], standardize: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and scale of each dimension, float32 `[d]`."""
    if not standardize:
        width = embeddings.shape[1]
        return np.zeros(width, np.float32), np.ones(width, np.float32)
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(embeddings[rows])
    return scaler.mean_.astype(np.float32), scaler.scale_.astype(np.float32)
