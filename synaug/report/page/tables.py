"""The page's tables as JSON: names once, then numbers; page.js renders the rows that are looked at."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from synaug.comparison import columns as columns_of
from synaug.comparison.labels import (
    ARGMAX,
    DECISIONS,
    MOSTLY_BY_FALLBACK,
    NO_AUGMENTER,
    PICKED,
    REFERENCES,
    Method,
    Scenario,
    is_mostly_by_fallback,
    methods_of,
)
from synaug.comparison.significance import BETTER, EQUIVALENT, INCONCLUSIVE, INTERVAL, WORSE
from synaug.comparison.stats import EXACT_RANKS, gain_range
from synaug.files.escaping import shown
from synaug.report import limits, words
from synaug.report.results import Results
from synaug.scores.metrics import LOSSES

Table = dict[str, Any]
# page.js colours the first two.
OUTCOME_LABELS = {BETTER: "▲ better", WORSE: "▼ worse", EQUIVALENT: "≈ equivalent", INCONCLUSIVE: "? inconclusive"}
# Of `record.tables.BALANCE_COLUMNS`, in the order of the page.
COUNTS = ("real", "kept", "asked", "made", "new", "made_by_fallback")
OF_COST = ("members", "optimiser_steps")
STAGES = ("load", "embed", "tune", "augment", "audit", "train", "score")


def column(label: str, kind: str, at: int, **options: Any) -> dict[str, Any]:
    """Describe a column: `kind` says how a cell is written and sorted, `at` where it stands in a row."""
    return {"label": label, "kind": kind, "at": at, **options}


def name_column(label: str, at: int, values: Iterable[object], **options: Any) -> dict[str, Any]:
    """Describe a column of names, whose cells are places in `values`."""
    return column(label, "name", at, values=[shown(value) for value in values], **options)


def comparisons(results: Results) -> Table:
    """Every comparison of as many metrics as the page can carry."""
    tables = {metric: _with_methods(results.table(metric)) for metric in results.comparison.metrics}
    order = [*results.augmenters, *PICKED]
    methods = sorted(
        {key for table in tables.values() for key in table["method"]},
        key=lambda key: (key[1], order.index(key[0].augmenter), key[0].loss),
    )
    labels = [
        f"{method.label_without_rule} ({MOSTLY_BY_FALLBACK})" if mostly else method.label_without_rule
        for method, mostly in methods
    ]
    decisions = list(dict.fromkeys([*DECISIONS, *(rule for table in tables.values() for rule in table["decision"])]))
    ats = _ats(results)
    columns = [
        name_column("data set", 0, results.panels, filter=True),
        name_column("ratio", 1, ats, filter=True, ordered=True),
        name_column("augmenter", 2, labels, filter=True),
        name_column("decision", 3, [words.decision(rule) for rule in decisions], filter=True),
        name_column("over", 4, [name.replace("_", " ") for name in REFERENCES], filter=True),
        column("mean", "level", 5),
        column("reference", "level", 6, help="mean of the reference"),
        column("gain", "gain", 7, strong=True),
        column(f"{INTERVAL} interval", "interval", 8),
        column("p (Holm)", "p", 10, help=columns_of.NOTES["p_holm"]),
        name_column("outcome", 11, OUTCOME_LABELS.values(), filter=True, outcome=True),
        column("P(worse)", "probability", 12, more=True, help="Bayesian correlated t-test"),
        column("P(equivalent)", "probability", 13, more=True, help="within the region of practical equivalence"),
        column("P(better)", "probability", 14, more=True),
        column("effect", "decimal", 15, more=True, help="gain in standard deviations of the differences"),
        column("p raw", "p", 16, more=True, help=columns_of.NOTES["p_raw"]),
        column(
            "p Wilcoxon",
            "p",
            17,
            more=True,
            help=f"exact up to {EXACT_RANKS} splits, else the normal approximation; too liberal on overlapping folds",
        ),
        column("p paired t", "p", 18, more=True, help="too liberal on overlapping folds"),
        column("splits", "count", 19, more=True),
        column("missing", "count", 20, more=True),
        column("minority recall", "level", 21, share=True),
        column("minority precision", "level", 22, share=True),
        column("found from", "decimal", 23, more=True, help=columns_of.NOTES["detectable"]),
        column("family's interval", "interval", 24, more=True, help=columns_of.NOTES["low_family"]),
    ]
    places: dict[str, dict[Any, int]] = {
        "scenario": _places(results.scenarios),
        "panel": {scenario: results.panels.index(panel) for scenario, panel in results.panel_of.items()},
        "at": {scenario: ats.index(scenario.at) for scenario in results.scenarios},
        "method": _places(methods),
        "decision": _places(decisions),
        "reference": _places(REFERENCES),
        "outcome": _places(OUTCOME_LABELS),
    }
    rows: dict[str, list[list[Any]]] = {}
    for metric, table in tables.items():
        if metric == results.metric or sum(map(len, rows.values())) < limits.COMPARISONS:
            rows[metric] = _comparison_rows(table, metric, places)
    return {"columns": columns, "rows": rows, "noun": ["comparison", "comparisons"]}


def _with_methods(table: pd.DataFrame) -> pd.DataFrame:
    """Comparisons with their method under whichever rule, and whether its rows were made mostly by a fallback."""
    mostly = is_mostly_by_fallback(table["by_fallback"])
    methods: list[Any] = list(zip(methods_of(table, ARGMAX), mostly.tolist(), strict=True))
    return table.assign(method=methods)


def _places(names: Iterable[Any]) -> dict[Any, int]:
    return {name: place for place, name in enumerate(names)}


def _ats(results: Results) -> list[str]:
    """Ratios in words, by size; natural imbalance last."""
    ordered = sorted(results.scenarios, key=lambda scenario: scenario.place)
    return list(dict.fromkeys(scenario.at for scenario in ordered))


def _comparison_rows(table: pd.DataFrame, metric: str, places: Mapping[str, Mapping[Any, int]]) -> list[list[Any]]:
    scale, digits = words.scale(metric), 4 if metric in LOSSES else 2
    frame = table.iloc[table["scenario"].map(places["scenario"]).argsort(kind="stable")]
    columns: list[list[Any]] = [
        frame["scenario"].map(places["panel"]).tolist(),
        frame["scenario"].map(places["at"]).tolist(),
        *(frame[name].map(places[name]).tolist() for name in ("method", "decision", "reference")),
        *(_rounded(frame[name] * scale, digits) for name in ("value", "reference_value", "gain", "low", "high")),
        _significant(frame["p_holm"]),
        frame["outcome"].map(places["outcome"]).tolist(),
        *(_rounded(frame[name], 3) for name in ("p_worse", "p_equivalent", "p_better")),
        _rounded(frame["effect"], 2),
        *(_significant(frame[name]) for name in ("p_raw", "p_wilcoxon", "p_paired_t")),
        frame["n_splits"].astype(int).tolist(),
        frame["missing"].astype(int).tolist(),
        *(_rounded(100 * frame[f"minority_{name}"], 2) for name in ("recall", "precision")),
        _rounded(frame["detectable"].where(frame["detectable"] <= gain_range(metric)[1]) * scale, digits),
        *(_rounded(frame[name] * scale, digits) for name in ("low_family", "high_family")),
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def _rounded(values: Iterable[float], digits: int) -> list[float | None]:
    return [round(value, digits) if math.isfinite(value) else None for value in values]


def _significant(values: Iterable[float]) -> list[float | None]:
    return [float(f"{p:.3g}") if math.isfinite(p) else None for p in values]


def balance(results: Results) -> Table:
    """Rows asked for and made, by scenario, augmenter and class, in the mean over splits' fits on all rows."""
    records = results.evidence.records
    order = _places(results.scenarios)
    labels = results.evidence.runs[["scenario", "augmenter", "loss", "identity"]].itertuples(index=False)
    entries: list[tuple[Scenario, str, OfClass]] = []
    for scenario, augmenter, loss, identity in sorted(labels, key=lambda row: (order[row[0]], *row[1:])):
        # Augmentation comes before the loss.
        if augmenter != NO_AUGMENTER and loss == results.losses[0]:
            entries += ((scenario, augmenter, of_class) for of_class in _balance(records[identity]["balance"]))
    kept = sorted(entries, key=lambda entry: (entry[2].is_as_asked, order[entry[0]]))[: limits.BALANCE_ROWS]
    ats = _ats(results)
    augmenters = _places(results.augmenters)
    classes, reasons = (
        _places(dict.fromkeys(getattr(of_class, name) for *_, of_class in kept)) for name in ("name", "reason")
    )
    rows = [
        [
            results.panels.index(results.panel_of[scenario]),
            ats.index(scenario.at),
            augmenters[augmenter],
            classes[of_class.name],
            *of_class.counts,
            of_class.fits,
            of_class.fits_with_fallback,
            reasons[of_class.reason],
        ]
        for scenario, augmenter, of_class in kept
    ]
    columns = [
        name_column("data set", 0, results.panels, filter=True),
        name_column("ratio", 1, ats, filter=True, ordered=True),
        name_column("augmenter", 2, augmenters, filter=True),
        name_column("class", 3, classes),
        column("real", "count", 4, help="real rows that a fit on all of a split's rows is given"),
        column("kept", "count", 5, help="of the real rows, those that the augmenter left in place"),
        column("asked", "count", 6),
        column("made", "count", 7, help="rows that the class has more than before; negative where rows were removed"),
        column("new", "count", 8, help="of the rows made, those that are no copy of a given row"),
        column("by fallback", "count", 9),
        column("fits", "count", 10, help="fits on all rows and on inner folds"),
        column("fits with fallback", "count", 11, help="of all fits, on inner folds, too"),
        name_column("why not as asked, e.g.", 12, reasons),
    ]
    return {"columns": columns, "rows": rows, "noun": ["class", "classes"], "left_out": len(entries) - len(kept)}


