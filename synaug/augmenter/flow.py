"""Flow matching: one flow of all classes in the plane of the leading principal components."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from torch import Tensor
from torch.nn.functional import one_hot

from synaug import settings
from synaug.augmenter import stack
from synaug.augmenter.learned import (
    LearnedSampler,
    Made,
    dense,
    norm_ratio,
    require_spread,
    unbiased,
    variance_ratio,
)
from synaug.augmenter.stack import StackedNetworks, drawn_layer, padded, train_stacks
from synaug.errors import TooFewRowsError

FREQUENCIES = 4  # cos(k pi t), k = 1 … 4, beside the time itself
DRAWN_AT_ONCE = 50  # steps whose noise is drawn together
DIVERGED = 10  # a loss that no training comes to: of a network that says nothing it is 2
NOTHING = 1e-10  # a component with less of the largest one's variance is rounding


@dataclass(frozen=True)
class Settings:
    """The parameters of `Flow` that decide how one is trained and sampled."""

    n_components: int
    hidden: int
    steps: int
    batch_size: int
    lr: float
    ode_steps: int


class Shape(NamedTuple):
    """What flows must share to share a stack."""

    settings: Settings
    n_components: int
    n_classes: int


class Flow(LearnedSampler):
    """Over-sample with conditional flow matching [1]_, one flow of all classes.

    Rows are centred on their class's mean, and projected on the `n_components` leading principal components of the
    pooled covariance within classes, each scaled to variance 1. That covariance is the unbiased one, of n rows and c
    classes, with the divisor n - c. In the plane a network learns the velocity ``v(x, t, class)`` that carries N(0, I)
    at t = 0 to the rows at t = 1, along straight lines between independent draws [2]_ ::

        min E |v((1 - t) z + t x, t, class) - (x - z)|^2,   z ~ N(0, I), t ~ U(0, 1)

    A class's mean is taken over its own rows, so they differ from it too little: in a class of m rows, differences are
    multiplied by sqrt(m / (m - 1)) before the network learns from them. A class's only row shows no spread, so nothing
    is learned from it. New rows of that class differ from it as rows of other classes differ from their mean; for each
    new row, one of these classes is drawn in proportion to its rows.

    A new row solves ``dx/dt = v`` from a draw z (the midpoint rule in `ode_steps` steps), in the common plane around
    its class's own mean; what lies beside the plane is Gaussian, with the covariance that rows have there. So with
    `n_components` 0 or `steps` 0 a row is drawn from a Gaussian around its class's mean, with the covariance that
    classes share, and the flow adds what is not Gaussian, or belongs to one class alone. Every row that is learned from
    counts the same, whatever its class. A class's rows depend on `random_state`, the class and what was learned, not on
    which others are wanted. All work is done on the CPU; flows of `fit_resample_all` train as one batched program, yet
    each has the same bits as alone.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        As in imbalanced-learn; a dict holds the total number of rows of each class.
    random_state : int, RandomState or None, default=None
        Source of every draw: weights, batches, times, noise.
    n_components : int, default=64
        Principal components at most.
    hidden : int, default=128
        Width of the network's two hidden layers.
    steps : int, default=400
        Optimiser steps.
    batch_size : int, default=128
        Rows in a step, drawn with replacement.
    lr : float, default=2e-3
        Learning rate of Adam, which falls to 0 along a cosine.
    ode_steps : int, default=10
        Steps from noise to a row; each asks the network twice.

    Attributes
    ----------
    sampling_strategy_ : dict
        Rows to add to each class.
    diagnostics_ : list of dict
        For each class added to: `class`; `rows`, real ones; `components` of the plane, and their share `explained` of
        the variance within classes; `loss`, the mean squared error of the velocity over the last tenth of the steps,
        per component (2 for a network that always says 0: 1 from the noise, 1 from the rows); `variance_ratio` and
        `norm_ratio`, of synthetic over real rows, as of `synaug.augmenter.VAE`; `made`, synthetic rows.
    parents_ : None
        Rows are drawn from a distribution, not around given rows.

    Raises
    ------
    UserError
        From `fit_resample`: a parameter out of range.
    TooFewRowsError
        From `fit_resample`: one row of each class, which show no spread, or training that diverged.

    References
    ----------
    .. [1] Lipman et al., "Flow Matching for Generative Modeling", ICLR 2023.
    .. [2] Tong et al., "Improving and Generalizing Flow-Based Generative Models with Minibatch Optimal Transport",
       TMLR 2024 (there: independent coupling, without added noise).
    """

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        random_state: int | np.random.RandomState | None = None,
        n_components: int = 64,
        hidden: int = 128,
        steps: int = 400,
        batch_size: int = 128,
        lr: float = 2e-3,
        ode_steps: int = 10,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.random_state = random_state
        self.n_components = n_components
        self.hidden = hidden
        self.steps = steps
        self.batch_size = batch_size
        self.lr = lr
        self.ode_steps = ode_steps

    def _untrained(self, X: Any, y: NDArray[Any]) -> list["SetFlow"]:
        given = {field.name: getattr(self, field.name) for field in fields(Settings)}
        settings.require("augmenter", settings.OF_A_TARGET["synaug.augmenter.Flow"], given)
        labels, classes = np.unique(y, return_inverse=True)
        wanted = {int(np.searchsorted(labels, label)): n for label, n in self._wanted().items()}
        if not wanted:
            return []
        require_spread(classes, "flow")
        seed, *of_classes = check_random_state(self.random_state).randint(2**31, size=1 + len(labels)).tolist()
        return [SetFlow(dense(X), classes.astype(np.int64), wanted, seed, of_classes, Settings(**given))]

    @staticmethod
    def _train(models: Sequence["SetFlow"]) -> None:
        train_all(models)

    def _made(self, y: NDArray[Any], trained: Sequence["SetFlow"]) -> Iterator[tuple[Any, Made]]:
        for flow in trained:
            if flow.diverged:
                raise TooFewRowsError(
                    f"the flow of all classes diverged with lr={self.lr} (its loss is {flow.loss:.3g}); the loss must "
                    f"stay below {DIVERGED}: lower augmenter.lr"
                )
            yield from zip(self._wanted(), flow.made, strict=True)

    @property
    def _has_parents(self) -> bool:
        return False


class StackedVelocity(StackedNetworks):
    """Velocities of `v` flows: ``(x, what is given) -> hidden -> hidden -> velocity``, all widths padded."""

    def velocity(self, x: Tensor, given: Tensor) -> Tensor:
        """Velocity `[v, B, k]` at points `[v, B, k]`, given time and class, `[v, B, c]` as of `_given`."""
        w = self.weights
        hidden = torch.baddbmm(w[1], torch.cat([x, given], 2), w[0]).relu_()
        hidden = torch.baddbmm(w[3], hidden, w[2]).relu_()
        return torch.baddbmm(w[5], hidden, w[4])

    def differentiate(self, x: Tensor, given: Tensor, target: Tensor) -> Tensor:
        """Set `gradients` to those of the squared error, a row's mean; the error of each flow, `[v]`."""
        with torch.enable_grad():
            for weight in self.weights:
                weight.requires_grad_()
            errors = (self.velocity(x, given) - target).square().sum((1, 2)) / x.shape[1]
            self.gradients = torch.autograd.grad(errors.sum(), self.weights)
        for weight in self.weights:
            weight.requires_grad_(False)
        return errors.detach()


