"""Each scenario's table: what every method scores and gains, what the minority gets of it, and calibration."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from synaug.comparison import exchange
from synaug.comparison.labels import (
    ARGMAX,
    BASELINE,
    CHOSEN,
    DECISIONS,
    MOSTLY_BY_FALLBACK,
    PICKED,
    REFERENCES,
    Method,
    Scenario,
    is_mostly_by_fallback,
    methods_of,
)
from synaug.comparison.significance import INCONCLUSIVE
from synaug.comparison.stats import gain_range
from synaug.report import limits, words
from synaug.report.page import audits
from synaug.report.results import Results
from synaug.scores.decision import ARGMAX_CHOSEN_STEP

RECALL, PRECISION = "recall", "precision"  # by which `minority_…` the mean over minority classes is called
CALIBRATION = ("brier_score", "log_loss", "calibration_error")
GROUPS = ("References", "Without synthesis", "With synthesis")


@dataclass(frozen=True)
class Gain:
    """What a method gains over a reference, as the page writes it.

    Attributes
    ----------
    gain, interval, outcome
        The outcome is one of the four words, or "–" where nothing can be tested.
    detectable
        Where it is inconclusive, the difference that would have been found with 80 % power; else "".
    """

    gain: str
    interval: str
    outcome: str
    detectable: str = ""


@dataclass(frozen=True)
class Line:
    """One method of one scenario.

    Attributes
    ----------
    method
        Its name.
    score, recall, precision
        Of all classes in the verdict's metric; of the minority classes.
    gains
        Over each reference, in the order of `REFERENCES`; None where it is not compared.
    """

    method: str
    score: str
    recall: str
    precision: str
    gains: Sequence[Gain | None]


@dataclass(frozen=True)
class Calibration:
    """How well one method's probabilities fit under its rule: each score, and what it gains over the baseline."""

    method: str
    scores: Sequence[tuple[str, Gain | None]]


@dataclass(frozen=True)
class ScenarioTable:
    """All that is shown of one scenario.

    Attributes
    ----------
    label
        Its name.
    groups
        Methods, by group.
    calibration
        How well their probabilities fit.
    aims_at_equal_classes
        Whether rules take classes for equally frequent (``target_prior=uniform``) which are not among the test rows.
    audit
        What their synthetic rows are like.
    worth
        What methods are worth in real rows, a sentence each.
    """

    label: str
    groups: Sequence[tuple[str, Sequence[Line]]]
    calibration: Sequence[Calibration]
    aims_at_equal_classes: bool
    audit: audits.Audit | None
    worth: Sequence[str]


def tables(results: Results) -> list[ScenarioTable]:
    """Make the tables of as many scenarios as the page can carry, in order."""
    compared = results.table(results.metric)
    present = set(compared["scenario"])
    scenarios = [scenario for scenario in results.scenarios if scenario in present]
    return [_table(results, scenario) for scenario in scenarios[: limits.SCENARIO_TABLES]]


def _table(results: Results, scenario: Scenario) -> ScenarioTable:
    compared = results.table(results.metric)
    rows = compared[compared["scenario"] == scenario]
    by_method: dict[Method, dict[str, pd.Series[Any]]] = {}
    for method, (_, row) in zip(methods_of(rows), rows.iterrows(), strict=True):
        by_method.setdefault(method, {})[row["reference"]] = row
    lines: dict[str, list[Line]] = {name: [] for name in GROUPS}
    lines[GROUPS[0]] += _reference_lines(results, scenario, rows)
    for method in sorted(filter(_is_shown, by_method), key=_place(results)):
        of_references = by_method[method]
        any_row = next(iter(of_references.values()))
        group = GROUPS[0] if method.augmenter in PICKED else GROUPS[1 + bool(any_row["with_synthesis"])]
        lines[group].append(_line(results, method, of_references))
    groups = [(name, of_group[: limits.SCENARIO_LINES]) for name, of_group in lines.items() if of_group]
    worth = list(_worth(results, scenario))[: limits.SCENARIO_LINES]
    audit = audits.of_scenario(results, scenario)
    calibration = list(_calibration(results, scenario))
    return ScenarioTable(
        results.label(scenario), groups, calibration, _aims_at_equal_classes(results, scenario), audit, worth
    )


def _aims_at_equal_classes(results: Results, scenario: Scenario) -> bool:
    runs = results.evidence.runs
    runs = runs[runs["scenario"] == scenario]
    is_natural = bool(runs["ratio"].isna().all() and (runs["n_minority"] > 0).any())
    records = (results.evidence.records[identity] for identity in runs["identity"])
    return is_natural and any(record["config"].get("target_prior", "uniform") == "uniform" for record in records)


