"""What samplers that train models have in common: models of many training sets learn at once, each as if alone."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.utils import check_target_type
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import check_X_y
from sklearn.utils.multiclass import check_classification_targets

from synaug.errors import TooFewRowsError


class Made(NamedTuple):
    """What a model made of one class.

    Attributes
    ----------
    rows
        `[wanted, d]`.
    parents
        The given rows that they were sampled around, `[wanted]`; empty where there are none.
    diagnostics
        What a reader should know of it.
    """

    rows: NDArray[np.float64]
    parents: NDArray[np.int64]
    diagnostics: dict[str, Any]


class LearnedSampler(BaseOverSampler):  # type: ignore[misc]
    """An over-sampler whose models train side by side with those of other training sets.

    What it learns from a set is a list of models, made by `_untrained`, trained by `_train`, and asked by `_made`.
    """

    @classmethod
    def fit_resample_all(
        cls, samplers: Sequence["LearnedSampler"], sets: Sequence[tuple[Any, Any]]
    ) -> list[tuple[Any, Any] | ValueError]:
        """Resample many sets at once: the models of all of them train together, each as if alone.

        Parameters
        ----------
        samplers
            One for each set; ``diagnostics_`` and ``parents_`` are set as by its own ``fit_resample``.
        sets
            `(X, y)` each, as for ``fit_resample``.

        Returns
        -------
        list
            For each set what ``fit_resample`` returns, or the ValueError that it raises.
        """
        prepared: list[list[Any] | ValueError] = []
        for sampler, (X, y) in zip(samplers, sets, strict=True):
            try:
                prepared.append(sampler._prepare(X, y))
            except ValueError as error:
                prepared.append(error)
        cls._train([model for models in prepared if not isinstance(models, ValueError) for model in models])
        results: list[tuple[Any, Any] | ValueError] = []
        for sampler, (X, y), models in zip(samplers, sets, prepared, strict=True):
            if isinstance(models, ValueError):
                results.append(models)
                continue
            try:
                results.append(sampler.fit_resample(X, y, trained=models))
            except ValueError as error:
                results.append(error)
        return results

    @abstractmethod
    def _untrained(self, X: Any, y: NDArray[Any]) -> list[Any]:
        """The models to train; raises what ``fit_resample`` is to raise."""

    @staticmethod
    @abstractmethod
    def _train(models: Sequence[Any]) -> None:
        """Train models of any sets, and have them make their rows."""

    @abstractmethod
    def _made(self, y: NDArray[Any], trained: Sequence[Any]) -> Iterator[tuple[Any, Made]]:
        """What was made of each class that is wanted; parents are rows of `X`."""

    @property
    @abstractmethod
    def _has_parents(self) -> bool:
        """Whether each row is sampled around a given one."""

    def _prepare(self, X: Any, y: Any) -> list[Any]:
        """Check as imbalanced-learn's ``fit_resample`` does; the models to train."""
        check_classification_targets(y)
        self.fit(X, y)  # imbalanced-learn's: it checks, and sets sampling_strategy_
        y, _ = check_target_type(y, indicate_one_vs_all=True)
        X, y = check_X_y(X, y, accept_sparse=["csr", "csc"])
        return self._untrained(X, y)

    def _wanted(self) -> dict[Any, int]:
        return {label: int(n) for label, n in self.sampling_strategy_.items() if n > 0}

    def _fit_resample(self, X: Any, y: NDArray[Any], trained: Sequence[Any] | None = None) -> tuple[Any, NDArray[Any]]:
        if trained is None:
            self._train(trained := self._untrained(X, y))
        self.diagnostics_: list[dict[str, Any]] = []
        rows, labels, parents = [], [y], [np.empty(0, np.int64)]
        for label, made in self._made(y, trained):
            rows.append(made.rows.astype(X.dtype if X.dtype.kind == "f" else np.float64))
            labels.append(np.full(len(made.rows), label, dtype=y.dtype))
            parents.append(made.parents)
            self.diagnostics_.append({"class": np.asarray(label).item(), **made.diagnostics})
        self.parents_ = np.concatenate(parents).reshape(-1, 1) if self._has_parents else None
        if sparse.issparse(X):
            return sparse.vstack([X, *rows], format=X.format), np.concatenate(labels)
        return np.vstack([X, *rows]), np.concatenate(labels)


def dense(rows: Any) -> NDArray[Any]:
    """Rows as an array, whatever they were."""
    array: NDArray[Any] = rows.toarray() if sparse.issparse(rows) else rows
    return array


def require_spread(classes: NDArray[Any], model: str) -> None:
    """Refuse rows of which no two are of one class, for a model that learns how rows of a class differ.

    Raises
    ------
    TooFewRowsError
        If there are no two.
    """
    if np.unique(classes, return_counts=True)[1].max() < 2:
        raise TooFewRowsError(
            f"each class has 1 row; the {model} learns how rows of a class differ, so it needs at least 2 rows of one "
            "class: lower the imbalance ratio or use augmenter=random"
        )


def unbiased(counts: NDArray[np.integer]) -> NDArray[np.float64]:
    """Factors for rows' differences from the mean of their class, which would show too small a spread without them.

    Of m rows, the mean of the squared differences is (m - 1) / m of the variance; so the factor is sqrt(m / (m - 1)).

    Parameters
    ----------
    counts
        Rows of each class, `[c]`; one row has no difference that a factor could change.
    """
    counts = np.maximum(counts, 2)
    factors: NDArray[np.float64] = np.sqrt(counts / (counts - 1))
    return factors


def variance_ratio(synthetic: NDArray[Any], real: NDArray[Any]) -> float | None:
    """Variance of synthetic over that of real rows, summed over features; None where either has none to speak of.

    Parameters
    ----------
    synthetic, real
        `[s, d]` and `[n, d]`, in units in which features are comparable.
    """
    of_real = float(real.var(0, dtype=np.float64).sum())
    if len(synthetic) < 2 or of_real <= 0:
        return None
    return float(synthetic.var(0, dtype=np.float64).sum()) / of_real


def norm_ratio(synthetic: NDArray[Any], real: NDArray[Any]) -> float | None:
    """Mean Euclidean norm of synthetic over that of real rows, as they are; None where there are none, or all are 0."""
    of_real = float(np.linalg.norm(real.astype(np.float64), axis=1).mean())
    if not len(synthetic) or of_real == 0:
        return None
    return float(np.linalg.norm(synthetic, axis=1).mean()) / of_real