class SetFlow:
    """The flow of one training set: its plane, its draws, its weights and what it made.

    Parameters
    ----------
    rows, classes
        Real rows `[n, d]` and their classes `[n]`, from 0.
    wanted
        Synthetic rows to make, by class.
    seed, seeds_of_classes
        Seed every draw: of training, and of each class's new rows `[c]`.
    settings
        Plane, training and sampling.

    Attributes
    ----------
    shape
        What a stack must share.
    x, given_class
        Of the rows that are learned from: coordinates in the plane `[m, k]`, and classes as one-hot `[m, c]`, padded.
    weights
        Of the network.
    loss
        NaN until it is trained.
    made
        Once sampled: what was made of each class, in the order in which it was wanted.
    """

    def __init__(
        self,
        rows: NDArray[Any],
        classes: NDArray[np.int64],
        wanted: Mapping[int, int],
        seed: int,
        seeds_of_classes: Sequence[int],
        settings: Settings,
    ) -> None:
        self._rows, self._classes, self._wanted, self._settings = rows, classes, wanted, settings
        self._seeds_of_classes = seeds_of_classes
        self._generator = torch.Generator().manual_seed(seed)
        n_classes = int(classes.max()) + 1
        counts = np.bincount(classes, minlength=n_classes)
        means = np.zeros((n_classes, rows.shape[1]))
        np.add.at(means, classes, rows.astype(np.float64))
        self._means = means / np.maximum(counts, 1)[:, None]
        self._residuals = rows.astype(np.float64) - self._means[classes]
        # Rounding of a mean is no spread: what is constant within each class stays so.
        constant = np.abs(self._residuals).max(0) <= 1e-12 * np.abs(rows).max(0)
        self._residuals[:, constant] = 0
        self._spread = counts[classes] > 1
        free = len(rows) - int((counts > 0).sum())
        self._plane(settings.n_components, free)
        self._residuals *= unbiased(counts)[classes, None]
        self.shape = Shape(settings, len(self._scale), n_classes)
        self.loss = math.nan
        self.made = [Made(np.zeros((n, rows.shape[1])), np.empty(0, np.int64), {}) for n in wanted.values()]

    def _plane(self, k: int, free: int) -> None:
        """The leading directions `[d, k]`, their standard deviations `[k]` and share of the variance; what is beside.

        `free` is the divisor of the covariance, rows less classes.
        """
        rows = self._residuals[self._spread] / math.sqrt(max(free, 1))
        # The same values and directions from the smaller of two products.
        if len(rows) < rows.shape[1]:
            values, of_rows = np.linalg.eigh(rows @ rows.T)
            real = values > NOTHING * values.max(initial=0)
            values, directions = values[real], rows.T @ (of_rows[:, real] / np.sqrt(values[real]))
        else:
            values, directions = np.linalg.eigh(rows.T @ rows)
            real = values > NOTHING * values.max(initial=0)
            values, directions = values[real], directions[:, real]
        scale, directions = np.sqrt(values[::-1]), directions[:, ::-1]
        self._scale, self._directions = scale[:k], directions[:, :k]
        self.explained = float((scale[:k] ** 2).sum() / (scale**2).sum()) if len(scale) else 0.0
        # A factor of the covariance there, of at most d rows: draws need no weight for every real row.
        self._beside = scale[k:, None] * directions[:, k:].T

    def start(self) -> None:
        """Draw the weights; the last layer's are 0, so that what is noise at first stays as it is."""
        _, k, n_classes = self.shape
        hidden = self._settings.hidden
        residuals, classes = self._residuals[self._spread], self._classes[self._spread]
        self.x = torch.zeros(len(residuals), padded(k))
        self.x[:, :k] = torch.from_numpy(residuals @ (self._directions / self._scale))
        self.given_class = _classes_given(torch.from_numpy(classes), n_classes)
        units, places = torch.arange(hidden), torch.arange(k)
        given = padded(k) + torch.arange(1 + FREQUENCIES + n_classes)
        n_in, wide = padded(k) + self.given_class.shape[1], padded(hidden)
        self.weights = [
            *drawn_layer(n_in, wide, torch.cat([places, given]), units, self._generator),
            *drawn_layer(wide, wide, units, units, self._generator),
            torch.zeros(wide, padded(k)),
            torch.zeros(1, padded(k)),
        ]

    def draw(self, steps: int) -> tuple[Tensor, Tensor, Tensor]:
        """Points `[steps, B, k]`, what is given there, and the velocity wanted."""
        size, k = self._settings.batch_size, self.shape.n_components
        index = torch.randint(len(self.x), (steps, size), generator=self._generator)
        time = torch.rand(steps, size, 1, generator=self._generator)
        x, z = self.x[index], torch.zeros(steps, size, self.x.shape[1])
        z[..., :k] = torch.randn(steps, size, k, generator=self._generator)
        return z + time * (x - z), _at(time, self.given_class[index]), x - z

    @property
    def diverged(self) -> bool:
        """Whether the loss is no number, or one that no training comes to."""
        return not self.loss < DIVERGED

    def sample(self) -> None:
        """Make the synthetic rows of each class."""
        if self.diverged:
            return
        network = StackedVelocity([self.weights])
        k = self.shape.n_components
        self.made = []
        for label, wanted in self._wanted.items():
            own = self._rows[self._classes == label]
            generator = torch.Generator().manual_seed(self._seeds_of_classes[label])
            z = torch.zeros(1, wanted, self.x.shape[1])
            z[..., :k] = torch.randn(wanted, k, generator=generator)
            weights = torch.randn(wanted, len(self._beside), generator=generator).double().numpy()
            beside = weights @ self._beside
            given = _classes_given(torch.full((wanted,), label), self.shape.n_classes)
            if len(own) == 1:  # the network knows nothing of the class
                given = self.given_class[torch.randint(len(self.x), (wanted,), generator=generator)]
            there = self._carried(network, z, given[None])[0, :, :k].double().numpy()
            apart = (there * self._scale) @ self._directions.T + beside
            rows = self._means[label] + apart
            diagnostics = {
                "rows": len(own),
                "components": k,
                "explained": self.explained,
                "loss": self.loss,
                "variance_ratio": variance_ratio(apart, self._residuals[self._classes == label]),
                "norm_ratio": norm_ratio(rows, own),
                "made": wanted,
            }
            self.made.append(Made(rows, np.empty(0, np.int64), diagnostics))

    def _carried(self, network: StackedVelocity, x: Tensor, given: Tensor) -> Tensor:
        """Points `[1, B, k]` carried from noise to rows of the classes given, `[1, B, c]`, by the midpoint rule."""
        h = 1 / self._settings.ode_steps
        for step in range(self._settings.ode_steps if self._settings.steps else 0):
            time = torch.full((*x.shape[:2], 1), step * h)
            middle = x + h / 2 * network.velocity(x, _at(time, given))
            x = x + h * network.velocity(middle, _at(time + h / 2, given))
        return x