@dataclass(frozen=True)
class OfClass:
    """What became of one class in one run.

    Attributes
    ----------
    counts
        Of each of `COUNTS` the mean over splits, of the fits on all rows; None where no split has it.
    fits, fits_with_fallback
        All fits, on inner folds, too, and those in which a fallback made rows of the class.
    reason
        Why it is not as asked in some fit, or "".
    """

    name: str
    counts: list[float | None]
    fits: int
    fits_with_fallback: int
    reason: str

    @property
    def is_as_asked(self) -> bool:
        """Whether nothing needs to be said."""
        asked, made = (self.counts[COUNTS.index(name)] for name in ("asked", "made"))
        return asked == made and not self.fits_with_fallback


def _balance(balance: Mapping[str, Any]) -> Iterable[OfClass]:
    """The classes of which a run made or removed rows."""
    rows_of: dict[str, list[dict[str, Any]]] = {}
    for row in balance["data"]:
        entry = dict(zip(balance["columns"], row, strict=True))
        rows_of.setdefault(entry["class"], []).append(entry)
    for name, entries in rows_of.items():
        on_all = [entry for entry in entries if entry.get("inner") is None]
        counts = [_mean_of_known(entry.get(count) for entry in on_all) for count in COUNTS]
        with_fallback = sum(bool(entry["made_by_fallback"]) for entry in entries)
        # Negative where a sampler removes rows; asked is None where it decides by itself.
        if with_fallback or any(counts[COUNTS.index("asked") :]):
            reason = next((entry["reason"] for entry in [*on_all, *entries] if entry["reason"]), "")
            yield OfClass(name, counts, len(entries), with_fallback, reason)


