"""The contract with a sampler: it is asked for a share of the gap to balance, and held to it."""

import copy
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from imblearn import FunctionSampler
from numpy.typing import NDArray
from tqdm.auto import tqdm

from synaug.augmenter.balance import Balance
from synaug.augmenter.brought import brings_texts
from synaug.augmenter.fallback import fall_back
from synaug.augmenter.resample import resample, resample_all, resample_replicas
from synaug.augmenter.returned import Resampled, cleans, no_parents
from synaug.augmenter.rows import FloatRows, Labels, SyntheticRows, ToAugment, TrainingRows
from synaug.augmenter.samplers import REFUSALS, fresh, overruled, sampling_type
from synaug.augmenter.shortfall import falls_short
from synaug.augmenter.too_few_rows import is_shortage, too_few_rows
from synaug.dataset import LabelledTexts
from synaug.errors import UserError
from synaug.settings import written

log = logging.getLogger(__name__)

# At most so many bytes of training rows are copied at a time, for a sampler that learns from many sets at once.
COPIED_BYTES = 1 << 28
# Seconds before a single training set gets a progress bar of its own.
BAR_DELAY = 2.0


@dataclass(frozen=True)
class Augmented:
    """A training set after its sampler.

    Attributes
    ----------
    given
        The training rows.
    kept
        int64 `[n_kept]`: which of them remain (all, but for samplers that clean).
    synthetic, labels
        The rows added, and their labels, int64 `[s]`.
    parents
        `[s, 2]`: the given rows each was made of, -1 where the sampler does not tell
        (`synaug.augmenter.segment_parents` finds out).
    balance
        One entry for each class.
    diagnostics
        What the sampler tells of itself (its attribute ``diagnostics_``).
    """

    given: TrainingRows
    kept: Labels
    synthetic: SyntheticRows
    labels: Labels
    parents: Labels | NDArray[np.int32]
    balance: list[Balance]
    diagnostics: list[dict[str, Any]] = field(default_factory=list)

    @property
    def synthetic_embeddings(self) -> FloatRows:
        """The rows added, float32 `[s, d]`; computed anew each time they are asked for."""
        return self.synthetic.values(self.given)


