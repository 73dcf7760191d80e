"""Synthesis within a batch: which row a row's representation is mixed with, and how far the mixture goes.

A sampler of the group `augmenter` says it as it does for frozen vectors, but of the representations as they are now:
those of the batch's own texts, through which gradients flow, and those of texts of recent batches. How to mix as some
sampler does is told below by its class; one that is not there cannot be used within batches.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from imblearn import FunctionSampler
from imblearn.over_sampling import SMOTE, RandomOverSampler
from numpy.typing import NDArray
from scipy import special
from sklearn.metrics import pairwise_distances

from synaug.augmenter import Mixup, Remix
from synaug.augmenter.neighbours import Neighbours
from synaug.augmenter.rows import interpolate
from synaug.augmenter.samplers import name_of
from synaug.errors import UserError

Draw = np.random.RandomState


class Memory:
    """Representations of the rows that were read last, each as it was then.

    Parameters
    ----------
    size
        How many rows are remembered at most.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._vectors: OrderedDict[int, torch.Tensor] = OrderedDict()

    def add(self, rows: NDArray[np.int64], vectors: torch.Tensor) -> None:
        """Remember rows `[B]` by their representations `[B, d]`; of a row that was known, the new one."""
        for row, vector in zip(rows.tolist(), vectors.detach(), strict=True):
            self._vectors[row] = vector
            self._vectors.move_to_end(row)
        while len(self._vectors) > self.size:
            self._vectors.popitem(last=False)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The rows, those read last at the end, int64 `[r]`."""
        return np.array(list(self._vectors), dtype=np.int64)

    def vectors(self, like: torch.Tensor) -> torch.Tensor:
        """Their representations `[r, d]`, without gradient, on the device and of the type of others `[B, d]`."""
        # One by one: those of a training that was broken off come from the CPU.
        known = [vector.to(like) for vector in self._vectors.values()]
        return torch.stack(known) if known else like.new_zeros(0, like.shape[1])


@dataclass(frozen=True)
class Candidates:
    """What a row may be mixed with.

    Attributes
    ----------
    rows, labels
        int64 `[c]`; a row of the data set may be there several times, if it stands in a batch so often.
    vectors
        float32 `[c, d]`.
    counts
        Real rows of each class of the training set, int64 `[C]`.
    """

    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    vectors: NDArray[np.float32]
    counts: NDArray[np.int64]

    def of_class_of(self, place: int) -> NDArray[np.int64]:
        """Places of other rows of a row's class, each row once."""
        return self.once((self.labels == self.labels[place]) & (self.rows != self.rows[place]))

    def once(self, is_wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Places of rows that are wanted `[c]`, ascending; of a row that is there several times, the last.

        Batches repeat rows of small classes. Counted as neighbours, repeats would crowd out other rows, and as partners
        they would be drawn more often.
        """
        places = np.flatnonzero(is_wanted)
        _, from_the_end = np.unique(self.rows[places[::-1]], return_index=True)
        return places[np.sort(len(places) - 1 - from_the_end)]


# Of a place among the candidates: the place of what it is mixed with, and a step from 0 (the row itself) to 1 (the
# other). None where there is nothing to mix with: then the row is repeated.
Partner = Callable[[int, Candidates, Draw], tuple[int, float] | None]


def repeated(place: int, among: Candidates, draw: Draw) -> None:
    """Mix a row with nothing: it is repeated as it is."""
    return


def _of_random(sampler: RandomOverSampler) -> Partner:
    if sampler.shrinkage is not None:
        raise UserError(
            f"augmenter.shrinkage={sampler.shrinkage:g} has no meaning within batches (classifier.when=batch): choose "
            "augmenter=random, or classifier.when=features"
        )
    return repeated


def _of_none(sampler: FunctionSampler) -> Partner:
    if sampler.func is not None:
        raise _unknown(sampler)
    return repeated


def _of_smote(sampler: SMOTE) -> Partner:
    """One of the k nearest rows of the class, and a step that is uniform (Chawla et al. 2002)."""
    k, metric = _neighbours(sampler.k_neighbors)

    def partner(place: int, among: Candidates, draw: Draw) -> tuple[int, float] | None:
        others = among.of_class_of(place)
        if not len(others):
            return None
        own = among.vectors[place][None].astype(np.float64)
        distances = pairwise_distances(own, among.vectors[others].astype(np.float64), metric=metric)[0]
        near = others[np.argsort(distances, kind="stable")[:k]]
        return int(near[draw.randint(len(near))]), float(draw.uniform())

    return partner


def _of_mixup(sampler: Mixup) -> Partner:
    """Any other row of the class (`synaug.augmenter.Mixup`)."""

    def partner(place: int, among: Candidates, draw: Draw) -> tuple[int, float] | None:
        others = among.of_class_of(place)
        if not len(others):
            return None
        return int(others[draw.randint(len(others))]), float(draw.beta(sampler.alpha, sampler.alpha))

    return partner


def _of_remix(sampler: Remix) -> Partner:
    """Any row of the classes that are much larger (`synaug.augmenter.Remix`)."""
    below = special.betainc(sampler.alpha, sampler.alpha, sampler.tau)

    def partner(place: int, among: Candidates, draw: Draw) -> tuple[int, float] | None:
        is_larger = among.counts >= sampler.kappa * among.counts[among.labels[place]]
        is_larger[among.labels[place]] = False
        others = among.once(is_larger[among.labels])
        if not len(others):
            return None
        step = special.betaincinv(sampler.alpha, sampler.alpha, below * draw.uniform())
        return int(others[draw.randint(len(others))]), float(step)

    return partner


# By class, and of no subclass: that may make its rows otherwise.
_PARTNERS: Mapping[type, Callable[[Any], Partner]] = {
    RandomOverSampler: _of_random,
    FunctionSampler: _of_none,
    SMOTE: _of_smote,
    Mixup: _of_mixup,
    Remix: _of_remix,
}


def partners(sampler: object) -> Partner:
    """How a sampler of the group `augmenter` mixes rows.

    Raises
    ------
    UserError
        If nobody knows how to mix as this sampler does.
    """
    make = _PARTNERS.get(type(sampler))
    if make is None:
        raise _unknown(sampler)
    return make(sampler)


def _unknown(sampler: object) -> UserError:
    return UserError(
        f"classifier.when=batch cannot make rows as {name_of(sampler)} does: choose augmenter=smote, mixup, remix, "
        "random or none, or classifier.when=features, which takes any augmenter"
    )


def _neighbours(search: object) -> tuple[int, str]:
    """How many neighbours a sampler looks for, and by which metric; an estimator counts the row itself."""
    if isinstance(search, Neighbours):
        return search.n_neighbors - 1, search.metric
    if isinstance(search, int | np.integer):
        return int(search), "euclidean"
    raise UserError(
        f"augmenter.k_neighbors={name_of(search)} cannot search within batches (classifier.when=batch): give a number, "
        "or synaug.augmenter.nearest_neighbours"
    )


def mixed(
    vectors: torch.Tensor,
    rows: NDArray[np.int64],
    labels: NDArray[np.int64],
    is_mixed: NDArray[np.bool_],
    partner: Partner,
    memory: Memory,
    labels_of_rows: NDArray[np.int64],
    counts: NDArray[np.int64],
    draw: Draw,
) -> torch.Tensor:
    """Replace the representations of some rows of a batch by mixtures.

    Parameters
    ----------
    vectors
        Representations of the batch's texts, `[B, d]`.
    rows, labels
        Which rows of the data set these are, and their labels, int64 `[B]`.
    is_mixed
        Which of them are to be mixed, bool `[B]`.
    partner
        Of `partners`.
    memory
        Of rows that were read before. Of those that stand in the batch, the batch's own representations are taken.
    labels_of_rows
        int64 `[n]`, of the whole data set.
    counts
        As of `Candidates`.

    Returns
    -------
    Tensor
        `[B, d]`; gradients reach the rows themselves, and what they are mixed with where that stands in the batch.
    """
    if not is_mixed.any():
        return vectors
    known = memory.rows
    is_recent = ~np.isin(known, rows)
    recent = memory.vectors(vectors)[torch.from_numpy(is_recent)]
    everything = torch.cat([vectors, recent])
    among = Candidates(
        np.concatenate([rows, known[is_recent]]),
        np.concatenate([labels, labels_of_rows[known[is_recent]]]),
        everything.detach().float().cpu().numpy(),
        counts,
    )
    found = {place: partner(place, among, draw) for place in np.flatnonzero(is_mixed).tolist()}
    drawn = {place: each for place, each in found.items() if each is not None}
    if not drawn:
        return vectors
    own = torch.tensor(list(drawn), device=vectors.device)
    others = torch.tensor([place for place, _ in drawn.values()], device=vectors.device)
    steps = torch.tensor([step for _, step in drawn.values()], device=vectors.device, dtype=vectors.dtype)[:, None]
    return vectors.index_copy(0, own, interpolate(vectors[own], everything[others], steps))