def steps(results: Results) -> Table:
    """The steps that each decision rule's weights are from, over splits, and the splits that learned nothing."""
    frame = results.evidence.runs
    order = _places(results.scenarios)
    labels = sorted(
        frame[["scenario", "augmenter", "loss", "identity"]].itertuples(index=False),
        key=lambda row: (order[row[0]], results.augmenters.index(row[1]), row[2]),
    )
    methods = _places(dict.fromkeys(Method(augmenter, loss).label_without_rule for _, augmenter, loss, _ in labels))
    ats, decisions = _ats(results), list(DECISIONS)
    rows = []
    for scenario, augmenter, loss, identity in labels:
        best = pd.DataFrame(**results.evidence.records[identity]["best"])
        for decision, of_rule in best.groupby("decision", sort=False):
            taken = of_rule["step"].astype(float)
            rows.append(
                [
                    results.panels.index(results.panel_of[scenario]),
                    ats.index(scenario.at),
                    methods[Method(augmenter, loss).label_without_rule],
                    decisions.index(str(decision)),
                    *(float(value) for value in (taken.median(), taken.min(), taken.max())),
                    *_rounded([of_rule["loss"].astype(float).mean()], 4),
                    int((~of_rule["learned"].astype(bool)).sum()),
                    len(of_rule),
                ]
            )
    columns = [
        name_column("data set", 0, results.panels, filter=True),
        name_column("ratio", 1, ats, filter=True, ordered=True),
        name_column("method", 2, methods, filter=True),
        name_column("decision", 3, [words.decision(rule) for rule in decisions], filter=True),
        column("median step", "count", 4),
        column("earliest", "count", 5),
        column("latest", "count", 6),
        column("loss", "decimal", 7, help="of the rows left out of inner folds, class-balanced, mean over splits"),
        column("learned nothing", "count", 8, help="splits whose loss is no lower than that of a guess"),
        column("splits", "count", 9),
    ]
    return {"columns": columns, "rows": rows, "noun": ["line", "lines"]}


