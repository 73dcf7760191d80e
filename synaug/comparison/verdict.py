"""The verdict: every sentence of it, none stronger than its test."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from synaug.comparison.beside import accuracies, of_another_metric
from synaug.comparison.cautions import cautions, first_of, of_other_classifiers
from synaug.comparison.evidence import Evidence
from synaug.comparison.formatting import Unit, counted, words_for_p
from synaug.comparison.labels import (
    BASELINE,
    BEST_WITH_SYNTHESIS,
    BEST_WITHOUT_SYNTHESIS,
    Method,
    Scenario,
    methods_of,
)
from synaug.comparison.layout import Table, Verdict
from synaug.comparison.other_classifiers import surpassed
from synaug.comparison.ranking import TOO_FEW_SCENARIOS, Ranking
from synaug.comparison.significance import (
    BETTER,
    EQUIVALENT,
    INCONCLUSIVE,
    INTERVAL,
    LEVEL,
    OUTCOMES,
    WORSE,
)
from synaug.comparison.stats import PRIMARY, gain_range
from synaug.comparison.told import THE_BASELINE, WITH_IT, Told, ends, place_of, told_of, what_is_found, with_fallback
from synaug.scores.metrics import LOSSES

MOST_PLACES = 4
NOTHING_SMALLER = "no class is smaller: nothing was there to augment"
MIRRORED = {BETTER: WORSE, WORSE: BETTER}
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
    told = told_of(comparisons[~comparisons["scenario"].isin(idle)], choices, calibration, n_classes, several, unit)
    accuracy = accuracies(evidence, choices, told, metric)
    datasets: dict[str, list[str]] = {}
    in_order: list[Scenario] = []
    for dataset, of_dataset in runs.groupby("dataset", sort=False):
        scenarios = sorted(of_dataset["scenario"].unique(), key=lambda scenario: (scenario.place, scenario))
        in_order += [scenario for scenario in scenarios if scenario in told]
        sentences = [
            sentence
            for scenario in scenarios
            if scenario in told
            for sentence in (*told[scenario].sentences(), *filter(None, [accuracy.get(scenario)]))
        ]
        sentences += [
            f"On {place_of(scenario, several)}, {NOTHING_SMALLER}." for scenario in scenarios if scenario in idle
        ]
        datasets[str(dataset)] = sentences or ["There is nothing to compare: run methods with and without synthesis."]
    all_told = [told[scenario] for scenario in in_order]
    contents = evidence.contents()
    higher_is_better = metric not in LOSSES
    others = surpassed(
        values, choices, contents, in_order, higher_is_better=higher_is_better, within=gain_range(metric)
    )
    ranks = list(_ranks(ranking, contents, _shares_by_fallback(runs), unit)) if told else []
    return Verdict(
        headline=_headline(all_told, unit) if told else _no_verdict(evidence, idle, unit),
        table=_table(all_told, unit),
        advice=[
            *_advice(all_told, unit),
            *(accuracy.values() if len(told) == 1 else ()),
            *filter(None, [of_another_metric(evidence, metric, told)]),
        ],
        datasets=datasets,
        # What the ranks cannot bear is of interest to who is told of ranks.
        overall=[*_overall(all_told, unit), *ranks, *(ranking.cautions if ranks else ())],
        cautions=[*of_other_classifiers(others, several, unit), *cautions(evidence, gaps, in_order)],
        n_scenarios=len(told),
    )


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
    return " to ".join(map(unit.of, ends(row, unit))) if np.isfinite(row["low"]) else "–"


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
        rows.append(_line(with_fallback(method.label_without_rule, row["by_fallback"]), row, unit))
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
        found = what_is_found(missed, unit)
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
    labels = [with_fallback(_ranked_name(method), by_fallback.get(method.augmenter, 0.0)) for method in methods]
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
