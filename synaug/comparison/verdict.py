"""The verdict: every sentence of it, none stronger than its test."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from synaug.comparison.cautions import cautions, first_of
from synaug.comparison.choices import TAKEN
from synaug.comparison.evidence import Evidence
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
from synaug.comparison.layout import Table, Verdict
from synaug.comparison.other_classifiers import Surpassed, classifier_of, surpassed, without_classifier
from synaug.comparison.ranking import TOO_FEW_SCENARIOS, Ranking
from synaug.comparison.significance import (
    BETTER,
    EQUIVALENT,
    INCONCLUSIVE,
    INTERVAL,
    LEVEL,
    OUTCOMES,
    POWER,
    WORSE,
)
from synaug.comparison.stats import PLANNED, PRIMARY, SECONDARY
from synaug.scores.metrics import LOSSES

MOST_PLACES = 4
MOST_NAMED = 8
# Above this part of what is found now, ever so many seeds are called of little help.
MOSTLY_FLOOR = 0.85
NOTHING_SMALLER = "no class is smaller: nothing was there to augment"
THE_BASELINE, THE_BEST = (REFERENCE_LABELS[name] for name in REFERENCES)
REFERENCE_NAMES = {method: name for name, method in REFERENCES.items()}
WITH_IT = "the best method with synthesis"
MIRRORED = {BETTER: WORSE, WORSE: BETTER}
# Who adds seeds until an outcome appears asks as often as they look, and the level is that of one look.
BEFORE_LOOKING = "decide how many before you look"
# The score of a guess, whatever is guessed, is one divided by the number of classes.
GUESSED = "balanced_accuracy"
NOT_SHOWN = "nothing shows that synthesis is worth its trouble"
SIMPLER = "the simpler choice is to do without"


def verdict(
    evidence: Evidence,
    metric: str,
    comparisons: pd.DataFrame,
    values: pd.DataFrame,
    choices: pd.DataFrame,
    calibration: pd.DataFrame,
    ranking: Ranking,
    gaps: pd.DataFrame,
    rope: float,
) -> Verdict:
    """Put one metric's comparisons into words.

    Parameters
    ----------
    comparisons
        `synaug.comparison.stats.compare`'s frame, with `minority_recall`, `minority_precision` and `by_fallback`.
    values
        The splits' scores of the metric, of `synaug.comparison.choices.with_choices`.
    choices
        Of `synaug.comparison.choices.choose`.
    calibration, gaps
        Of `synaug.comparison.compare.Comparison`.
    """
    runs = evidence.runs
    idle = evidence.idle_scenarios()
    unit = Unit(metric, rope)
    asked = {*comparisons.loc[comparisons["family"] == PRIMARY, "scenario"], *idle}
    several = [name for name in ("classifier", "encoder") if len({getattr(each, name) for each in asked}) > 1]
    n_classes = dict(zip(runs["scenario"], runs["n_classes"], strict=True))
    told = _told(comparisons[~comparisons["scenario"].isin(idle)], choices, calibration, n_classes, several, unit)
    datasets: dict[str, list[str]] = {}
    in_order: list[Scenario] = []
    for dataset, of_dataset in runs.groupby("dataset", sort=False):
        scenarios = sorted(of_dataset["scenario"].unique(), key=lambda scenario: (scenario.place, scenario))
        in_order += [scenario for scenario in scenarios if scenario in told]
        sentences = [sentence for scenario in scenarios if scenario in told for sentence in told[scenario].sentences()]
        sentences += [
            f"On {_place(scenario, several)}, {NOTHING_SMALLER}." for scenario in scenarios if scenario in idle
        ]
        datasets[str(dataset)] = sentences or ["There is nothing to compare: run methods with and without synthesis."]
    all_told = [told[scenario] for scenario in in_order]
    contents = dict(zip(runs["scenario"], runs["content"], strict=True))
    higher_is_better = metric not in LOSSES
    others = surpassed(values, choices, contents, in_order, higher_is_better=higher_is_better)
    ranks = list(_ranks(ranking, contents, _shares_by_fallback(runs), unit)) if told else []
    return Verdict(
        headline=_headline(all_told, unit) if told else _no_verdict(evidence, idle, unit),
        table=_table(all_told, unit),
        advice=list(_advice(all_told, unit)),
        datasets=datasets,
        # What the ranks cannot bear is of interest to who is told of ranks.
        overall=[*_overall(all_told, unit), *ranks, *(ranking.cautions if ranks else ())],
        cautions=[
            *_of_other_classifiers(others, several, unit),
            *cautions(evidence, gaps, in_order),
        ],
        n_scenarios=len(told),
    )


def _told(
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
            _place(scenario, several),
            part,
            picks[scenario],
            calibrations.get(scenario, calibration[:0]),
            unit,
            n_classes[scenario],
        )
        for scenario, part in parts.items()
        if len(_rows(part, BEST_WITH_SYNTHESIS, BEST_WITHOUT_SYNTHESIS))
    }


def _of_other_classifiers(found: Sequence[Surpassed], several: Sequence[str], unit: Unit) -> Iterator[str]:
    """Where another classifier does better than what is called the best."""
    if not found:
        return
    n_scenarios = len({without_classifier(each.scenario) for each in found})
    named = [
        f"{_place(each.scenario, several)}: {classifier_of(each.other)} ({each.other_best}) is {unit.of(each.gain)}"
        f"{unit.points} [{unit.of(each.low)}, {unit.of(each.high)}] better than {classifier_of(each.scenario)} "
        f"({each.best})"
        for each in found[:MOST_PLACES]
    ]
    more = f"; and {len(found) - MOST_PLACES} more" if len(found) > MOST_PLACES else ""
    yield f"In {counted(n_scenarios, 'scenario')} another classifier does better: {'; '.join(named)}{more}."


def _rows(part: pd.DataFrame, method: Method, reference: Method) -> pd.DataFrame:
    return part[(part["reference"] == REFERENCE_NAMES[reference]) & (part["augmenter"] == method.augmenter)]


def _picks(choices: pd.DataFrame) -> dict[Any, dict[str, Counter[Method]]]:
    """By scenario, how often each method was picked as the best without synthesis and with it."""
    picked = choices[choices["augmenter"].isin((BEST_WITHOUT_SYNTHESIS.augmenter, BEST_WITH_SYNTHESIS.augmenter))]
    counts: dict[Any, dict[str, Counter[Method]]] = defaultdict(lambda: defaultdict(Counter))
    rows = zip(*(picked[name].tolist() for name in ("scenario", "augmenter", *TAKEN)), strict=True)
    for scenario, augmenter, *taken in rows:
        counts[scenario][augmenter][Method(*taken)] += 1
    return counts


def _place(scenario: Scenario, several: Sequence[str]) -> str:
    """A scenario by its data set and ratio, and what else there are several of."""
    ratio = "its natural imbalance" if scenario.is_natural else f"1:{scenario.ratio:g}"
    named = [getattr(scenario, column) for column in several]
    named += [*filter(None, [scenario.profile]), *scenario.settings]
    return f"{scenario.dataset} at {ratio}" + (f" ({', '.join(named)})" if named else "")


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
        return _found([self.primary], self.unit)


def _found(rows: "Sequence[pd.Series[Any]]", unit: Unit) -> str:
    """The differences that comparisons would have found, and what would help to find smaller ones."""
    now, at_best = (_span([row[name] for row in rows], unit) for name in ("detectable", "detectable_any_seeds"))
    if all(row["detectable_any_seeds"] > MOSTLY_FLOOR * row["detectable"] for row in rows):
        more = "more seeds would hardly lower this, but more rows would"
    else:
        more = f"more seeds ({BEFORE_LOOKING}) can lower this to about {at_best} at best; to go lower takes more rows"
    return f"A true difference of {now}{unit.points} is found with a probability of {100 * POWER:g} %; {more}."


def _span(values: Sequence[float], unit: Unit) -> str:
    least, most = unit.of(min(values)), unit.of(max(values))
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
    low, high = _ends(row, unit)
    p = "" if _may_be_equivalent(row, unit) else f", {words_for_p(row['p_holm'])}"
    return f"{INTERVAL} interval {unit.of(low)} to {unit.of(high)}{p}{together}"


def _may_be_equivalent(row: "pd.Series[Any]", unit: Unit) -> bool:
    """Whether the interval beside p lies in the region of practical equivalence, so that the family's one decides."""
    return bool(row["low"] >= -unit.rope and row["high"] <= unit.rope)