def _mean_of_known(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 1) if known else None


def runs(results: Results) -> Table:
    """What each run took."""
    frame = results.evidence.runs
    records = results.evidence.records
    stages = [stage for stage in STAGES if any(stage in record["cost"]["seconds"] for record in records.values())]
    rows = [
        [
            index,
            *_rounded((records[identity]["cost"]["seconds"].get(stage, math.nan) for stage in stages), 2),
            *_rounded([seconds], 1),
            *(records[identity]["cost"].get(count) for count in OF_COST),
            round(memory / 2**20),
            index,
        ]
        for index, (identity, seconds, memory) in enumerate(
            zip(frame["identity"], frame["seconds"], frame["peak_memory_bytes"], strict=True)
        )
    ]
    after = 2 + len(stages) + len(OF_COST)
    columns = [
        name_column("run", 0, list(frame["run"])),
        *(column(f"{stage} (s)", "decimal", 1 + index) for index, stage in enumerate(stages)),
        column("all (s)", "decimal", 1 + len(stages)),
        *(column(name.replace("_", " "), "count", 2 + len(stages) + index) for index, name in enumerate(OF_COST)),
        column("peak memory (MiB)", "count", after, help="of the process, earlier runs of the sweep included"),
        name_column("finished", after + 1, list(frame["finished"])),
    ]
    return {"columns": columns, "rows": rows, "noun": ["run", "runs"]}


def holes(results: Results) -> Table:
    """What incomplete scenarios lack."""
    gaps = results.comparison.gaps
    columns = [
        name_column("scenario", 0, gaps["scenario"]),
        name_column("lacks", 1, [method.label_without_rule for method in methods_of(gaps, ARGMAX)]),
        column("splits missing", "count", 2),
        name_column("because", 3, gaps["reason"]),
    ]
    rows = [[index, index, int(missing), index] for index, missing in enumerate(gaps["missing"])]
    return {"columns": columns, "rows": rows, "noun": ["gap", "gaps"]}


def failures(results: Results) -> Table:
    """Runs that failed, with their sentence and what they were asked for."""
    failures = results.evidence.failures
    columns = [
        name_column("run", 0, [each["run"] for each in failures]),
        name_column("why", 1, [each["sentence"] for each in failures]),
        name_column("kind", 2, [each["type"] for each in failures]),
        name_column("asked for", 3, [" ".join(each["overrides"]) for each in failures]),
        name_column("of the last sweep", 4, ["yes" if each.get("current") else "no" for each in failures]),
    ]
    return {"columns": columns, "rows": [[i] * 5 for i in range(len(failures))], "noun": ["failure", "failures"]}


def all_tables(results: Results) -> dict[str, Table]:
    """The page's tables by name."""
    return {
        "comparisons": comparisons(results),
        "balance": balance(results),
        "steps": steps(results),
        "failures": failures(results),
        "holes": holes(results),
        "runs": runs(results),
    }
