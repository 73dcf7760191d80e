"""The balance contract: what was asked of a sampler, what it made, and why fewer."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
from imblearn.combine import SMOTEENN, SMOTETomek

from synaug.augmenter.fallback import TOLERATED_SHORTFALL, fall_back, too_few_rows
from synaug.augmenter.resample import FloatRows, Labels, Resampled, no_parents, resample, sampling_type

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Balance:
    """What became of one class: `made` rows (of them `made_by_fallback` by another means) where `asked` were wanted.

    Numbers are negative where a sampler removes rows. `asked` is None where the sampler chooses
    itself. Where `made` is not `asked`, or a fallback made them, `reason` says why.
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
    parents
        int64 `[s, 2]`: the given rows each was made of, -1 where the sampler does not tell (those of
        the SMOTE family do not; `synaug.augmenter.segment_parents` finds out).
    balance
        One entry for each class.
    diagnostics
        What the sampler tells of itself (its attribute ``diagnostics_``).
    """

    kept: Labels
    synthetic: FloatRows
    labels: Labels
    parents: Labels
    balance: list[Balance]
    diagnostics: list[dict[str, Any]] = field(default_factory=list)


class Augmenter:
    """A sampler of imbalanced-learn's kind, asked for a share of the gap to balance, and held to it.

    Parameters
    ----------
    sampler
        Anything with imbalanced-learn's ``fit_resample(X, y)``. If it has a parameter
        ``sampling_strategy`` it is told how many rows each class shall have, and if it or an
        estimator in it has ``random_state``, a ``RandomState``; others decide for themselves.
    amount
        Share of the gap to the largest class that is filled: 0 nothing, 1 balance, 2 as much again.
        For samplers that remove rows, the share (at most 1) of the surplus over the smallest class.
        Samplers that clean (``clean-sampling`` in imbalanced-learn's words) or are functions know
        nothing of amounts, but for 0.
    strict
        Raise where the sampler cannot make what it was asked, instead of the stated fallback: fewer
        neighbours, then plain SMOTE, then repetition.
    """

    def __init__(self, sampler: Any, amount: float = 1.0, strict: bool = False) -> None:
        if not hasattr(sampler, "fit_resample") or not hasattr(sampler, "get_params"):
            raise TypeError(
                f"{type(sampler).__name__} is no sampler: it needs imbalanced-learn's fit_resample and get_params: "
                "derive it from imblearn.over_sampling.base.BaseOverSampler"
            )
        if not 0 <= amount < np.inf:
            raise ValueError(f"augmenter.amount={amount} must be 0 or more (1 balances the classes)")
        strategy = sampler.get_params(deep=False).get("sampling_strategy")
        if strategy not in (None, "auto") and sampling_type(sampler) != "clean-sampling":
            raise ValueError(
                f"augmenter.sampling_strategy={strategy} would be overruled by augmenter.amount={amount}, "
                "which says how many rows every class gets: leave it out"
            )
        self.sampler = sampler
        self.amount = amount
        self.strict = strict

    @property
    def name(self) -> str:
        """The sampler's class."""
        return type(self.sampler).__name__

    def augment(
        self,
        X: FloatRows,
        y: Labels,
        random_state: np.random.RandomState,
        where: str = "",
        class_names: Sequence[str] | None = None,
    ) -> Augmented:
        """Resample a training set.

        Parameters
        ----------
        X, y
            float32 `[n, d]` and int64 `[n]`: training rows alone, every class present.
        random_state
            Drawn from; an int would make imbalanced-learn's SMOTE repeat its draws from class to class.
        where
            Named in messages, e.g. ``"seed 0 fold 2"``.
        class_names
            Named in messages, instead of labels.

        Raises
        ------
        ValueError
            If `strict` and the sampler falls short, or if it leaves a class without rows.
        TypeError
            If the sampler breaks imbalanced-learn's contract or (scikit-learn's
            InvalidParameterError) rejects a parameter.
        """
        counts = np.bincount(y)
        names = [f"class {each}" for each in (range(len(counts)) if class_names is None else map(repr, class_names))]
        where = f" in {where}" if where else ""
        asked = self._asked(counts)
        if asked is not None and not asked.any():
            return self._accounted(
                y, Resampled(np.arange(len(y)), X[:0], y[:0], no_parents(0)), asked, {}, names, where
            )
        if asked is not None and (asked > 0).any():
            return self._fill(X, y, asked, random_state, names, where)
        result = resample(self.sampler, X, y, None if asked is None else _targets(counts, asked), random_state)
        return self._accounted(y, result, asked, {}, names, where)

    def _asked(self, counts: Labels) -> Labels | None:
        kind = sampling_type(self.sampler)
        if self.amount == 0:
            change = np.zeros(len(counts))
        elif kind == "over-sampling":
            change = self.amount * (counts.max() - counts)
        elif kind == "under-sampling":
            change = min(self.amount, 1) * (counts.min() - counts)
        else:
            return None
        asked: Labels = np.rint(change).astype(np.int64)
        return asked

    def _fill(
        self,
        X: FloatRows,
        y: Labels,
        asked: Labels,
        random_state: np.random.RandomState,
        names: Sequence[str],
        where: str,
    ) -> Augmented:
        counts = np.bincount(y)
        errors: dict[int, str] = {}
        try:
            result = resample(self.sampler, X, y, _targets(counts, asked), random_state)
        except (ValueError, RuntimeError) as error:
            if isinstance(error, TypeError):
                raise  # scikit-learn's InvalidParameterError is both: a wrong setting, no shortage of rows
            result = self._class_by_class(X, y, asked, random_state, errors)
        made = result.change(y)
        # What was cleaned away is not filled up again.
        cleans = isinstance(self.sampler, SMOTEENN | SMOTETomek) or len(result.kept) < len(X)
        filled: dict[int, tuple[int, str]] = {}
        rows, labels = [result.synthetic], [result.labels]
        for label in np.flatnonzero(asked).tolist():
            missing = int(asked[label] - made[label])
            if missing <= TOLERATED_SHORTFALL * asked[label] or (cleans and label not in errors):
                continue
            needed = too_few_rows(self.sampler, int(counts[label]))
            why = f" ({errors[label]})" if label in errors else ""
            reason = (
                f"{names[label]} has {counts[label]} rows{where}; {needed}"
                if needed
                else f"{self.name} made {made[label]} of {asked[label]} rows for {names[label]}{where}{why}"
            )
            if self.strict:
                raise ValueError(reason if needed else f"{reason}: choose another augmenter or augmenter.strict=false")
            how, new = fall_back(self.sampler, X, y, label, missing, random_state)
            rows.append(new)
            labels.append(np.full(len(new), label))
            filled[label] = (len(new), f"{reason}; {how} made the rest")
        added = sum(map(len, rows[1:]))
        parents = np.concatenate([result.parents, no_parents(added)])
        result = Resampled(result.kept, np.concatenate(rows), np.concatenate(labels), parents, result.diagnostics)
        return self._accounted(y, result, asked, filled, names, where)

    def _class_by_class(
        self,
        X: FloatRows,
        y: Labels,
        asked: Labels,
        random_state: np.random.RandomState,
        errors: dict[int, str],
    ) -> Resampled:
        """Serve the classes that the sampler can serve; what stops it at the others goes into `errors`."""
        targets = _targets(np.bincount(y), asked)
        results = []
        for label, target in targets.items():
            try:
                results.append(resample(self.sampler, X, y, {label: target}, random_state))
            except (ValueError, RuntimeError) as error:
                log.debug("%s stopped at class %d", self.name, label, exc_info=True)
                errors[label] = f"{type(error).__name__}: {' '.join(str(error).split()).rstrip('.')}"
        return Resampled(
            reduce(np.intersect1d, (each.kept for each in results), np.arange(len(X))),
            np.concatenate([X[:0], *(each.synthetic for each in results)]),
            np.concatenate([y[:0], *(each.labels for each in results)]),
            np.concatenate([no_parents(0), *(each.parents for each in results)]),
            [row for each in results for row in each.diagnostics],
        )

    def _accounted(
        self,
        y: Labels,
        result: Resampled,
        asked: Labels | None,
        filled: Mapping[int, tuple[int, str]],
        names: Sequence[str],
        where: str,
    ) -> Augmented:
        counts, made = np.bincount(y), result.change(y)
        balance = []
        for label, (real, change) in enumerate(zip(counts.tolist(), made.tolist(), strict=True)):
            wanted = None if asked is None else int(asked[label])
            if real + change < 1:
                raise ValueError(
                    f"{self.name} removed all {real} rows of {names[label]}{where}; training needs one at least: "
                    "choose another augmenter or lower the imbalance ratio"
                )
            by_fallback, reason = filled.get(label, (0, None))
            if wanted is None and self.amount != 1:
                reason = f"{self.name} decides by itself; augmenter.amount={self.amount} says nothing to it"
            elif wanted is not None and change != wanted and reason is None:
                reason = f"{self.name} decided on {change:+d} rows where {wanted:+d} were asked for"
            balance.append(Balance(label, real, wanted, change, by_fallback, reason))
        return Augmented(result.kept, result.synthetic, result.labels, result.parents, balance, result.diagnostics)


def _targets(counts: Labels, asked: Labels) -> dict[int, int]:
    """Rows that each class to be changed shall have in the end."""
    return {label: int(counts[label] + asked[label]) for label in np.flatnonzero(asked).tolist()}


def warn_of_fallbacks(balances: Sequence[Sequence[Balance]], class_names: Sequence[str]) -> list[str]:
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
