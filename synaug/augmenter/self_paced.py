"""Self-paced under-sampling: each replica leaves out other rows of the larger classes, by how hard they are to tell."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from imblearn.under_sampling import RandomUnderSampler
from imblearn.under_sampling.base import BaseUnderSampler
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils import check_random_state, check_X_y
from sklearn.utils.multiclass import check_classification_targets
from threadpoolctl import threadpool_limits

from synaug import settings
from synaug.augmenter.samplers import check_parameters, require_probabilities
from synaug.errors import UserError

ROUNDING = 1e-6  # by which a probability may be above 1

Array = NDArray[np.float64]
Places = NDArray[np.int64]


class SelfPaced(BaseUnderSampler):  # type: ignore[misc]
    """Under-sample in a chain, as the Self-paced Ensemble [1]_ does.

    The first under-sample is a random one. For the i-th of n, i = 1, …, n − 1, the hardness of a row is
    1 − p(its own class), p being the mean of classifiers fitted on the i under-samples before. In each class that is
    cut, rows are divided into `k_bins` bins of equal width over the range of hardness, and the share of bin l among
    the rows that are kept is proportional to ::

        1 / (mean hardness of bin l + alpha),  alpha = tan(i pi / 2n)

    So at first a bin counts less the harder it is. At the end all bins count alike: then as many rows are drawn from a
    bin of few hard rows as from one of many easy rows. `alpha` depends on n, and hence the i-th under-sample on how
    many are asked for.

    What differs from the paper:

    - **A stand-in judges.** There the ensemble's own classifiers say what is hard. Here the networks of all replicas
      train side by side in one stack, and none can wait for another; so `estimator`, fitted on each under-sample in
      turn, says it in their place. The networks are trained on the chain's under-samples and averaged.
    - Several classes: every class but the smallest is cut, each by a hardness and bins of its own.
    - A bin that has fewer rows than its share gives all of them, and the others share the rest by their weights; the
      paper is silent, the authors' code keeps fewer rows then. Shares are rounded up or down at random, so that
      the expected number of rows of each bin is its share, also where fewer rows than bins are kept.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        As in imbalanced-learn; a dict holds the number of rows of each class that are kept.
    random_state : int, RandomState or None, default=None
        Of ``fit_resample``, which is handed one replica: a random under-sample, that of imbalanced-learn's
        ``RandomUnderSampler``.
    estimator : object, default=None
        Anything of scikit-learn's kind with ``fit`` and ``predict_proba``; None for its ``LogisticRegression``.
    k_bins : int, default=20
        Bins of hardness.

    Attributes
    ----------
    sample_indices_ : ndarray of int64, shape [n_kept]
        The rows that ``fit_resample`` kept.

    Raises
    ------
    UserError
        If `k_bins` is out of range, or `estimator` has no probabilities to say.

    References
    ----------
    .. [1] Liu et al., "Self-paced Ensemble for Highly Imbalanced Massive Data Classification", ICDE 2020,
       algorithm 1 (its hardness function here: the absolute error).
    """

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        random_state: int | np.random.RandomState | None = None,
        estimator: Any = None,
        k_bins: int = 20,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        settings.require("augmenter", settings.OF_A_TARGET["synaug.augmenter.SelfPaced"], {"k_bins": k_bins})
        if estimator is not None:
            require_probabilities(estimator, "augmenter.estimator", "cannot tell which rows are hard")
            check_parameters(estimator)
        self.random_state = random_state
        self.estimator = estimator
        self.k_bins = k_bins

    def fit_resample_replicas(
        self, X: Any, y: Any, random_states: Sequence[np.random.RandomState]
    ) -> list[tuple[Any, NDArray[Any]]]:
        """Resample a training set several times, each time by what was learned from the times before.

        Parameters
        ----------
        X, y
            As for ``fit_resample``, `[n, d]` and `[n]`.
        random_states
            One for each replica, the source of its own draws.

        Returns
        -------
        list
            For each replica what ``fit_resample`` returns.

        Raises
        ------
        UserError
            If `estimator` cannot be fitted on an under-sample, or does not say a probability for each class.
        """
        check_classification_targets(y)
        self.fit(X, y)  # imbalanced-learn's: it checks, and sets sampling_strategy_
        X, y = check_X_y(X, y, accept_sparse=["csr"], dtype=None)
        return [(X[kept], y[kept]) for kept in self._chain(X, y, random_states)]

    def _fit_resample(self, X: Any, y: NDArray[Any]) -> tuple[Any, NDArray[Any]]:
        (self.sample_indices_,) = self._chain(X, y, [check_random_state(self.random_state)])
        return X[self.sample_indices_], y[self.sample_indices_]

    def _chain(self, X: Any, y: NDArray[Any], random_states: Sequence[np.random.RandomState]) -> list[Places]:
        """The rows that each replica keeps."""
        chain = [self._at_random(y, random_states[0])]
        own_class = np.zeros(len(y))
        n = len(random_states)
        if n == 1:
            return chain
        # A row near the edge of a bin must not move for how sums are rounded: hence float64, and one thread. Beside
        # other work, several threads would also wait for each other far longer than these small products take.
        X = X.astype(np.float64)
        with threadpool_limits(1, user_api="blas"):
            for i in range(1, n):
                own_class += self._own_class(X, y, chain[-1])
                alpha = math.tan(i * math.pi / (2 * n))
                chain.append(self._by_hardness(y, 1 - own_class / i, alpha, random_states[i]))
        return chain

    def _at_random(self, y: NDArray[Any], random_state: np.random.RandomState) -> Places:
        # imbalanced-learn's own draw, so that a single replica is what augmenter=random_under is.
        sampler = RandomUnderSampler(sampling_strategy=dict(self.sampling_strategy_), random_state=random_state)
        sampler.fit_resample(np.zeros((len(y), 1)), y)
        kept: Places = sampler.sample_indices_
        return kept

    def _by_hardness(
        self, y: NDArray[Any], hardness: Array, alpha: float, random_state: np.random.RandomState
    ) -> Places:
        kept = []
        for label in np.unique(y):
            rows = np.flatnonzero(y == label)
            if label in self.sampling_strategy_:
                n_kept = int(self.sampling_strategy_[label])
                bins, shares = hardness_shares(hardness[rows], n_kept, alpha, self.k_bins)
                rows = rows[_drawn(bins, shares, n_kept, random_state)]
            kept.append(rows)
        return np.concatenate(kept)

    def _own_class(self, X: Any, y: NDArray[Any], kept: Places) -> Array:
        """Probability of each row's own class, `[n]`, by the stand-in fitted on some of the rows."""
        judge = LogisticRegression() if self.estimator is None else clone(self.estimator)
        classes, columns = np.unique(y, return_inverse=True)
        name = f"augmenter.estimator={type(judge).__name__}"
        remedy = "choose another, e.g. sklearn.linear_model.LogisticRegression"
        try:
            said = np.asarray(judge.fit(X[kept], y[kept]).predict_proba(X), dtype=np.float64)
        except ValueError as error:
            counts = ", ".join(map(str, np.unique(y[kept], return_counts=True)[1].tolist()))
            reason = " ".join(str(error).split()).rstrip(".")
            raise UserError(
                f"{name} failed on an under-sample with {counts} rows of the classes ({reason}); it must tell which "
                f"rows are hard: {remedy}, or lower the imbalance ratio"
            ) from error
        if said.shape != (len(y), len(classes)) or not ((said >= 0) & (said <= 1 + ROUNDING)).all():
            raise UserError(f"{name} must say a probability from 0 to 1 for each row and class, and does not: {remedy}")
        return said[np.arange(len(y)), columns].clip(max=1)