def _ends(row: "pd.Series[Any]", unit: Unit) -> tuple[float, float]:
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
        label = _with_fallback(method.label_without_rule, row["by_fallback"])
        named[row["outcome"]].append(f"{label} ({unit.signed(row['gain'])})")
    parts = []
    for key, names in named.items():
        verb = "is" if len(names) == 1 else "are"
        if len(names) > MOST_NAMED:
            parts.append(f"{len(names)} methods, from {names[0]} to {names[-1]}, {verb} {key}")
        elif names:
            parts.append(f"{', '.join(names)} {verb} {key}")
    return "; ".join(parts)


def _with_fallback(label: str, share: float) -> str:
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


def _no_verdict(evidence: Evidence, idle: Collection[Scenario], unit: Unit) -> str:
    """Say why there is none; of failures, those count that the last sweep wanted, if there are any."""
    runs = evidence.runs
    if runs.empty:
        failures = [each for each in evidence.failures if each["current"]] or evidence.failures
        all_of_them = "the only run" if len(failures) == 1 else f"all {len(failures)} runs"
        return f"No verdict: {all_of_them} failed{first_of([each['sentence'] for each in failures])}"
    if not len(evidence.out_of_fold()):
        return (
            "No verdict: the records are of an older version and lack the out-of-fold losses by which methods are "
            "picked: make them anew with force=true."
        )
    if len(idle) == runs["scenario"].nunique():
        return f"No verdict, as {NOTHING_SMALLER}."
    if not runs["with_synthesis"].any():
        return "No verdict: no method with synthesis was run: add one, e.g. augmenter=none,smote."
    if runs["with_synthesis"].all():
        return "No verdict: no method without synthesis was run: add augmenter=none."
    return (
        f"No verdict: no scenario has {unit.name} of methods with and without synthesis on the same splits: run both "
        "under one name with the same settings."
    )


