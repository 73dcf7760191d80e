"""One scenario in words: its primary question, and all that a page says of it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from synaug.comparison.choices import TAKEN
from synaug.comparison.formatting import Unit, counted, words_for_p
from synaug.comparison.labels import (
    ARGMAX,
    BASELINE,
    BEST_WITH_SYNTHESIS,
    BEST_WITHOUT_SYNTHESIS,
    CHOSEN,
    MOSTLY_BY_FALLBACK,
    REFERENCE_LABELS,
    REFERENCES,
    Method,
    Scenario,
    is_mostly_by_fallback,
    methods_of,
)
from synaug.comparison.significance import BETTER, EQUIVALENT, INCONCLUSIVE, INTERVAL, OUTCOMES, POWER, WORSE
from synaug.comparison.stats import PLANNED, PRIMARY, SECONDARY, gain_range

MOST_NAMED = 8
# Above this part of what is found now, ever so many seeds are called of little help.
MOSTLY_FLOOR = 0.85
THE_BASELINE, THE_BEST = (REFERENCE_LABELS[name] for name in REFERENCES)
REFERENCE_NAMES = {method: name for name, method in REFERENCES.items()}
WITH_IT = "the best method with synthesis"
# Who adds seeds until an outcome appears asks as often as they look, and the level is that of one look.
BEFORE_LOOKING = "decide how many before you look"


@dataclass(frozen=True, eq=False)
class Told:
    """One scenario, and what is to be said of it.

    Attributes
    ----------
    place
        In words.
    rows
        Its comparisons.
    picks
        How often each method was picked, by `best without synthesis` and `best with synthesis`.
    calibration
        Its rows of `synaug.comparison.compare.Comparison.calibration`.
    unit
        How differences are written.
    n_classes
        Of the data.
    """

    place: str
    rows: pd.DataFrame
    picks: Mapping[str, Counter[Method]]
    calibration: pd.DataFrame
    unit: Unit
    n_classes: int

    @cached_property
    def primary(self) -> "pd.Series[Any]":
        """The best with synthesis against the best without."""
        return _rows(self.rows, BEST_WITH_SYNTHESIS, BEST_WITHOUT_SYNTHESIS).iloc[0]

    @property
    def outcome(self) -> str:
        """Of the primary question."""
        return str(self.primary["outcome"])

    def planned(self, method: Method) -> "pd.Series[Any] | None":
        """One of the two best against the baseline, if there is one."""
        rows = _rows(self.rows, method, BASELINE)
        return rows.iloc[0] if len(rows) else None

    def singles(self) -> pd.DataFrame:
        """Each method with synthesis under its chosen rule against the best without, the best first."""
        of_best = self.rows["reference"] == REFERENCE_NAMES[BEST_WITHOUT_SYNTHESIS]
        rows = self.rows[of_best & (self.rows["decision"] == CHOSEN) & (self.rows["family"] == SECONDARY)]
        return rows.sort_values("gain", ascending=False)

    def headline(self) -> str:
        """The answer to the primary question."""
        row, unit, at = self.primary, self.unit, f"On {self.place}"
        if not np.isfinite(row["p_raw"]):
            why = _too_little(int(row["n_splits"]))
            return f"{at}, no test is possible, as {why}: {WITH_IT} differs from the best without by {_by(row, unit)}."
        sure = f"({evidence_of(row, unit)})"
        if self.outcome == BETTER:
            return f"{at}, synthesis helps: {WITH_IT} gains {_size(row, unit)} over the best without {sure}."
        if self.outcome == WORSE:
            return (
                f"{at}, synthesis does worse than what needs none: {WITH_IT} loses {_size(row, unit)} to the best "
                f"without {sure}."
            )
        if self.outcome == EQUIVALENT:
            return (
                f"{at}, synthesis makes no difference that matters: {WITH_IT} and the best without are equivalent in "
                f"{unit.name} ({_by(row, unit)}, {evidence_of(row, unit)})."
            )
        return (
            f"{at}, the evidence is inconclusive: {WITH_IT} differs from the best without by {_by(row, unit)} of "
            f"{unit.name} {sure}."
        )

    def sentences(self) -> Iterator[str]:
        """All that a page says of the scenario."""
        yield self.headline()
        if self.outcome == INCONCLUSIVE and np.isfinite(self.primary["detectable"]):
            yield self.missed()
        without, with_it = map(self.picked, (BEST_WITHOUT_SYNTHESIS, BEST_WITH_SYNTHESIS))
        yield f"Picked most often as the best without synthesis: {without}; as the best with it: {with_it}."
        for method in (BEST_WITHOUT_SYNTHESIS, BEST_WITH_SYNTHESIS):
            row = self.planned(method)
            if row is not None:
                yield f"The {method.label} {effect(row, self.unit, THE_BASELINE)}."
        yield from self._of_singles()
        yield from _of_calibration(self.calibration)

    def _of_singles(self) -> Iterator[str]:
        of_baseline = self.rows["reference"] == REFERENCE_NAMES[BASELINE]
        argmax = self.rows[of_baseline & (self.rows["decision"] == ARGMAX) & self.rows["with_synthesis"].astype(bool)]
        for rows, against in (
            (argmax, f"{THE_BASELINE}, argmax for both"),
            (self.singles(), f"{THE_BEST}, each with its rule chosen"),
        ):
            if len(rows):
                n = int(rows["n_comparisons"].iloc[0])
                together = f"secondary, corrected for {counted(n, 'comparison')}"
                yield f"Each method with synthesis against {against} ({together}): {by_outcome(rows, self.unit)}."

    def picked(self, method: Method) -> str:
        """The method that was picked most often, and how often."""
        counts = self.picks[method.augmenter]
        (name, n), total = counts.most_common(1)[0], sum(counts.values())
        return f"{name.label} ({'the only split' if total == 1 else f'{n} of {total} splits'})"

    def missed(self) -> str:
        """Which difference would have been found, and what would help to find a smaller one."""
        return what_is_found([self.primary], self.unit)


def told_of(
    comparisons: pd.DataFrame,
    choices: pd.DataFrame,
    calibration: pd.DataFrame,
    n_classes: Mapping[Scenario, int],
    several: Sequence[str],
    unit: Unit,
) -> "dict[Scenario, Told]":
    """The scenarios whose primary question can be asked."""
    picks = _picks(choices)
    calibrations = dict(list(calibration.groupby("scenario", sort=False)))
    parts: Mapping[Any, pd.DataFrame] = dict(list(comparisons.groupby("scenario", sort=False)))
    return {
        scenario: Told(
            place_of(scenario, several),
            part,
            picks[scenario],
            calibrations.get(scenario, calibration[:0]),
            unit,
            n_classes[scenario],
        )
        for scenario, part in parts.items()
        if len(_rows(part, BEST_WITH_SYNTHESIS, BEST_WITHOUT_SYNTHESIS))
    }


def _picks(choices: pd.DataFrame) -> dict[Any, dict[str, Counter[Method]]]:
    """By scenario, how often each method was picked as the best without synthesis and with it."""
    picked = choices[choices["augmenter"].isin((BEST_WITHOUT_SYNTHESIS.augmenter, BEST_WITH_SYNTHESIS.augmenter))]
    counts: dict[Any, dict[str, Counter[Method]]] = defaultdict(lambda: defaultdict(Counter))
    rows = zip(*(picked[name].tolist() for name in ("scenario", "augmenter", *TAKEN)), strict=True)
    for scenario, augmenter, *taken in rows:
        counts[scenario][augmenter][Method(*taken)] += 1
    return counts


def _rows(part: pd.DataFrame, method: Method, reference: Method) -> pd.DataFrame:
    return part[(part["reference"] == REFERENCE_NAMES[reference]) & (part["augmenter"] == method.augmenter)]


def place_of(scenario: Scenario, several: Sequence[str]) -> str:
    """A scenario by its data set and ratio, and what else there are several of."""
    ratio = "its natural imbalance" if scenario.is_natural else f"1:{scenario.ratio:g}"
    named = [getattr(scenario, column) for column in several]
    named += [*filter(None, [scenario.profile]), *scenario.settings]
    return f"{scenario.dataset} at {ratio}" + (f" ({', '.join(named)})" if named else "")


def what_is_found(rows: "Sequence[pd.Series[Any]]", unit: Unit) -> str:
    """The differences that comparisons would have found, and what would help to find smaller ones."""
    now, at_best = (_span([row[name] for row in rows], unit) for name in ("detectable", "detectable_any_seeds"))
    if all(row["detectable_any_seeds"] > MOSTLY_FLOOR * row["detectable"] for row in rows):
        more = "more seeds would hardly lower this, but more rows would"
    else:
        more = f"more seeds ({BEFORE_LOOKING}) can lower this to about {at_best} at best; to go lower takes more rows"
    if all(row["detectable"] > gain_range(unit.metric)[1] for row in rows):
        return f"No true difference, however large, is found with a probability of {100 * POWER:g} %; {more}."
    return f"A true difference of {now}{unit.points} is found with a probability of {100 * POWER:g} %; {more}."


def _span(values: Sequence[float], unit: Unit) -> str:
    """The least and the largest; what is larger than any difference can be is called so."""
    _, largest = gain_range(unit.metric)
    least, most = (
        unit.of(each) if each <= largest else f"over {unit.of(largest)}" for each in (min(values), max(values))
    )
    return least if least == most else f"{least} to {most}"


def _by(row: "pd.Series[Any]", unit: Unit) -> str:
    return f"{unit.signed(row['gain'])}{unit.points}"


def _size(row: "pd.Series[Any]", unit: Unit) -> str:
    return f"{unit.size(row['gain'])} of {unit.name}"


def evidence_of(row: "pd.Series[Any]", unit: Unit) -> str:
    """The interval that told the outcome, and for how many comparisons it was corrected.

    With it stands the p-value of no difference, adjusted alike; not where equivalence was the question, of which it
    tells nothing.
    """
    n, over = int(row["n_comparisons"]), "scenario" if row["family"] in (PRIMARY, PLANNED) else "comparison"
    together = f", corrected for {counted(n, over)}" if n > 1 else ""
    low, high = ends(row, unit)
    p = "" if _may_be_equivalent(row, unit) else f", {words_for_p(row['p_holm'])}"
    return f"{INTERVAL} interval {unit.of(low)} to {unit.of(high)}{p}{together}"


def _may_be_equivalent(row: "pd.Series[Any]", unit: Unit) -> bool:
    """Whether the interval beside p lies in the region of practical equivalence, so that the family's one decides."""
    return bool(row["low"] >= -unit.rope and row["high"] <= unit.rope)


