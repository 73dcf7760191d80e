"""The balance contract: what was asked of a sampler, what it made, and why fewer."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from imblearn.over_sampling import SMOTE, RandomOverSampler
from numpy.typing import NDArray
from sklearn.base import clone

log = logging.getLogger(__name__)

NEIGHBOUR_PARAMETERS = ("k_neighbors", "n_neighbors")
# ADASYN rounds the rows of each parent, so that it ends a few per cent off what was asked; a
# sampler that misses more than this did not do its work.
TOLERATED_SHORTFALL = 0.1

FloatRows = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Balance:
    """What became of one class: `made` rows (of them `made_by_fallback` by another means) where `asked` were wanted.

    Numbers are negative where a sampler removes rows. `asked` is None where the sampler chooses itself.
    """

    label: int
    real: int
    asked: int | None
    made: int
    made_by_fallback: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class Augmented:
    """A training set after its sampler.

    Attributes
    ----------
    kept
        int64 `[n_kept]`: which of the given rows remain (all, but for samplers that clean).
    synthetic, labels
        float32 `[s, d]` and int64 `[s]`: the rows added.
    balance
        One entry for each class.
    diagnostics
        What the sampler tells of itself (its attribute ``diagnostics_``).
    """

    kept: Labels
    synthetic: FloatRows
    labels: Labels
    balance: list[Balance]
    diagnostics: list[dict[str, Any]] = field(default_factory=list)


class Augmenter:
    """A sampler of imbalanced-learn's kind, asked for a share of the gap to balance, and held to it.

    Parameters
    ----------
    sampler
        Anything with imbalanced-learn's ``fit_resample(X, y)``. If it has a parameter
        ``sampling_strategy`` it is told how many rows each class shall have, and if it has
        ``random_state``, a ``RandomState``; others decide for themselves.
    amount
        Share of the gap to the largest class that is filled: 0 nothing, 1 balance, 2 as much again.
        For samplers that remove rows, the share (at most 1) of the surplus over the smallest class.
    strict
        Raise where the sampler cannot make what it was asked, instead of the stated fallback: fewer
        neighbours, then plain SMOTE, then repetition.
    """

    def __init__(self, sampler: Any, amount: float = 1.0, strict: bool = False) -> None:
        if not hasattr(sampler, "fit_resample") or not hasattr(sampler, "get_params"):
            raise TypeError(
                f"{type(sampler).__name__} is no sampler: it needs imbalanced-learn's fit_resample and get_params"
            )
        if not 0 <= amount < np.inf:
            raise ValueError(f"augmenter.amount={amount} must be 0 or more (1 balances the classes)")
        self.sampler = sampler
        self.amount = amount
        self.strict = strict

    @property
    def name(self) -> str:
        """The sampler's class."""
        return type(self.sampler).__name__

    def augment(self, X: FloatRows, y: Labels, random_state: np.random.RandomState, where: str = "") -> Augmented:
        """Resample a training set.

        Parameters
        ----------
        X, y
            float32 `[n, d]` and int64 `[n]`: training rows alone, every class present.
        random_state
            Drawn from; an int would make imbalanced-learn's SMOTE repeat its draws from class to class.
        where
            Named in messages, e.g. ``"seed 0 fold 2"``.

        Raises
        ------
        ValueError
            If `strict` and the sampler falls short.
        """
        counts = np.bincount(y)
        parameters = self.sampler.get_params(deep=False)
        kind = getattr(self.sampler, "_sampling_type", "over-sampling")
        if "sampling_strategy" not in parameters or kind not in ("over-sampling", "under-sampling"):
            result = self._resample(self.sampler, X, y, None, random_state)
            return self._outcome(X, y, *result, asked=None)
        if kind == "under-sampling":
            surplus = np.rint(min(self.amount, 1) * (counts - counts.min())).astype(np.int64)
            targets = {label: int(counts[label] - surplus[label]) for label in np.flatnonzero(surplus).tolist()}
            result = self._resample(self.sampler, X, y, targets, random_state) if targets else (X, y, self.sampler)
            return self._outcome(X, y, *result, asked=-surplus)
        gap = np.rint(self.amount * (counts.max() - counts)).astype(np.int64)
        return self._fill(X, y, gap, random_state, where)

    def _fill(
        self, X: FloatRows, y: Labels, asked: Labels, random_state: np.random.RandomState, where: str
    ) -> Augmented:
        counts = np.bincount(y)
        wanted = np.flatnonzero(asked).tolist()
        if not wanted:
            return self._outcome(X, y, X, y, self.sampler, asked=asked)
        reasons: dict[int, str] = {}
        try:
            result = self._resample(self.sampler, X, y, {c: int(counts[c] + asked[c]) for c in wanted}, random_state)
            outcome = self._outcome(X, y, *result, asked=asked)
        except (ValueError, RuntimeError) as error:
            if isinstance(
                error, TypeError
            ):  # scikit-learn's InvalidParameterError is both: a wrong setting, no shortfall
                raise
            outcome = self._class_by_class(X, y, asked, random_state, reasons)
        parts, labels, balance = [outcome.synthetic], [outcome.labels], list(outcome.balance)
        for label in wanted:
            made = balance[label].made
            missing = int(asked[label]) - made
            if missing <= TOLERATED_SHORTFALL * asked[label]:
                if missing:
                    reason = f"{self.name} rounds the rows of each parent"
                    balance[label] = Balance(label, int(counts[label]), int(asked[label]), made, 0, reason)
                continue
            reason = self._reason(label, int(counts[label]), made, int(asked[label]), reasons.get(label), where)
            if self.strict:
                raise ValueError(reason)
            how, rows = self._fall_back(X, y, label, missing, random_state)
            parts.append(rows)
            labels.append(np.full(len(rows), label))
            balance[label] = Balance(
                label,
                int(counts[label]),
                int(asked[label]),
                made + len(rows),
                len(rows),
                f"{reason}; {how} made the rest",
            )
        return Augmented(outcome.kept, np.concatenate(parts), np.concatenate(labels), balance, outcome.diagnostics)

    def _class_by_class(
        self, X: FloatRows, y: Labels, asked: Labels, random_state: np.random.RandomState, reasons: dict[int, str]
    ) -> Augmented:
        """Serve the classes that the sampler can serve; what stops it at the others goes into `reasons`."""
        counts = np.bincount(y)
        outcomes = []
        for label in np.flatnonzero(asked).tolist():
            try:
                result = self._resample(self.sampler, X, y, {label: int(counts[label] + asked[label])}, random_state)
            except (ValueError, RuntimeError) as error:
                reasons[label] = " ".join(str(error).split()).rstrip(".")
                continue
            outcomes.append(self._outcome(X, y, *result, asked=asked))
        made = np.zeros_like(asked)
        for outcome in outcomes:
            made += np.bincount(outcome.labels, minlength=len(asked))
        return Augmented(
            np.arange(len(X)),
            np.concatenate([X[:0], *(outcome.synthetic for outcome in outcomes)]),
            np.concatenate([y[:0], *(outcome.labels for outcome in outcomes)]),
            [Balance(c, int(counts[c]), int(asked[c]), int(made[c])) for c in range(len(asked))],
            [row for outcome in outcomes for row in outcome.diagnostics],
        )

    def _reason(self, label: int, rows: int, made: int, asked: int, error: str | None, where: str) -> str:
        place = f" in {where}" if where else ""
        for parameter, k in _neighbours(self.sampler):
            if rows < k + 1:
                return (
                    f"class {label} has {rows} rows{place}; {self.name} needs {parameter} + 1 = {k + 1}: "
                    f"lower augmenter.{parameter} or the imbalance ratio"
                )
        why = f" ({error})" if error else ""
        return f"{self.name} made {made} of {asked} rows for class {label}{place}{why}"

    def _fall_back(
        self, X: FloatRows, y: Labels, label: int, missing: int, random_state: np.random.RandomState
    ) -> tuple[str, FloatRows]:
        rows = int((y == label).sum())
        for how, sampler in _fallbacks(self.sampler, rows):
            try:
                resampled, _, _ = self._resample(sampler, X, y, {label: rows + missing}, random_state)
            except (ValueError, RuntimeError):
                continue
            new = resampled[len(X) :]
            if len(new) >= (1 - TOLERATED_SHORTFALL) * missing:
                return how, new
        raise AssertionError("repetition always succeeds")

    @staticmethod
    def _resample(
        sampler: Any, X: FloatRows, y: Labels, targets: dict[int, int] | None, random_state: np.random.RandomState
    ) -> tuple[FloatRows, Labels, Any]:
        sampler = clone(sampler)
        if targets is not None:
            sampler.set_params(sampling_strategy=targets)
        if "random_state" in sampler.get_params(deep=False):
            sampler.set_params(random_state=random_state)
        with warnings.catch_warnings():
            # An amount over 1 asks for more rows than the majority has, on purpose.
            warnings.filterwarnings("ignore", message="After over-sampling", category=UserWarning)
            resampled, labels = sampler.fit_resample(X, y)
        return np.asarray(resampled, dtype=np.float32), np.asarray(labels, dtype=np.int64), sampler

    @staticmethod
    def _outcome(
        X: FloatRows, y: Labels, resampled: FloatRows, labels: Labels, sampler: Any, asked: Labels | None
    ) -> Augmented:
        if len(resampled) >= len(X) and np.array_equal(resampled[: len(X)], X):
            kept, new = np.arange(len(X)), np.arange(len(X), len(resampled))
        else:
            kept, new = _matched(X, y, resampled, labels)
        counts = np.bincount(y)
        made = np.bincount(labels, minlength=len(counts)) - counts
        balance = [
            Balance(c, int(counts[c]), None if asked is None else int(asked[c]), int(made[c]))
            for c in range(len(counts))
        ]
        return Augmented(kept, resampled[new], labels[new], balance, list(getattr(sampler, "diagnostics_", [])))