def _headline(told: Sequence[Told], unit: Unit) -> str:
    """The answer; of several scenarios, how often each."""
    if len(told) == 1:
        return told[0].headline()
    won = [each for each in told if each.outcome == BETTER]
    counts = Counter(each.outcome for each in told)
    others = [f"{name} in {counts[name]}" for name in (WORSE, EQUIVALENT, INCONCLUSIVE) if counts[name]]
    if not won:
        return (
            f"In none of {counted(len(told), 'scenario')} is {WITH_IT} better than the best without in {unit.name}: "
            f"{', '.join(others)}."
        )
    if len(won) <= MOST_PLACES:
        where = ", ".join(f"{unit.size(each.primary['gain'])} on {each.place}" for each in won)
    else:
        where = f"by {unit.size(float(np.median([each.primary['gain'] for each in won])))} in the median of these"
    rest = f"; {', '.join(others)}" if others else ""
    return (
        f"In {len(won)} of {counted(len(told), 'scenario')}, {WITH_IT} is better than the best without in {unit.name} "
        f"({where}){rest}."
    )


def _table(told: Sequence[Told], unit: Unit) -> Table:
    if not told:
        return Table()
    share = "" if unit.points == "" else " (%)"
    if len(told) == 1:
        return _of_methods(told[0], unit, share)
    columns = ("", "without", "with", "gain", INTERVAL, "outcome", "minority recall", "minority precision")
    rows = []
    for each in told:
        row = each.primary
        beside = [_change(row[f"reference_{name}"], row[name]) for name in ("minority_recall", "minority_precision")]
        values = (unit.of(row["reference_value"]), unit.of(row["value"]))
        rows.append((each.place, *values, unit.signed(row["gain"]), _interval(row, unit), each.outcome, *beside))
    n = len(told)
    note = f"{unit.name}{share} of the best methods without and with synthesis; intervals corrected for {n} scenarios."
    return Table(columns, tuple(rows), f"{note[:1].upper()}{note[1:]}")