def _classes_given(classes: Tensor, n_classes: int) -> Tensor:
    """What is given beside a point, `[B, c]`: places for the time, then the class as one-hot; padded."""
    given = torch.zeros(len(classes), padded(1 + FREQUENCIES + n_classes))
    given[:, 1 + FREQUENCIES : 1 + FREQUENCIES + n_classes] = one_hot(classes, n_classes)
    return given


def _at(time: Tensor, given_class: Tensor) -> Tensor:
    """The same with the time `[..., 1]` in its places."""
    waves = torch.cos(time * math.pi * torch.arange(1, FREQUENCIES + 1))
    return torch.cat([time, waves, given_class[..., 1 + FREQUENCIES :]], dim=-1)


def train_all(flows: Sequence[SetFlow]) -> None:
    """Train and sample from flows, stacked by shape.

    Parameters
    ----------
    flows
        Of any shapes.
    """
    groups: dict[Shape, list[SetFlow]] = defaultdict(list)
    for flow in flows:
        groups[flow.shape].append(flow)
    stacks = []
    for (chosen, k, n_classes), group in groups.items():
        n_weights = chosen.hidden * (2 * k + 1 + FREQUENCIES + n_classes + chosen.hidden)
        n_stacks = math.ceil(len(group) * n_weights * stack.BYTES_OF_A_WEIGHT / stack.STACK_BYTES)
        if n_stacks > 1:  # equal work for each thread
            n_stacks = math.ceil(n_stacks / torch.get_num_threads()) * torch.get_num_threads()
        stacks += [[group[i] for i in part] for part in np.array_split(range(len(group)), n_stacks) if len(part)]
    train_stacks(stacks, _train)


@torch.no_grad()
def _train(flows: Sequence[SetFlow]) -> None:
    """Train flows of one shape, and sample from each."""
    chosen, k, _ = flows[0].shape
    for flow in flows:
        flow.start()
    network = StackedVelocity([flow.weights for flow in flows])
    steps = chosen.steps if k else 0
    losses = []
    for first in range(0, steps, DRAWN_AT_ONCE):
        drawn = [flow.draw(min(DRAWN_AT_ONCE, steps - first)) for flow in flows]
        x, given, target = (torch.stack(of_flows, dim=1) for of_flows in zip(*drawn, strict=True))
        for step in range(len(x)):
            losses.append(network.differentiate(x[step], given[step], target[step]))
            network.step(chosen.lr * (1 + math.cos(math.pi * (first + step) / steps)) / 2)
    last = torch.stack(losses[-math.ceil(steps / 10) :]).double().mean(0) / k if steps else torch.zeros(len(flows))
    for flow, loss, *weights in zip(flows, last.tolist(), *network.weights, strict=True):
        flow.loss, flow.weights = loss, weights
        flow.sample()
