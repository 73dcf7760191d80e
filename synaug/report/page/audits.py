"""The page's tables of audits: what synthetic rows of each scenario are like, and what the data are like."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from synaug.comparison.labels import Scenario
from synaug.report import audited, limits, words
from synaug.report.audited import MEASURES, Measure, written
from synaug.report.results import Results


@dataclass(frozen=True)
class Audit:
    """One scenario's table.

    Attributes
    ----------
    measures
        Its columns, of those that some method has.
    lines
        Each method's name, and of each measure how it is written for synthetic rows and for real ones.
    held_back
        Whether it is beside rows that were held back; else beside the training rows alone.
    deviation
        How much an accuracy of a two-sample test scatters in one split; "" where none was made.
    """

    measures: Sequence[Measure]
    lines: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    held_back: bool
    deviation: str


def of_scenario(results: Results, scenario: Scenario) -> Audit | None:
    """Make a scenario's table; None where no run made rows, or all are older than the audit."""
    found = list(audited.means(results, scenario))[: limits.SCENARIO_LINES]
    if not found:
        return None
    shown = [each for each in MEASURES if any((each.name, each.against) in of_method for _, of_method in found)]
    lines = [
        (method, [_written(each, of_method.get((each.name, each.against))) for each in shown])
        for method, of_method in found
    ]
    deviation = audited.deviation(results, scenario)
    return Audit(shown, lines, not math.isnan(deviation), words.level(deviation, "accuracy"))


def _written(measure: Measure, found: tuple[float, float] | None) -> tuple[str, str]:
    value, real = (
        "–" if each is None or math.isnan(each) else written(measure.kind, each) for each in found or (None, None)
    )
    return value, real


# Tables of a record by which the page names what made them.
LOOKS = {
    "quality": "audit of synthetic rows",
    "geometry": "geometry of the data",
    "label_noise": "count of doubtful labels",
}


def faults(results: Results) -> list[tuple[str, str, list[str]]]:
    """What failed, by a fault of synaug, in runs that are recorded all the same: of each the error, and the runs."""
    found: dict[tuple[str, str], list[str]] = {}
    for record in results.evidence.records.values():
        table = record["faults"]
        places = [table["columns"].index(name) for name in ("table", "error")]
        for name, error in dict.fromkeys(tuple(row[place] for place in places) for row in table["data"]):
            found.setdefault((LOOKS.get(name, name), error), []).append(record["run"])
    return [(what, error, runs) for (what, error), runs in found.items()]


def geometry(results: Results) -> list[tuple[str, list[str]]]:
    """Make the table of all scenarios that tell their geometry: a label, and a cell for each of `audited.GEOMETRY`."""
    table = audited.geometry(results)
    lines = []
    for scenario, rows in table.groupby("scenario", sort=False):
        whole = rows[rows["class"].isna()].groupby("measure")["value"].mean().to_dict()
        counts = rows[rows["class"].notna() & (rows["measure"] == "rows")].groupby("class")["value"].mean()
        cells = [f"{whole.get('rows', math.nan):,.0f} ({counts.min():,.0f})" if len(counts) else "–"]
        for name in list(audited.GEOMETRY)[1:]:
            kind = "share" if name in ("overlap", "separability") else "digits" if name == "fisher_ratio" else "ratio"
            value = whole.get(name, math.nan)
            if math.isnan(value):
                cells.append("–")
            else:
                cells.append(f"{value:.3g}" if kind == "digits" else written(kind, value))
        lines.append((results.label(scenario), cells))  # type: ignore[arg-type]
    return lines[: limits.GEOMETRY_ROWS]