def _change(before: float, after: float) -> str:
    return f"{_share(before)} → {_share(after)}"


def _share(value: float) -> str:
    return f"{100 * value:.1f}" if np.isfinite(value) else "–"


def _interval(row: "pd.Series[Any]", unit: Unit) -> str:
    return " to ".join(map(unit.of, _ends(row, unit))) if np.isfinite(row["low"]) else "–"


def _of_methods(told: Told, unit: Unit, share: str) -> Table:
    columns = ("", f"score{share}", "gain", INTERVAL, "outcome", "minority recall", "minority precision")
    primary, baseline = told.primary, told.planned(BEST_WITHOUT_SYNTHESIS)
    rows = []
    if baseline is not None:  # which loses what the best without synthesis gains
        mirrored = baseline.copy()
        mirrored["gain"] = -baseline["gain"]
        for of in ("", "_family"):
            mirrored[f"low{of}"], mirrored[f"high{of}"] = -baseline[f"high{of}"], -baseline[f"low{of}"]
        mirrored["outcome"] = MIRRORED.get(baseline["outcome"], baseline["outcome"])
        mirrored["value"] = baseline["reference_value"]
        for name in ("minority_recall", "minority_precision"):
            mirrored[name] = baseline[f"reference_{name}"]
        rows.append(_line("baseline (none, argmax)", mirrored, unit))
    beside = (_share(primary["reference_minority_recall"]), _share(primary["reference_minority_precision"]))
    rows.append((BEST_WITHOUT_SYNTHESIS.label, unit.of(primary["reference_value"]), "–", "–", "–", *beside))
    rows.append(_line(BEST_WITH_SYNTHESIS.label, primary, unit))
    singles = told.singles()
    for method, (_, row) in zip(methods_of(singles), singles.iterrows(), strict=True):
        rows.append(_line(_with_fallback(method.label_without_rule, row["by_fallback"]), row, unit))
    n = int(singles["n_comparisons"].max())
    together = f"; their intervals are corrected for {n} comparisons" if n > 1 else ""
    guess = f" (guessing scores {unit.of(1 / told.n_classes)})" if unit.metric == GUESSED else ""
    note = (
        f"Scores are {unit.name}{guess}, gains over the best without synthesis. Single methods are secondary{together}."
    )
    return Table(columns, tuple(rows), note)


def _line(name: str, row: "pd.Series[Any]", unit: Unit) -> tuple[str, ...]:
    beside = (_share(row["minority_recall"]), _share(row["minority_precision"]))
    return (name, unit.of(row["value"]), unit.signed(row["gain"]), _interval(row, unit), row["outcome"], *beside)


def _advice(told: Sequence[Told], unit: Unit) -> Iterator[str]:
    """What to do."""
    if len(told) == 1:
        yield from _advice_on_one(told[0])
    elif told:
        yield from _advice_on_several(told, unit)


def _advice_on_one(told: Told) -> Iterator[str]:
    if told.outcome == BETTER:
        yield f"Use synthesis here. Picked most often: {told.picked(BEST_WITH_SYNTHESIS)}."
    else:
        what = f"{NOT_SHOWN.capitalize()} here; {SIMPLER}" if told.outcome == INCONCLUSIVE else "Do without synthesis"
        yield f"{what}. Without it, picked most often: {told.picked(BEST_WITHOUT_SYNTHESIS)}."
    if told.outcome == INCONCLUSIVE and np.isfinite(told.primary["detectable"]):
        yield told.missed()


def _advice_on_several(told: Sequence[Told], unit: Unit) -> Iterator[str]:
    won = [each for each in told if each.outcome == BETTER]
    if won:
        yield f"Use synthesis where it is better. Picked most often there: {_first_pick(won, BEST_WITH_SYNTHESIS)}."
    rows = [row for each in told if (row := each.planned(BEST_WITHOUT_SYNTHESIS)) is not None]
    if rows and len(won) < len(told):
        others = [each for each in told if each.outcome != BETTER]
        picked = _first_pick(others, BEST_WITHOUT_SYNTHESIS)
        gained = sum(row["outcome"] == BETTER for row in rows)
        median = f"{unit.signed(float(np.median([row['gain'] for row in rows])))}{unit.points}"
        yield (
            f"{_instead(others, 'Elsewhere' if won else '')}. Without it, picked most often: {picked}. The best "
            f"without it is better than the baseline in {gained} of {counted(len(rows), 'scenario')} (median gain "
            f"{median})."
        )
    missed = [each.primary for each in told if each.outcome == INCONCLUSIVE and np.isfinite(each.primary["detectable"])]
    if missed:
        found = _found(missed, unit)
        yield f"Where it is inconclusive: {found[:1].lower()}{found[1:]}"


