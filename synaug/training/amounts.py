"""The amount of synthesis, chosen split by split on the rows that inner folds leave out."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from synaug.training.predictions import Curves, Predictions
from synaug.training.training_sets import TrainingData

# Losses that differ by less are equal: the same rows, added up in another order.
DECIMALS = 12

Option = TypeVar("Option")


@dataclass(frozen=True)
class Fitted:
    """Classifiers that were fitted with one or several amounts of synthesis; of several, in each split the best.

    Attributes
    ----------
    data
        The training sets of each split's amount: those of its inner folds, and of all of its rows.
    predictions
        What the classifiers that were trained on them say. The costs are those of all amounts.
    amounts
        All that were tried, ascending.
    losses
        Out-of-fold log loss (nats) under the better candidate rule, with the classes weighted as in the target,
        `[amounts, splits]`.
    """

    data: TrainingData
    predictions: Predictions
    amounts: tuple[float, ...]
    losses: NDArray[np.float64]

    @classmethod
    def with_amount(cls, amount: float, data: TrainingData, predictions: Predictions) -> "Fitted":
        """Classifiers of one amount."""
        losses = [min(chosen.loss for chosen in of_split.chosen.values()) for of_split in predictions.splits]
        return cls(data, predictions, (amount,), np.array([losses]))

    @property
    def chosen(self) -> NDArray[np.int64]:
        """Which of the amounts each split has, `[splits]`: that of the least loss, of equals the least."""
        places: NDArray[np.int64] = self.losses.round(DECIMALS).argmin(axis=0)
        return places

    def sentence(self) -> str:
        """How often each amount was chosen: ``augmenter.amount: 0.5 in 7 and 1 in 3 of 10 splits, …``."""
        counts = np.bincount(self.chosen, minlength=len(self.amounts)).tolist()
        told = [f"{amount:g} in {count}" for amount, count in zip(self.amounts, counts, strict=True) if count]
        often = " and ".join([*([", ".join(told[:-1])] if told[1:] else []), told[-1]])
        return f"augmenter.amount: {often} of {sum(counts)} splits, chosen on rows that inner folds left out"

    def better_of(self, more: "Fitted") -> "Fitted":
        """Of these and of others with larger amounts, the better in each split; of equals, these."""
        losses = np.concatenate([self.losses, more.losses])
        joined = Fitted(self.data, self.predictions, (*self.amounts, *more.amounts), losses)
        takes = joined.chosen >= len(self.amounts)
        return replace(
            joined,
            data=_data(self.data, more.data, takes),
            predictions=_predictions(self.predictions, more.predictions, takes),
        )


def best_of(options: Iterable[Option], fitted: Callable[[Option], Fitted]) -> Fitted:
    """Fit with each of several options, of ascending amounts, and keep in each split the best.

    The rows of one option are made, trained on and dropped before those of the next but one, so that no more than two
    options' rows are held at a time.

    Parameters
    ----------
    options
        At least one.
    fitted
        Makes the rows of an option and trains on them.
    """
    return reduce(Fitted.better_of, map(fitted, options))


def _data(first: TrainingData, second: TrainingData, takes: NDArray[np.bool_]) -> TrainingData:
    """The first's training sets, in some splits `[splits]` the second's; both have the same members in one order."""
    pairs = zip(first.training_sets, second.training_sets, strict=True)
    return replace(first, training_sets=[of_second if takes[one.place] else one for one, of_second in pairs])


def _predictions(first: Predictions, second: Predictions, takes: NDArray[np.bool_]) -> Predictions:
    return Predictions(
        splits=_either(first.splits, second.splits, takes),
        members=first.members + second.members,
        n_trained=first.n_trained + second.n_trained,
        optimiser_steps=first.optimiser_steps + second.optimiser_steps,
        flops=None if first.flops is None or second.flops is None else first.flops + second.flops,
        curves=Curves(
            first.curves.steps,
            {name: np.where(takes, second.curves.points[name], points) for name, points in first.curves.points.items()},
        ),
    )


def _either(first: Sequence[Option], second: Sequence[Option], takes: NDArray[np.bool_]) -> list[Option]:
    return [theirs if take else ours for ours, theirs, take in zip(first, second, takes, strict=True)]
