"""What was asked of decisions and what they gave, in words: on the console, and as tables of the page."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from synaug.comparison.labels import Method
from synaug.comparison.significance import INTERVAL
from synaug.files.escaping import shown, wrapped
from synaug.report import ABSTAINING, NEEDS, limits, words
from synaug.report.later import LIKELIEST, Later
from synaug.report.own_rules import OWN
from synaug.report.results import Results
from synaug.scores.needs import COST

MOST_DIGITS = 6  # behind the point


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Attributes
    ----------
    name, title, lead
        Of its section.
    names, labels
        Headings of the columns of text, and of those of numbers.
    lines
        Of each line its text and its numbers, as they are written.
    left_out
        How many lines are only in the file.
    """

    name: str
    title: str
    lead: str
    names: Sequence[str]
    labels: Sequence[str]
    lines: Sequence[tuple[Sequence[str], Sequence[str]]]
    left_out: int
    file: str


def needs(results: Results) -> Table | None:
    """What each method gave for each need; None where none was asked for."""
    table = results.later.needs_table
    if table.empty:
        return None
    lines = [
        (
            (*_scenario(results, row), _method(row), shown(row["need"]), _measure(row["measure"])),
            (
                _interval(row, "mean", "low", "high"),
                _share(row["kept"]),
                _share(row["reached"]) if row["reached"] < 1 or not math.isnan(row["asked"]) else "–",
                _threshold(row["threshold"]),
                _interval(row, "gain", "gain_low", "gain_high", signed=True),
            ),
        )
        for row in _in_order(results, table)
    ]
    labels = (f"mean, {INTERVAL} interval", "kept", "reached", "threshold", "over none")
    # Costs are never kept, and decisions among several classes have no threshold: no column of dashes.
    said = [place for place in range(len(labels)) if any(cells[place] != "–" for _, cells in lines)]
    kept = (
        " “Kept” is the share of splits whose test rows have what you asked for; “reached” is the share of splits in "
        "which the out-of-fold rows had a threshold for it. A recall that is only just reached there is missed in "
        "about half of the test folds: ask for a little more than you need."
    )
    return Table(
        "needs",
        "The decisions you asked for",
        "From the log probabilities that runs kept; nothing was trained. In each split the threshold was chosen on "
        "out-of-fold rows, and its results were measured on test rows, at their own class frequencies."
        f"{kept if {1, 2} & {*said} else ''} “Over none” compares with no augmentation under the same need, split by "
        "split. The baseline and the best without and with synthesis come first, each under its own rule, to show "
        "what the need changes. These intervals are not corrected for the number of methods.",
        (*_several(results), "method", "need", "on test rows"),
        [labels[place] for place in said],
        [(names, [cells[place] for place in said]) for names, cells in lines[: limits.NEEDS_LINES]],
        max(0, len(lines) - limits.NEEDS_LINES),
        NEEDS,
    )


def abstaining(results: Results) -> Table | None:
    """Coverage and risk of each method; None where no abstaining was asked for."""
    table = results.later.abstaining_table
    if table.empty:
        return None
    lines = [
        (
            (*_scenario(results, row), _method(row), shown(row["decision"])),
            (
                f"{row['abstain_below']:g}",
                _interval(row, "coverage", "coverage_low", "coverage_high"),
                _share(row["minority_coverage"]),
                _interval(row, "risk", "risk_low", "risk_high"),
                _share(row["balanced_risk"]),
                _share(row["aurc"]),
            ),
        )
        for row in _in_order(results, table)
    ]
    return Table(
        "abstaining",
        "Abstaining",
        "Where the probability of the class decided for, at the data set's class frequencies, is below a level, no "
        "class is named. Coverage is the share of test rows that get a class, risk the share of these that are wrong, "
        "and balanced risk its mean over classes. If a class is rare, most of its rows may get none: see the coverage "
        "of minority classes. AURC is the area under the curve of risk against coverage; less is "
        "better. Means over splits.",
        (*_several(results), "method", "decision"),
        ("below", f"coverage (%), {INTERVAL} interval", "of minority", "risk (%)", "balanced risk", "AURC (%)"),
        lines[: limits.NEEDS_LINES],
        max(0, len(lines) - limits.NEEDS_LINES),
        ABSTAINING,
    )