class Augmenter:
    """A sampler of imbalanced-learn's kind, asked for a share of the gap to balance, and held to it.

    Parameters
    ----------
    sampler
        Anything with imbalanced-learn's ``fit_resample(X, y)`` that can be cloned or copied. If it has a
        parameter (or, without ``get_params``, an attribute) ``sampling_strategy`` it is told how many rows
        each class shall have, and if it or an estimator in it has ``random_state``, a ``RandomState``; others
        decide for themselves. The global generators of numpy, Python and torch are seeded for it, too.
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
        if isinstance(sampler, type) or not callable(getattr(sampler, "fit_resample", None)):
            raise UserError(
                f"{getattr(sampler, '__name__', type(sampler).__name__)} is no sampler: it needs imbalanced-learn's "
                "fit_resample(X, y): derive it from imblearn.over_sampling.base.BaseOverSampler"
            )
        if not 0 <= amount < np.inf:
            raise UserError(f"augmenter.amount={amount} must be 0 or more (1 balances the classes)")
        for path, strategy in overruled(sampler, "sampling_strategy"):
            raise UserError(
                f"augmenter.{path}={strategy} would be overruled by augmenter.amount={amount}, "
                "which says how many rows every class gets: leave it out"
            )
        try:
            fresh(sampler)
        except REFUSALS as error:
            raise UserError(
                f"{type(sampler).__name__} can be neither cloned nor copied ({type(error).__name__}: {_line(error)}), "
                "but each training set needs one of its own: let its constructor store its arguments as they are, "
                "and nothing else"
            ) from error
        self.sampler = sampler
        self.amount = amount
        self.strict = strict

    @classmethod
    def of_amounts(cls, sampler: Any, amounts: Sequence[float], strict: bool = False) -> list["Augmenter"]:
        """One augmenter for each amount that there is to choose from, ascending.

        A sampler that removes rows removes the whole surplus at 1, so larger amounts are none of their own; and
        imbalanced-learn's identity has nothing to choose.

        Raises
        ------
        UserError
            As the constructor does; and if there are several amounts, and the sampler decides by itself how many rows
            it makes.
        """
        all_of_them = [cls(sampler, amount, strict) for amount in amounts]
        kind = sampling_type(sampler)
        if len(amounts) == 1:
            return all_of_them
        if isinstance(sampler, FunctionSampler) and sampler.func is None:
            return [cls(sampler, 0, strict)]
        if kind == "under-sampling":
            return [cls(sampler, amount, strict) for amount in sorted({min(amount, 1) for amount in amounts})]
        if kind != "over-sampling":
            raise UserError(
                f"augmenter.amount={written(list(amounts))} is to be chosen, but {all_of_them[0].name} decides by "
                "itself how many rows it adds or removes: use augmenter.amount=1, or another augmenter"
            )
        return all_of_them

    @property
    def name(self) -> str:
        """The sampler's class."""
        return type(self.sampler).__name__

    @property
    def brings_texts(self) -> bool:
        """Whether its rows are texts of its own (`synaug.augmenter.brought.BringsTexts`)."""
        return brings_texts(self.sampler) and self.amount > 0

    @property
    def texts(self) -> Sequence[str]:
        """Texts of its own, which are to be embedded (after `matched`); most augmenters have none."""
        return self.sampler.texts if self.brings_texts else ()

    def matched(self, dataset: LabelledTexts) -> "Augmenter":
        """The same for a data set; raises a UserError if its own texts, where it has some, are of no use for that."""
        return self._with(self.sampler.matched(dataset)) if self.brings_texts else self

    def embedded(self, own: FloatRows, of_data_set: FloatRows) -> "Augmenter":
        """The same with the vectors of its own texts, `[w, d]`, and of the data set's, `[n, d]`."""
        return self._with(self.sampler.embedded(own, of_data_set)) if self.brings_texts else self

    def with_amount(self, amount: float) -> "Augmenter":
        """The same with another amount."""
        other = copy.copy(self)
        other.amount = amount
        return other

    def _with(self, sampler: Any) -> "Augmenter":
        other = copy.copy(self)
        other.sampler = sampler
        return other

    def augment_all(self, sets: Sequence[ToAugment], class_names: Sequence[str] | None = None) -> Iterator[Augmented]:
        """Resample training sets, each as if alone.

        A sampler that can learn for many sets at once (``fit_resample_all``) is handed as many as fit into
        `COPIED_BYTES`; one whose draws of a training set build on each other (``fit_resample_replicas``), all replicas
        of one set.

        Parameters
        ----------
        sets
            What to resample, and with which draws.
        class_names
            Named in messages, instead of labels.

        Raises
        ------
        UserError
            If `strict` and the sampler falls short, or if it leaves a class without rows.
        UserError
            If the sampler breaks imbalanced-learn's contract, or returns the given rows in another space.
        Exception
            Whatever the sampler raises that is no shortage of rows (`synaug.augmenter.too_few_rows`).
        """
        for path, seed in overruled(self.sampler, "random_state"):
            log.warning("augmenter.%s=%s is overruled: every draw follows from seeds", path, seed)
        for group in self._groups(sets):
            for task, attempt in zip(group, self._attempts(group), strict=True):
                yield self._augment(task, attempt, class_names)

    @property
    def _chains(self) -> bool:
        """Whether a replica's draw builds on those before it."""
        return hasattr(self.sampler, "fit_resample_replicas")

    def _groups(self, sets: Sequence[ToAugment]) -> Iterator[list[ToAugment]]:
        group: list[ToAugment] = []
        for task in sets:
            if self._chains:
                if task.replica not in (0, len(group)):
                    raise ValueError(
                        f"replica {task.replica}{_in(task)} must follow those before it: it builds on them"
                    )
                is_apart = task.replica == 0
            else:
                size = 4 * task.rows.width * (len(task.rows) + sum(len(earlier.rows) for earlier in group))
                is_apart = size > COPIED_BYTES
            if group and is_apart:
                yield group
                group = []
            group.append(task)
        if group:
            yield group

    def _attempts(self, group: Sequence[ToAugment]) -> Sequence[Resampled | ValueError | None]:
        """What a sampler makes of sets that it is handed together; None for each where it is handed them singly."""
        asked = [self._asked(np.bincount(task.rows.y)) for task in group]
        targets = [_targets(np.bincount(task.rows.y), changes) for task, changes in zip(group, asked, strict=True)]
        rows, draws = [task.rows for task in group], [task.random_state for task in group]
        if all(targets):
            if self._chains:
                return resample_replicas(self.sampler, rows[0], targets[0], draws)
            if hasattr(self.sampler, "fit_resample_all"):
                return resample_all(self.sampler, rows, targets, draws)
        return [None] * len(group)

    def _augment(
        self, task: ToAugment, attempt: Resampled | ValueError | None, class_names: Sequence[str] | None
    ) -> Augmented:
        rows, counts = task.rows, np.bincount(task.rows.y)
        names = [f"class {name}" for name in (range(len(counts)) if class_names is None else map(repr, class_names))]
        where = _in(task)
        asked = self._asked(counts)
        if asked is not None and not asked.any():
            nothing = Resampled(np.arange(len(rows)), SyntheticRows.none(rows.width), rows.y[:0], no_parents(0))
            return self._accounted(rows, nothing, asked, {}, names, where)
        if asked is not None and self.brings_texts:
            return self._drawn(task, asked, names, where)
        if asked is not None and (asked > 0).any():
            return self._fill(task, attempt, asked, names, where)
        try:
            if isinstance(attempt, ValueError):
                raise attempt
            result = attempt or resample(self.sampler, rows, _targets(counts, asked) or None, task.random_state)
        except (ValueError, RuntimeError) as error:
            smallest = int(counts.argmin())
            if isinstance(error, UserError) or not is_shortage(self.sampler, error, {smallest: int(counts[smallest])}):
                raise
            raise UserError(
                f"{self.name} cannot work with the {_rows(counts[smallest])} of {names[smallest]}{where} "
                f"({_line(error).rstrip('.')}): lower its number of neighbours or the imbalance ratio"
            ) from error
        return self._accounted(rows, result, asked, {}, names, where)

    def _drawn(self, task: ToAugment, asked: Labels, names: Sequence[str], where: str) -> Augmented:
        """What a sampler has that brings its rows: where it has too few, nothing is made in their place."""
        drawn = self.sampler.draw(task, {label: int(asked[label]) for label in np.flatnonzero(asked).tolist()})
        made = np.bincount(drawn.labels, minlength=len(asked))
        filled = {}
        for label, why in drawn.lacking.items():
            reason = f"{self.name} has {made[label]} of {_rows(asked[label])} for {names[label]}{where}: {why}"
            if self.strict:
                raise UserError(f"{reason}; lower augmenter.amount or set augmenter.strict=false")
            filled[label] = (0, reason)
        synthetic = SyntheticRows.made(drawn.embeddings)
        kept = np.arange(len(task.rows))
        result = Resampled(kept, synthetic, drawn.labels, drawn.parents.astype(np.int32), drawn.diagnostics)
        return self._accounted(task.rows, result, asked, filled, names, where)

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
        task: ToAugment,
        attempt: Resampled | ValueError | None,
        asked: Labels,
        names: Sequence[str],
        where: str,
    ) -> Augmented:
        given, random_state = task.rows, task.random_state
        counts = np.bincount(given.y)
        errors: dict[int, str] = {}
        wanted = np.flatnonzero(asked).tolist()
        try:
            if isinstance(attempt, ValueError):
                raise attempt
            result = attempt or resample(self.sampler, given, _targets(counts, asked), random_state)
        except (ValueError, RuntimeError) as error:
            if not is_shortage(self.sampler, error, {label: int(counts[label]) for label in wanted}):
                raise
            result = self._class_by_class(given, asked, random_state, errors, names, where)
        # Rows that the sampler cleaned away are not replaced.
        cleaned = cleans(self.sampler) or len(result.kept) < len(given)
        result, returned = _with_a_real_row(given, result, wanted)
        added = result.change(given.y)
        filled: dict[int, tuple[int, str]] = {
            label: (
                0,
                f"{self.name} removed every real row of {names[label]}{where} ({_rows(counts[label])}), "
                "and what it removed was put back",
            )
            for label in returned
        }
        rows, labels, parents = [result.synthetic], [result.labels], [result.parents]
        for label in wanted:
            if not falls_short(int(added[label]), int(asked[label])) or (cleaned and label not in errors):
                continue
            missing = int(asked[label] - added[label])
            needed = too_few_rows(self.sampler, int(counts[label]))
            why = f" ({errors[label]})" if label in errors else ""
            reason = (
                f"{names[label]} has {_rows(counts[label])}{where}; {needed}"
                if needed
                else f"{self.name} made {added[label]} of {_rows(asked[label])} for {names[label]}{where}{why}"
            )
            if self.strict:
                raise UserError(reason if needed else f"{reason}: choose another augmenter or augmenter.strict=false")
            how, new = fall_back(self.sampler, given, label, missing, random_state)
            rows.append(new)
            labels.append(np.full(len(new), label))
            parents.append(new.between)
            filled[label] = (len(new), f"{reason}; {how} made {len(new)} in its place")
        if len(rows) > 1:  # else as it is: copies would stay in memory, where ends of interpolations are parents, too
            synthetic, lineage = SyntheticRows.joined(rows), np.concatenate(parents).astype(np.int32)
            result = Resampled(result.kept, synthetic, np.concatenate(labels), lineage, result.diagnostics)
        return self._accounted(given, result, asked, filled, names, where)

    def _class_by_class(
        self,
        given: TrainingRows,
        asked: Labels,
        random_state: np.random.RandomState,
        errors: dict[int, str],
        names: Sequence[str],
        where: str,
    ) -> Resampled:
        """Resample one class at a time; the errors of classes that the sampler refuses go into `errors`."""
        y = given.y
        counts = np.bincount(y)
        targets = _targets(counts, asked)
        results: dict[int, Resampled] = {}
        bar = tqdm(
            targets.items(), f"{self.name}{where}, by class", unit="class", leave=False, delay=BAR_DELAY, disable=None
        )
        for label, target in bar:
            try:
                results[label] = resample(self.sampler, given, {label: target}, random_state)
            except (ValueError, RuntimeError) as error:
                if not is_shortage(self.sampler, error, {label: int(counts[label])}):
                    raise
                log.debug("%s stopped at %s%s: %s", self.name, names[label], where, _line(error))
                kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
                errors[label] = f"{kind}{_line(error).rstrip('.')}"
        return Resampled(
            _kept_by_all(y, asked, results),
            SyntheticRows.joined([SyntheticRows.none(given.width), *(result.synthetic for result in results.values())]),
            np.concatenate([y[:0], *(result.labels for result in results.values())]),
            np.concatenate([no_parents(0), *(result.parents for result in results.values())]),
            [row for result in results.values() for row in result.diagnostics],
        )

    def _accounted(
        self,
        given: TrainingRows,
        result: Resampled,
        asked: Labels | None,
        filled: Mapping[int, tuple[int, str]],
        names: Sequence[str],
        where: str,
    ) -> Augmented:
        counts, changes = np.bincount(given.y), result.change(given.y)
        kept = np.bincount(given.y[result.kept], minlength=len(counts))
        new = np.bincount(result.labels[~result.synthetic.copies(given)], minlength=len(counts))
        balance = []
        for label, (real, remaining, change) in enumerate(
            zip(counts.tolist(), kept.tolist(), changes.tolist(), strict=True)
        ):
            wanted = None if asked is None else int(asked[label])
            if real + change < 1:
                raise UserError(
                    f"{self.name} removed every row of {names[label]}{where} ({_rows(real)}); training needs one at "
                    "least: choose another augmenter or lower the imbalance ratio"
                )
            by_fallback, reason = filled.get(label, (0, None))
            if wanted is None and self.amount != 1:
                reason = f"{self.name} decides by itself; augmenter.amount={self.amount} has no effect on it"
            elif wanted is not None and change != wanted and reason is None:
                reason = f"{self.name} decided on {change:+d} rows where {wanted:+d} were asked for"
            balance.append(Balance(label, real, remaining, wanted, change, int(new[label]), by_fallback, reason))
        return Augmented(
            given, result.kept, result.synthetic, result.labels, result.parents, balance, result.diagnostics
        )