def _instead(told: Sequence[Told], where: str) -> str:
    """What to do where synthesis is not better."""
    unsure = [each for each in told if each.outcome == INCONCLUSIVE]
    if not unsure:
        return f"{where} do without synthesis" if where else "Do without synthesis"
    if len(unsure) == len(told):
        return f"{where} {NOT_SHOWN}; {SIMPLER}" if where else f"{NOT_SHOWN.capitalize()}; {SIMPLER}"
    return f"Do without synthesis where it is worse or equivalent; elsewhere {NOT_SHOWN}, and {SIMPLER}"


def _first_pick(told: Sequence[Told], method: Method) -> str:
    names = Counter(name for each in told for name in each.picks[method.augmenter].elements())
    return names.most_common(1)[0][0].label


def _overall(told: Sequence[Told], unit: Unit) -> Iterator[str]:
    if len(told) < 2:  # whose sentences say it all
        return
    for method in (BEST_WITHOUT_SYNTHESIS, BEST_WITH_SYNTHESIS):
        rows = [row for each in told if (row := each.planned(method)) is not None]
        if rows:
            counts = Counter(row["outcome"] for row in rows)
            results = ", ".join(f"{name} in {counts[name]}" for name in OUTCOMES if counts[name])
            mean = float(np.mean([row["gain"] for row in rows]))
            yield (
                f"The {method.label} {unit.change(mean, THE_BASELINE)} on average over "
                f"{counted(len(rows), 'scenario')}: {results}, corrected over scenarios."
            )


def _shares_by_fallback(runs: pd.DataFrame) -> dict[str, float]:
    """Which share of an augmenter's rows a fallback made at least, in whatever scenario."""
    shares = runs.groupby("augmenter")["by_fallback"].min()
    return dict(zip(shares.index.tolist(), shares.tolist(), strict=True))


def _ranked_name(method: Method) -> str:
    return "baseline" if method == BASELINE else method.label_without_rule


def _ranks(
    ranking: Ranking, contents: Mapping[Scenario, str], by_fallback: Mapping[str, float], unit: Unit
) -> Iterator[str]:
    if len(ranking.methods) < 3 or not np.isfinite(ranking.iman_davenport_p):
        return
    ranks = ranking.mean_ranks.sort_values()
    methods: list[Method] = ranks.index.tolist()
    labels = [_with_fallback(_ranked_name(method), by_fallback.get(method.augmenter, 0.0)) for method in methods]
    listed = ", ".join(f"{label} {rank:.1f}" for label, rank in zip(labels, ranks, strict=True))
    n = len(ranking.scenarios)
    yield (
        f"Mean ranks by {unit.name} over {counted(n, 'scenario')} (1 is best; each with its rule chosen, but for the "
        f"baseline): {listed}."
    )
    p = words_for_p(ranking.iman_davenport_p)
    if len({contents[scenario] for scenario in ranking.scenarios}) < n:
        yield f"Scenarios share data sets, so the ranks describe and do not test (Friedman, as if independent: {p})."
    elif n < TOO_FEW_SCENARIOS:
        yield f"{counted(n, 'scenario')} are too few for Friedman's test: the ranks describe."
    elif ranking.iman_davenport_p < LEVEL:
        yield (
            f"By Friedman's test (Iman–Davenport {p}) the methods differ; by Nemenyi's, those whose ranks lie further "
            f"apart than {ranking.critical_difference:.2f} do."
        )
    else:
        yield f"By Friedman's test (Iman–Davenport {p}) the methods are not shown to differ."
