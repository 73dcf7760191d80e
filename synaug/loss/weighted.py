"""The log loss, in which rows of some classes weigh more than others."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from synaug import settings
from synaug.errors import UserError
from synaug.loss.base import Loss, as_logits, exact, log_losses
from synaug.settings.names import class_meant, listed


class Weighted(Loss):
    """The log loss times a weight of the row's class.

    Weights are scaled so that a member's rows weigh 1 in the mean: then whole-number weights do in a full batch what
    rows repeated as often do, and no learning rate depends on their size. Rows of weight w count as w rows, so the
    logits follow counts times weights.
    """

    @abstractmethod
    def class_weights(self, counts: torch.Tensor) -> torch.Tensor:
        """Weights of each class, up to a factor for each member, `[m, C]`."""

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """Loss of each row, `[m, B]`."""
        rows = exact(counts)
        weights = self.class_weights(rows)
        of_mean_1 = weights * rows.sum(1, keepdim=True) / (weights * rows).sum(1, keepdim=True)
        return log_losses(logits, labels) * as_logits(of_mean_1, logits).gather(1, labels)

    def carried_prior(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Counts times weights; uniform where weights are the inverse of counts."""
        weighted: NDArray[np.float64] = counts * self.class_weights(exact(torch.from_numpy(counts))).numpy()
        shares: NDArray[np.float64] = weighted / weighted.sum(1, keepdims=True)
        return shares


class ClassWeighted(Weighted):
    """Weights of the inverse class frequency, or of the user's own.

    Parameters
    ----------
    weights
        One for each class, in the order of the data set's; or by the class's name, where others weigh 1; None
        for the inverse of a class's rows (as ``class_weight="balanced"`` in scikit-learn).
    """

    def __init__(self, weights: Sequence[float] | Mapping[str, float] | None = None) -> None:
        settings.require("loss", settings.OF_A_TARGET["synaug.loss.ClassWeighted"], {"weights": weights})
        self.weights = weights
        self._by_place: dict[tuple[torch.device, torch.dtype], torch.Tensor] = {}

    def for_classes(self, class_names: Sequence[str]) -> Self:
        """The same weights, in the order of the classes.

        Raises
        ------
        UserError
            If a name is no class, if two stand for one, or if weights are not as many as classes.
        """
        if self.weights is None:
            return self
        if isinstance(self.weights, Mapping):
            given = [class_meant("loss.weights", name, class_names, '{{"{}":2}}') for name in self.weights]
            twice = [name for name in given if given.count(name) > 1]
            if twice:
                raise UserError(f"loss.weights names {twice[0]} twice: give each class one weight")
            by_name = dict(zip(given, self.weights.values(), strict=True))
            return type(self)([by_name.get(name, 1.0) for name in class_names])
        if len(self.weights) != len(class_names):
            raise UserError(
                f"loss.weights holds {len(self.weights)} weights, but there are {len(class_names)} classes "
                f"({listed(class_names)}): give each class one, in this order"
            )
        return self

    def class_weights(self, counts: torch.Tensor) -> torch.Tensor:
        """The user's weights, or 1 / n."""
        if self.weights is None:
            return 1 / counts
        assert not isinstance(self.weights, Mapping), "weights by name are put in order by for_classes"
        place = counts.device, counts.dtype
        if place not in self._by_place:
            # Written by the device itself: a copy would have the CPU wait for a GPU.
            self._by_place[place] = torch.stack([counts.new_full((), float(weight)) for weight in self.weights])
        return self._by_place[place].expand_as(counts)


class EffectiveNumber(Weighted):
    """Weights of the inverse effective number of a class's rows, (1 − βⁿ) / (1 − β).

    Parameters
    ----------
    beta
        β: 0 weights all rows alike; near 1, the weights are those of the inverse class frequency.

    References
    ----------
    Cui et al., "Class-balanced loss based on effective number of samples", CVPR 2019, equation 2 (there, the weights
    add up to the number of classes, which is another learning rate).
    """

    def __init__(self, beta: float = 0.999) -> None:
        settings.require("loss", settings.OF_A_TARGET["synaug.loss.EffectiveNumber"], {"beta": beta})
        self.beta = beta

    def class_weights(self, counts: torch.Tensor) -> torch.Tensor:
        """1 / (1 − βⁿ)."""
        log_beta = counts.new_full((), self.beta).log()  # written by the device itself, without a copy
        return -1 / torch.expm1(counts * log_beta)