def lines(later: Later) -> list[str]:
    """What the console says: of each need and scenario the methods, as many as have room."""
    said = [*_needs_said(later.needs_table), *_abstaining_said(later.abstaining_table)]
    if not said:
        return []
    files = " and ".join(
        file for file, table in ((NEEDS, later.needs_table), (ABSTAINING, later.abstaining_table)) if len(table)
    )
    more = len(said) - limits.NEEDS_SAID
    rest = [f"  … and {words.counted(more, 'line')} more in {files}"] if more > 0 else []
    lead = "the decisions you asked for, on test rows (means over splits):"
    return [wrapped("\n".join([lead, *said[: limits.NEEDS_SAID], *rest]))]


def _needs_said(table: pd.DataFrame) -> Iterator[str]:
    if table.empty:
        return
    for (scenario, need), rows in table.groupby(["scenario", "need"], observed=True, sort=False):
        yield f"  {shown(need)}, {shown(scenario)}"
        for _, of_method in rows.groupby(["augmenter", "loss"], observed=True, sort=False):
            entries = of_method.to_dict("records")
            told = ", ".join(f"{_measure(row['measure'])} {_interval(row, 'mean', 'low', 'high')}" for row in entries)
            asked = [row for row in entries if not math.isnan(row["asked"])]
            kept = "".join(f"; kept in {_share(row['kept'])} % of splits" for row in asked)
            missed = entries[0]["reached"] < 1
            unmet = f"; no threshold for it in {_share(1 - entries[0]['reached'])} % of splits" if missed else ""
            yield f"    {_method(entries[0])}: {told}{kept}{unmet}"


def _abstaining_said(table: pd.DataFrame) -> Iterator[str]:
    if table.empty:
        return
    table = table[table["decision"] == LIKELIEST]
    keys = ["scenario", "decision", "abstain_below"]
    for (scenario, decision, level), rows in table.groupby(keys, observed=True, sort=False):
        yield f"  {shown(decision)}, abstaining below {level:g}, {shown(scenario)}"
        for row in rows.to_dict("records"):
            yield (
                f"    {_method(row)}: decides {_interval(row, 'coverage', 'coverage_low', 'coverage_high')} % of rows, "
                f"wrongly {_interval(row, 'risk', 'risk_low', 'risk_high')} %; AURC {_share(row['aurc'])} %"
            )


def _in_order(results: Results, table: pd.DataFrame) -> list[dict[str, Any]]:
    scenarios = {scenario: place for place, scenario in enumerate(results.scenarios)}
    augmenters = [*OWN, *results.augmenters]
    rule = "need" if "need" in table else "decision"
    rules = {name: place for place, name in enumerate(dict.fromkeys(table[rule]))}
    rows: list[dict[str, Any]] = [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
    return sorted(
        rows,
        key=lambda row: (
            scenarios[row["scenario"]],
            rules[row[rule]],
            augmenters.index(row["augmenter"]),
            row["loss"],
        ),
    )


def _several(results: Results) -> list[str]:
    """A column that tells scenarios apart, where there are several."""
    return ["scenario"] if len(results.scenarios) > 1 else []


def _scenario(results: Results, row: Any) -> list[str]:
    return [shown(results.label(row["scenario"]))] if _several(results) else []


def _method(row: Any) -> str:
    return shown(Method(row["augmenter"], row["loss"]).label_without_rule)


def _measure(name: str) -> str:
    return shown(name if name == COST else words.metric(name))


def _share(value: float) -> str:
    return "–" if math.isnan(value) else words.fixed(100 * value, 1)


def _threshold(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _interval(row: Any, mean: str, low: str, high: str, *, signed: bool = False) -> str:
    """A share in per cent, or a cost as it is, with its interval; a cost has as many digits as its interval bears."""
    if math.isnan(row[mean]):
        return "–"
    is_cost, has_ends = row.get("measure") == COST, not math.isnan(row[low])
    size = (row[high] - row[low]) / 2 if has_ends and row[high] > row[low] else abs(row[mean])
    digits = min(max(1 - math.floor(math.log10(size)), 0), MOST_DIGITS) if is_cost and size > 0 else 1

    def written(value: float, *, signed: bool = False) -> str:
        text = words.fixed(value if is_cost else 100 * value, digits)
        return (f"+{text}" if signed and text[0] not in "-−" and float(text) else text).replace("-", "−")

    ends = f" [{written(row[low])}, {written(row[high])}]" if has_ends else ""
    return written(row[mean], signed=signed) + ends