def _worth(results: Results, scenario: Scenario) -> Iterator[str]:
    """A sentence for each method with synthesis, the best first, then for the others."""
    rows = results.comparison.exchange
    rows = rows[rows["scenario"] == scenario]
    place = _place(results)
    of_method = dict(zip(methods_of(rows), (row for _, row in rows.iterrows()), strict=True))
    for method in sorted(of_method, key=lambda each: (not of_method[each]["with_synthesis"], place(each))):
        name = method.label if method.augmenter in PICKED else method.label_without_rule
        said = exchange.sentence(of_method[method], name)
        yield f"{said[:1].upper()}{said[1:]}."


def _is_shown(method: Method) -> bool:
    """Methods under argmax and under their chosen rule; of the baseline's training every rule."""
    trained_plainly = (method.augmenter, method.loss) == (BASELINE.augmenter, BASELINE.loss)
    return trained_plainly or method.decision in (ARGMAX, CHOSEN)


def _place(results: Results) -> Any:
    augmenters, rules = [*PICKED, *results.augmenters], list(DECISIONS)

    def place(method: Method) -> tuple[int, str, int]:
        rule = rules.index(method.decision) if method.decision in rules else len(rules)
        return augmenters.index(method.augmenter), method.loss, rule

    return place


def _reference_lines(results: Results, scenario: Scenario, rows: pd.DataFrame) -> Iterator[Line]:
    """The baseline, and argmax with the weights of the chosen step, which is shown and compared with nothing."""
    metric = results.metric
    over_baseline = rows[rows["reference"] == "baseline"]
    if len(over_baseline):
        first = over_baseline.iloc[0]
        recall, precision = (_share(first[f"reference_minority_{name}"]) for name in (RECALL, PRECISION))
        label = f"the baseline ({BASELINE.augmenter}, {words.decision(ARGMAX)})"
        yield Line(label, words.level(first["reference_value"], metric), recall, precision, (None, None))
    score = results.means(metric).get((scenario, BASELINE.augmenter, BASELINE.loss, ARGMAX_CHOSEN_STEP))
    if score is not None:
        label = f"{BASELINE.augmenter}, {words.decision(ARGMAX_CHOSEN_STEP)}"
        yield Line(label, words.level(float(score), metric), "–", "–", (None, None))


def _line(results: Results, method: Method, of_references: dict[str, "pd.Series[Any]"]) -> Line:
    row = next(iter(of_references.values()))
    label = method.label if method.augmenter in PICKED else _name(method)
    if is_mostly_by_fallback(row["by_fallback"]):
        label = f"{label} ({MOSTLY_BY_FALLBACK})"
    gains = [_gain(of_references[name], results.metric) if name in of_references else None for name in REFERENCES]
    recall, precision = (_share(row[f"minority_{name}"]) for name in (RECALL, PRECISION))
    return Line(label, words.level(row["value"], results.metric), recall, precision, gains)


def _name(method: Method) -> str:
    return f"{method.label_without_rule}, {words.decision(method.decision)}"


def _share(value: float) -> str:
    return words.level(value, "recall")


def _gain(row: "pd.Series[Any]", metric: str) -> Gain:
    tested = pd.notna(row["p_holm"])
    interval = f"{words.difference(row['low'], metric)} to {words.difference(row['high'], metric)}" if tested else "–"
    is_open = tested and row["outcome"] == INCONCLUSIVE
    _, largest = gain_range(metric)
    found_from = f"over {words.difference(largest, metric)}"  # so never
    if row["detectable"] <= largest:
        found_from = words.difference(row["detectable"], metric)
    detectable = found_from if is_open and pd.notna(row["detectable"]) else ""
    return Gain(words.signed(row["gain"], metric), interval, row["outcome"] if tested else "–", detectable)


def _calibration(results: Results, scenario: Scenario) -> Iterator[Calibration]:
    """The baseline first; then the methods under the rules that they chose."""
    rows = results.comparison.calibration
    rows = rows[(rows["scenario"] == scenario) & (rows["reference"] == "baseline")]
    if rows.empty:
        return
    baseline = rows.groupby("metric")["reference_value"].first()
    yield Calibration(
        "the baseline", [(words.level(baseline.get(metric, float("nan")), metric), None) for metric in CALIBRATION]
    )
    by_method: dict[Method, dict[str, pd.Series[Any]]] = {}
    for method, (_, row) in zip(methods_of(rows), rows.iterrows(), strict=True):
        by_method.setdefault(method, {})[row["metric"]] = row
    for method in sorted(by_method, key=_place(results)):
        scores: list[tuple[str, Gain | None]] = []
        for metric in CALIBRATION:
            of_metric = by_method[method].get(metric)
            if of_metric is None:
                scores.append(("–", None))
            else:
                scores.append((words.level(of_metric["value"], metric), _gain(of_metric, metric)))
        label = method.label if method.augmenter in PICKED else method.label_without_rule
        yield Calibration(label, scores)