def ends(row: "pd.Series[Any]", unit: Unit) -> tuple[float, float]:
    """The interval that told the outcome."""
    of = "_family" if _may_be_equivalent(row, unit) else ""
    return row[f"low{of}"], row[f"high{of}"]


def effect(row: "pd.Series[Any]", unit: Unit, other: str) -> str:
    """Say what one comparison told, as what follows a subject."""
    if not np.isfinite(row["p_holm"]):
        return f"cannot be compared with {other} by a test, as {_too_little(int(row['n_splits']))}"
    if row["outcome"] in (BETTER, WORSE):
        return f"{unit.change(row['gain'], other)} ({evidence_of(row, unit)})"
    preposition = "to" if row["outcome"] == EQUIVALENT else "against"
    return f"is {row['outcome']} {preposition} {other} ({_by(row, unit)} of {unit.name}, {evidence_of(row, unit)})"


def _too_little(n_splits: int) -> str:
    if n_splits > 1:
        return "there is only 1 fold"
    return f"they have {'only 1 split' if n_splits else 'no split'} in common"


def by_outcome(rows: pd.DataFrame, unit: Unit) -> str:
    """Name the methods by outcome with their gains, of many only the first and the last."""
    named: dict[str, list[str]] = {key: [] for key in OUTCOMES}
    in_order = rows.sort_values("gain", ascending=False)
    for method, (_, row) in zip(methods_of(in_order), in_order.iterrows(), strict=True):
        label = with_fallback(method.label_without_rule, row["by_fallback"])
        named[row["outcome"]].append(f"{label} ({unit.signed(row['gain'])})")
    parts = []
    for key, names in named.items():
        verb = "is" if len(names) == 1 else "are"
        if len(names) > MOST_NAMED:
            parts.append(f"{len(names)} methods, from {names[0]} to {names[-1]}, {verb} {key}")
        elif names:
            parts.append(f"{', '.join(names)} {verb} {key}")
    return "; ".join(parts)


def with_fallback(label: str, share: float) -> str:
    """A method's label, marked where a fallback made more than half of its rows."""
    return f"{label} ({MOSTLY_BY_FALLBACK})" if is_mostly_by_fallback(share) else label


def _of_calibration(calibration: pd.DataFrame) -> Iterator[str]:
    """One sentence: how well probabilities fit before and after."""
    over = calibration[calibration["reference"] == REFERENCE_NAMES[BASELINE]]
    named = {"calibration_error": "expected calibration error", "brier_score": "Brier score", "log_loss": "log loss"}
    parts = []
    for metric, name in named.items():
        rows = over[over["metric"] == metric].set_index("augmenter")
        if {BEST_WITHOUT_SYNTHESIS.augmenter, BEST_WITH_SYNTHESIS.augmenter} <= set(rows.index):
            without, with_it = (rows.loc[of.augmenter] for of in (BEST_WITHOUT_SYNTHESIS, BEST_WITH_SYNTHESIS))
            values = (without["reference_value"], without["value"], with_it["value"])
            parts.append(f"{name} {', '.join(f'{value:.3f}' for value in values)}")
    if parts:
        yield f"Calibration of the baseline, the best without synthesis and the best with it: {'; '.join(parts)}."
