"""What a member's batches are drawn from: texts of real rows, and places for synthetic ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from synaug.encoder.batches import token_batches
from synaug.seeding import derive_seed
from synaug.training.batches import Passes
from synaug.training.training_sets import TrainingData

# Tokens of texts that are read at once where nothing trains.
READ_TOKENS = {"cpu": 2048}
READ_TOKENS_ELSEWHERE = 32768


@dataclass(frozen=True)
class Texts:
    """The texts of a data set as a model reads them.

    Attributes
    ----------
    tokens
        Token ids of each.
    labels
        int64 `[n]`.
    """

    tokens: Sequence[list[int]]
    labels: NDArray[np.int64]

    def of(self, rows: NDArray[np.int64]) -> list[list[int]]:
        """Token ids of some rows."""
        return [self.tokens[row] for row in rows.tolist()]

    def batches(self, rows: NDArray[np.int64], device: str, *, padded: bool) -> list[NDArray[np.int64]]:
        """Places in `rows`, in batches of texts of like length; of no rows one batch, so that Lightning asks at all."""
        if not len(rows):
            return [np.zeros(0, np.int64)]
        lengths = [len(self.tokens[row]) for row in rows.tolist()]
        budget = READ_TOKENS.get(device, READ_TOKENS_ELSEWHERE)
        return [np.array(batch) for batch in token_batches(lengths, budget, padded=padded)]


@dataclass(frozen=True)
class Slots:
    """What one member's batches are drawn from.

    A synthetic row is a slot for each time that the sampler was to make one: the text of a row of its class is read,
    and what it says is mixed with something else. So a batch has the classes in the frequencies that a frozen member's
    batch has.

    Attributes
    ----------
    rows, labels
        int64 `[s]`: the rows of the data set whose texts are read, and their labels.
    is_mixed
        bool `[s]`: which of them are to be mixed; the others are real rows, or repeat one.
    """

    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    is_mixed: NDArray[np.bool_]

    @classmethod
    def of(cls, data: TrainingData, member: int) -> "Slots":
        """The slots of a training set: its real rows, and one for each row that the sampler added."""
        training_set = data.training_sets[member]
        augmented, real = training_set.augmented, training_set.real
        is_mixed = ~augmented.synthetic.copies(augmented.given)
        parents = np.empty(len(augmented.labels), dtype=np.int64)
        seeds = training_set.seeds
        draw = np.random.RandomState(derive_seed("slots", data.dataset, *seeds))
        for label in np.unique(augmented.labels):
            places = np.flatnonzero(augmented.labels == label)
            of_class = draw.permutation(real[data.labels[real] == label])
            # All rows of a class equally often, and no row more than once more than another. Copies, too, whatever the
            # sampler copied: samplers of one amount then read the same texts in the same slots, and differ in what is
            # mixed alone.
            parents[places] = np.resize(of_class, len(places))
        return cls(
            np.concatenate([real, parents]),
            np.concatenate([data.labels[real], augmented.labels]),
            np.concatenate([np.zeros(len(real), np.bool_), is_mixed]),
        )

    def passes(self, data: TrainingData, member: int) -> Passes:
        """Endless shuffled passes over them, drawn as those of a frozen member."""
        seeds = data.training_sets[member].seeds
        generator = torch.Generator().manual_seed(derive_seed("batches", data.dataset, *seeds))
        return Passes(np.arange(len(self.rows), dtype=np.int32), generator)
