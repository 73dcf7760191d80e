"""Classifiers that are fitted at once, not in steps: nearest class mean, nearest neighbours, scikit-learn's."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.base import clone
from sklearn.neighbors import VALID_METRICS, NearestNeighbors

from synaug import settings
from synaug.augmenter.samplers import check_parameters, name_of, require_probabilities
from synaug.errors import UserError
from synaug.settings import names

Rows = NDArray[np.float32]
Labels = NDArray[np.int64]
Array = NDArray[np.float64]
Says = Callable[[Rows], Array]

# Of probabilities: what is smaller counts as this, as in scikit-learn's log_loss. Trees and votes say 0.
SMALLEST = float(np.finfo(np.float64).eps)
# Parameters of classifiers (scikit-learn's; XGBoost's, LightGBM's, CatBoost's) that put other class frequencies in the
# place of those trained on, and the values with which they do not.
SET_FREQUENCIES: dict[str, tuple[object, ...]] = {
    "class_weight": (None,),
    "priors": (None,),
    "class_prior": (None,),
    "fit_prior": (True,),
    "scale_pos_weight": (None, 1),
    "is_unbalance": (None, False),
    "class_weights": (None,),
    "auto_class_weights": (None, "None"),
}
RESAMPLES = "sampling_strategy"  # as all of imbalanced-learn's ensembles and samplers call it
# exp of it is looked for: embeddings of norm 1 need some tens, those of a norm of 100 some thousandths.
LOG_SHARPNESS = (-20.0, 20.0)


@dataclass(frozen=True)
class SaysByMeans:
    """What a fitted `NearestClassMean` says.

    Attributes
    ----------
    means
        float64 `[C, d]`.
    sharpness
        Its β.
    """

    means: Array
    sharpness: float

    def __call__(self, rows: Rows) -> Array:
        """Log probabilities `[r, C]`."""
        # Half the squared distance less the square of the row, which is the same for all classes.
        closeness = rows.astype(np.float64) @ self.means.T - (self.means**2).sum(1) / 2
        found: Array = log_softmax(self.sharpness * closeness, axis=1)
        return found


@dataclass(frozen=True)
class SaysByNeighbours:
    """What a fitted `NearestNeighbours` says.

    Attributes
    ----------
    X, y
        float32 `[n, d]` and int64 `[n]`: the rows trained on; each class has one.
    k, metric
        As of `NearestNeighbours`.
    """

    X: Rows
    y: Labels
    k: int
    metric: str

    @cached_property
    def _search(self) -> NearestNeighbors:
        k = min(self.k, len(self.X))
        return NearestNeighbors(n_neighbors=k, metric=self.metric, algorithm="brute").fit(self.X)

    def __call__(self, rows: Rows) -> Array:
        """Log probabilities `[r, C]`."""
        n_classes = int(self.y.max()) + 1
        shares = np.bincount(self.y) / len(self.y)
        near = self.y[self._search.kneighbors(rows, return_distance=False)]
        votes = (near[:, :, None] == np.arange(n_classes)).sum(1)
        found: Array = np.log((votes + shares) / (min(self.k, len(self.X)) + 1))
        return found


@dataclass(frozen=True)
class SaysAsFitted:
    """What a fitted `ScikitLearn` says.

    Attributes
    ----------
    estimator
        Fitted.
    """

    estimator: Any

    def __call__(self, rows: Rows) -> Array:
        """Log probabilities `[r, C]`."""
        found: Array = np.log(np.maximum(self.estimator.predict_proba(rows).astype(np.float64), SMALLEST))
        return found


class FittedAtOnce(ABC):
    """A classifier without steps, and so with nothing that a validation could choose; it has no loss of its own."""

    @abstractmethod
    def fit(self, X: Rows, y: Labels, n_real: int, seed: int) -> Says:
        """Fit one member.

        Parameters
        ----------
        X, y
            float32 `[n, d]` and int64 `[n]`; each class has a row.
        n_real
            The first so many rows are real, the others synthetic.
        seed
            Of the member's own draws, below 2³².

        Returns
        -------
        callable
            Log probabilities `[r, C]` of rows `[r, d]`.
        """

    def carried_prior(self, counts: NDArray[np.int64]) -> Array:
        """Class frequencies that its probabilities follow, `[m, C]`: those of the rows trained on, unless it says so.

        Parameters
        ----------
        counts
            Rows of each class that each member trains on, `[m, C]`.
        """
        shares: Array = counts / counts.sum(1, keepdims=True)
        return shares


class NearestClassMean(FittedAtOnce):
    """The class whose mean is nearest: softmax of −β/2 times the squared distance to each class's mean.

    It is the classifier of normal densities with one variance 1/β for all directions and classes, which are equally
    frequent. In hundreds of dependent dimensions that variance makes it far too sure, so β is what gives the real
    training rows the smallest class-balanced log loss, each by the means of the others. A class of one real
    row has no mean of others, and does not count there.

    Its means and β follow no class frequencies: it carries uniform ones. But a mean of few rows is farther from every
    row than a mean of many, by the variance over their number, so that small classes are decided on too rarely: that
    is left as everybody's nearest class mean has it, and is what tuned offsets take off.

    References
    ----------
    Mensink et al., "Distance-based image classification: generalizing to new classes at near-zero cost", TPAMI 2013,
    section 3.1.
    """

    def fit(self, X: Rows, y: Labels, n_real: int, seed: int) -> Says:
        """See `FittedAtOnce.fit`."""
        return SaysByMeans(_means(X, y), _sharpness(X[:n_real], y[:n_real]))

    def carried_prior(self, counts: NDArray[np.int64]) -> Array:
        """Uniform."""
        return np.full(counts.shape, 1 / counts.shape[1])


def _means(X: Rows, y: Labels) -> Array:
    counts = np.bincount(y)
    sums = np.zeros((len(counts), X.shape[1]))
    np.add.at(sums, y, X.astype(np.float64))
    means: Array = sums / counts[:, None]
    return means


def _sharpness(X: Rows, y: Labels) -> float:
    """The β of `NearestClassMean`."""
    counts, rows = np.bincount(y), X.astype(np.float64)
    means = _means(X, y)
    squares = (means**2).sum(1) - 2 * rows @ means.T + (rows**2).sum(1)[:, None]
    # By the mean of the others, a row is n / (n − 1) times as far from its own class's.
    own = np.arange(len(y)), y
    others = np.maximum(counts[y] - 1, 1)
    squares[own] *= (counts[y] / others) ** 2
    of_several = counts[y] > 1
    if not of_several.any():
        return 1.0 / max(float(squares.mean()), SMALLEST)
    weights = of_several / counts[y]
    weights /= weights.sum()

    def loss(log_sharpness: float) -> float:
        said = log_softmax(-math.exp(log_sharpness) / 2 * squares, axis=1)
        return float(-(weights * said[own]).sum())

    return math.exp(minimize_scalar(loss, bounds=LOG_SHARPNESS, method="bounded").x)


class NearestNeighbours(FittedAtOnce):
    """The share of each class among the k nearest training rows, and one vote more shared out as the classes are.

    Without that vote most probabilities would be 0. A row whose neighbours are of classes as frequent as they are
    gets just these frequencies: it carries those of the rows trained on.

    Parameters
    ----------
    k
        Neighbours; all rows where there are fewer.
    metric
        Of scikit-learn's ``NearestNeighbors``.
    """

    def __init__(self, k: int = 10, metric: str = "euclidean") -> None:
        table = settings.OF_A_TARGET["synaug.classifier.NearestNeighbours"]
        settings.require("classifier", table, {"k": k, "metric": metric})
        known = set(VALID_METRICS["brute"]) - {"precomputed"}
        if metric not in known:
            near = names.nearest(metric, known) or f": use one of {names.listed(sorted(known), len(known))}"
            raise UserError(f"classifier.metric={metric} is no metric of scikit-learn's NearestNeighbors{near}")
        self.k = k
        self.metric = metric

    def fit(self, X: Rows, y: Labels, n_real: int, seed: int) -> Says:
        """See `FittedAtOnce.fit`."""
        return SaysByNeighbours(X, y, self.k, self.metric)


class ScikitLearn(FittedAtOnce):
    """A classifier of scikit-learn's kind.

    Parameters
    ----------
    estimator
        Has ``fit(X, y)`` and ``predict_proba(X)``, and can be cloned. Each ``random_state`` in it is set.
    carries
        Which class frequencies its probabilities follow: ``counts``, those of the rows it is fitted on, as with most
        classifiers; or ``uniform``, where it weights classes by the inverse of their rows
        (``class_weight="balanced"``), resamples them to equal numbers, or is told that they are equally frequent.
    """

    def __init__(self, estimator: Any, carries: str = "counts") -> None:
        settings.require("classifier", settings.OF_A_TARGET["synaug.classifier.ScikitLearn"], {"carries": carries})
        require_probabilities(estimator, "classifier.estimator", "is no classifier of scikit-learn's kind")
        if carries == "counts":
            _require_frequencies_of_rows(estimator)
        check_parameters(estimator)
        self.estimator = estimator
        self.carries = carries

    def fit(self, X: Rows, y: Labels, n_real: int, seed: int) -> Says:
        """See `FittedAtOnce.fit`."""
        fitted = clone(self.estimator)
        states = [path for path in fitted.get_params(deep=True) if path.rpartition("__")[2] == "random_state"]
        fitted.set_params(**dict.fromkeys(states, seed))
        fitted.fit(X, y)
        return SaysAsFitted(fitted)

    def carried_prior(self, counts: NDArray[np.int64]) -> Array:
        """Those of the rows trained on, or uniform frequencies."""
        return super().carried_prior(counts if self.carries == "counts" else np.ones_like(counts))


def _require_frequencies_of_rows(estimator: Any) -> None:
    """Refuse what changes the class frequencies within: taken off once more, they would favour small classes."""
    for path, value in estimator.get_params(deep=True).items():
        name = path.rpartition("__")[2]
        if name == RESAMPLES:
            raise UserError(
                f"classifier.estimator={name_of(estimator)} resamples classes itself ({path.replace('__', '.')}), "
                "which changes the class frequencies that probabilities follow: choose a classifier that does not and "
                "an augmenter, or set classifier.carries=uniform if it makes classes equally frequent"
            )
        if name in SET_FREQUENCIES and not _is_one_of(value, SET_FREQUENCIES[name]):
            raise UserError(
                f"classifier.estimator.{path.replace('__', '.')}={settings.written(value)} changes the class "
                "frequencies that probabilities follow: leave it out and choose an augmenter, or set "
                "classifier.carries=uniform if it makes classes equally frequent"
            )


def _is_one_of(value: object, unset: tuple[object, ...]) -> bool:
    # Arrays cannot be compared so, and a weight of 1 is not the flag True.
    plain = isinstance(value, int | float | str) and not isinstance(value, bool)
    return any(value is each or (plain and value == each) for each in unset)