def _targets(counts: Labels, asked: Labels | None) -> dict[int, int]:
    """Rows that each class to be changed shall have in the end."""
    if asked is None:
        return {}
    return {label: int(counts[label] + asked[label]) for label in np.flatnonzero(asked).tolist()}


def _with_a_real_row(given: TrainingRows, result: Resampled, labels: Sequence[int]) -> tuple[Resampled, list[int]]:
    """Put a class's real rows back where none is left of them; which classes these are."""
    y = given.y
    kept = np.bincount(y[result.kept], minlength=int(y.max()) + 1)
    emptied = [label for label in labels if kept[label] == 0]
    if not emptied:
        return result, []
    return replace(result, kept=np.concatenate([result.kept, np.flatnonzero(np.isin(y, emptied))])), emptied


def _kept_by_all(y: Labels, asked: Labels, results: Mapping[int, Resampled]) -> Labels:
    """Which given rows remain when a sampler was called once for each class.

    Only the call that filled a class may remove rows of that class: in the other calls it was still small, and a
    cleaner takes the rows of a small class for noise. A class that could not be filled keeps all of its rows.
    """
    remains = np.ones(len(y), dtype=bool)
    for label, result in results.items():
        if len(result.kept) < len(y):
            is_judged = (y == label) | (asked[y] == 0)
            remains &= ~is_judged | np.isin(np.arange(len(y)), result.kept)
    return np.flatnonzero(remains)


def _in(task: ToAugment) -> str:
    return f" in {task.where}" if task.where else ""


def _rows(n: int) -> str:
    return f"{n} row" if n == 1 else f"{n} rows"


def _line(error: BaseException) -> str:
    """What an error says, on one line."""
    return " ".join(str(error).split())