def _matched(X: FloatRows, y: Labels, resampled: FloatRows, labels: Labels) -> tuple[Labels, Labels]:
    """Tell kept rows from new ones where a sampler also removed some: a kept row is the same to the bit."""
    free: dict[tuple[bytes, int], list[int]] = {}
    for row in range(len(X) - 1, -1, -1):
        free.setdefault((X[row].tobytes(), int(y[row])), []).append(row)
    kept, new = [], []
    for row in range(len(resampled)):
        places = free.get((resampled[row].tobytes(), int(labels[row])))
        if places:
            kept.append(places.pop())
        else:
            new.append(row)
    return np.array(kept, dtype=np.int64), np.array(new, dtype=np.int64)


def _neighbours(sampler: Any) -> Iterator[tuple[str, int]]:
    """Neighbour parameters and their `k`, not counting the point itself."""
    parameters = sampler.get_params(deep=False)
    for name in NEIGHBOUR_PARAMETERS:
        value = parameters.get(name)
        if isinstance(value, int):
            yield name, value
        elif hasattr(value, "n_neighbors"):
            yield name, value.n_neighbors - 1  # a neighbours object counts the point itself


def _fallbacks(sampler: Any, rows: int) -> Iterator[tuple[str, Any]]:
    """What to try instead, in order, for a class of so many rows."""
    if rows >= 2:
        for name, k in _neighbours(sampler):
            if rows < k + 1:
                fewer = clone(sampler)
                value = fewer.get_params(deep=False)[name]
                fewer.set_params(**{name: rows - 1 if isinstance(value, int) else value.set_params(n_neighbors=rows)})
                yield f"{type(sampler).__name__} with {name}={rows - 1}", fewer
        k = min(5, rows - 1)
        yield f"SMOTE with k_neighbors={k}", SMOTE(k_neighbors=k)
    yield "repetition", RandomOverSampler()


def warn_of_fallbacks(balances: Sequence[list[Balance]], class_names: Sequence[str]) -> list[str]:
    """Say once what a whole run's members fell back on.

    Returns
    -------
    list of str
        The sentences, also logged as warnings.
    """
    sentences = []
    for label, name in enumerate(class_names):
        cases = [entry for balance in balances for entry in balance if entry.label == label and entry.made_by_fallback]
        if cases:
            sentences.append(
                f"class {name!r}: a fallback made {sum(case.made_by_fallback for case in cases)} of "
                f"{sum(case.asked or 0 for case in cases)} rows in {len(cases)} of {len(balances)} members, "
                f"e.g. {cases[0].reason}"
            )
    for sentence in sentences:
        log.warning(sentence)
    return sentences