def hardness_shares(hardness: Array, n_kept: int, alpha: float, k_bins: int) -> tuple[Places, Array]:
    """Cut rows into bins of equal width over the range of their hardness; how many each bin contributes.

    Parameters
    ----------
    hardness
        `[n]`, from 0 to 1. Where all are equal, all rows are in one bin, and so drawn at random.
    n_kept
        Rows to be kept, at most `n`.
    alpha
        The self-paced factor, above 0.
    k_bins
        How many bins; an empty one contributes nothing.

    Returns
    -------
    bins : ndarray
        int64 `[n]`: the bin of each row.
    shares : ndarray
        float64 `[k_bins]`, not rounded: proportional to 1 / (mean hardness + alpha), but at most the bin's rows. They
        add up to `n_kept`.
    """
    width = np.ptp(hardness)
    scaled = (hardness - hardness.min()) / (width or 1.0)
    bins = np.minimum((scaled * k_bins).astype(np.int64), k_bins - 1)
    rows = np.bincount(bins, minlength=k_bins)
    means = np.bincount(bins, hardness, k_bins) / np.maximum(rows, 1)
    weights = np.where(rows > 0, 1 / (means + alpha), 0.0)
    shares = np.zeros(k_bins)
    has_room = rows > 0
    while has_room.any():
        rest = n_kept - rows[~has_room].sum()
        shares[has_room] = rest * weights[has_room] / weights[has_room].sum()
        exhausted = has_room & (shares > rows)
        if not exhausted.any():
            break
        shares[exhausted] = rows[exhausted]
        has_room &= ~exhausted
    return bins, shares


def _drawn(bins: Places, shares: Array, n_kept: int, random_state: np.random.RandomState) -> Places:
    """Draw from each bin its share, rounded, without replacement; places `[n_kept]`."""
    numbers = rounded_at_random(shares, n_kept, random_state)
    drawn = [
        random_state.choice(np.flatnonzero(bins == place), numbers[place], replace=False)
        for place in np.flatnonzero(numbers)
    ]
    return np.concatenate(drawn)


def rounded_at_random(shares: Array, total: int, random_state: np.random.RandomState) -> Places:
    """Round each share up or down so that they add up to `total` and each is kept in expectation.

    By systematic sampling: the fractions are laid end to end, and those that a comb of distance 1 meets are rounded up.
    Any fixed rule (the largest fractions, say) would always favour the same bins where few rows are shared out.

    Parameters
    ----------
    shares
        `[k]`, not negative.
    total
        Their sum.
    """
    # What is a whole number but for rounding must not be rounded further.
    whole = np.floor(shares + 1e-9)
    fractions = np.maximum(shares - whole, 0)
    n_up = total - int(whole.sum())
    comb = random_state.uniform() + np.arange(n_up)
    ends = np.cumsum(fractions)
    comb = np.minimum(comb, np.nextafter(ends[-1], 0))
    numbers: Places = whole.astype(np.int64)
    np.add.at(numbers, np.searchsorted(ends, comb, side="right"), 1)
    return numbers
