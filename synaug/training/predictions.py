"""What fitted classifiers say of the rows that they did not train on, whoever fitted them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from synaug.encoder.tuned import Weights

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Chosen:
    """The step that a rule's loss on out-of-fold rows chose, and what the models of that step say.

    Attributes
    ----------
    step
        Optimiser steps; 0 of a classifier that is not trained in steps.
    loss
        Out-of-fold log loss under the rule, in nats, with the classes weighted as in the target.
    chance
        That loss if the target's frequencies were always said; what is not below has learned nothing.
    out_of_fold
        Log probabilities `[n, n_classes]` of the rows of `Split.out_of_fold`, corrected.
    test
        Log probabilities `[n_test, n_classes]` of the final classifier, corrected.
    test_as_it_is
        The same, not corrected.
    """

    step: int
    loss: float
    chance: float
    out_of_fold: Array
    test: Array
    test_as_it_is: Array


@dataclass(frozen=True)
class TauNorm:
    """The τ that one split's out-of-fold rows chose (`synaug.scores.tau_norm`), and what the final classifier says.

    Attributes
    ----------
    tau
        Between 0 and 1.
    loss
        Out-of-fold log loss under it, in nats, with the classes weighted as in the target.
    test
        Log probabilities `[n_test, n_classes]`, not corrected.
    """

    tau: float
    loss: float
    test: Array


@dataclass(frozen=True)
class Member:
    """A classifier behind a split's predictions, kept so that it can be asked about other rows.

    Attributes
    ----------
    fitted
        Of a stack's member its weights by name, `[...]` each, float32; of others what says log probabilities.
    carried
        Class frequencies `[n_classes]` that its probabilities follow; None where a rule takes them as they are.
    mean, scale
        float32 `[d]`: as of `synaug.training.training_sets.TrainingSet`.
    tuned
        Weights that the encoder of its vectors has of its own; none where that is the data set's.
    """

    fitted: Mapping[str, NDArray[np.float32]] | Callable[[NDArray[np.float32]], Array]
    carried: Array | None
    mean: NDArray[np.float32]
    scale: NDArray[np.float32]
    tuned: Weights = field(default_factory=dict)


@dataclass(frozen=True)
class OfSplit:
    """What is predicted in one split.

    Attributes
    ----------
    last
        Log probabilities `[n_test, n_classes]` of the fit on all rows with its last weights, not corrected.
    chosen
        By rule.
    tau_norm
        None of a classifier that does not end in a linear layer.
    members
        By rule (those of `chosen`, and argmax), the classifiers whose mean says `Chosen.test`, or `last`; empty where
        they are not to be kept.
    """

    last: Array
    chosen: Mapping[str, Chosen]
    tau_norm: TauNorm | None = None
    members: Mapping[str, Sequence[Member]] = field(default_factory=dict)


@dataclass(frozen=True)
class Curves:
    """How training went.

    Attributes
    ----------
    steps
        int64 `[p]`, ascending: after how many optimiser steps each point was taken.
    points
        float64 `[p, splits]` each, by name. NaN after a split's inner members have stopped.

    Of a classifier that is not trained in steps, both are empty.
    """

    steps: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    points: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Predictions:
    """What fitted classifiers say of the rows that they did not train on, and what it took.

    Attributes
    ----------
    splits
        One for each split.
    members
        How many classifiers were fitted.
    n_trained
        Rows trained on; a row counts as often as it is drawn.
    optimiser_steps
        Of all members together.
    flops
        Floating-point operations of training; None where they are not known.
    curves
        How training went.
    """

    splits: Sequence[OfSplit]
    members: int
    n_trained: int
    optimiser_steps: int = 0
    flops: float | None = None
    curves: Curves = field(default_factory=Curves)

    @property
    def n_predicted(self) -> int:
        """Rows out of fold, and test rows."""
        return sum(
            len(split.last) + sum(len(chosen.out_of_fold) + len(chosen.test) for chosen in split.chosen.values())
            for split in self.splits
        )
