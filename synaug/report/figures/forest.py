"""Forest plots: differences with their intervals, over both references."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from synaug.comparison.labels import (
    ARGMAX,
    CHOSEN,
    PICKED,
    REFERENCE_LABELS,
    Method,
    Scenario,
    methods_of,
)
from synaug.comparison.significance import BETTER, INTERVAL, WORSE
from synaug.report import limits, words
from synaug.report.drawing import colours, style
from synaug.report.drawing.contract import Drawing, FigureKind, Plan, Question
from synaug.report.results import Panel, Results, of_scenarios

# What each row shows: decision, how far it stands off the middle of the row, and whether its marker is filled.
SHOWN = ((ARGMAX, -0.17, True), (CHOSEN, 0.17, False))
Line = tuple[Scenario, Method]  # a row of the figure: its method under whichever rule


def plans(results: Results) -> Iterator[Plan]:
    """One for each metric and data set (and setting)."""
    for metric in results.metrics_drawn:
        most = limits.FOREST_FIGURES - 2 * results.is_large if metric == results.metric else 1 - results.is_large
        rows = _rows(results, metric)
        present = set(rows["scenario"])
        panels = [panel for panel in results.panels if present & set(results.scenarios_of(panel))]
        for number, panel in enumerate(panels[:most], start=1):
            left_out = panels[most:] if number == 1 else []
            scenarios = results.scenarios_of(panel)
            yield Plan(
                f"{words.in_a_file_name(metric)}-{number}",
                partial(_draw, results.only(scenarios), metric, of_scenarios(rows, scenarios), panel, left_out),
                metric,
            )


FIGURE = FigureKind(
    30, "Differences with intervals", "How sure each gain is, over both references.", plans, question=Question.HOW_SURE
)


def _rows(results: Results, metric: str) -> pd.DataFrame:
    rows = results.table(metric).dropna(subset=["gain"])
    rows = rows[rows["decision"].isin([decision for decision, *_ in SHOWN])]
    return rows.assign(line=methods_of(rows, ARGMAX), significant=rows["outcome"].isin((BETTER, WORSE)))


def _draw(results: Results, metric: str, rows: pd.DataFrame, panel: Panel, left_out: list[Panel]) -> Drawing:
    lines, cut = _lines(results, rows, panel)
    shown = rows[pd.MultiIndex.from_frame(rows[["scenario", "line"]]).isin(lines)]
    positions = _positions(lines)
    with style.applied():
        figure = style.figure(0.31 * (positions[lines[-1]] + 1) + 1.9)
        references = [name for name in REFERENCE_LABELS if (shown["reference"] == name).any()]
        grid = figure.subplots(1, len(references), sharey=True, sharex=True, squeeze=False)[0]
        for axes, reference in zip(grid, references, strict=True):
            _panel(axes, shown[shown["reference"] == reference], positions, metric, results)
            axes.set_title(f"over {REFERENCE_LABELS[reference]}")
        grid[0].set_yticks(list(positions.values()), [words.short(line.label_without_rule, 34) for _, line in lines])
        grid[0].set_ylim(positions[lines[-1]] + 0.7, -1.6)
        for axes in grid:
            axes.set_xlabel(words.gain_label(metric))
        _headings(grid, lines, positions)
        handles = _legend(results, metric, shown)
        style.legend(figure, handles, [str(each.get_label()) for each in handles])
    return Drawing(
        figure=figure,
        title=f"Differences in {words.metric(metric)} on {words.short(panel, 60)}",
        alt=_alt(metric, shown, panel),
        note=_note(shown, cut, left_out),
    )


def _note(shown: pd.DataFrame, cut: int, left_out: list[Panel]) -> str:
    has_intervals = shown["low"].notna().any()
    note = f"Bars: {INTERVAL} interval, adjusted as in the table." if has_intervals else "Too few splits for intervals."
    marks = {ARGMAX: "filled: argmax", CHOSEN: "hollow: decision rule chosen on out-of-fold rows"}
    drawn = [mark for decision, mark in marks.items() if (shown["decision"] == decision).any()]
    note += f" {'; '.join(drawn).capitalize()}."
    if cut > 0:
        note += f" {cut} further rows of this data set are in the table only."
    if left_out:
        note += f" Not drawn, but in the table: {words.listed(map(words.short, left_out))}."
    return note


def _lines(results: Results, rows: pd.DataFrame, panel: Panel) -> tuple[list[Line], int]:
    """Rows that fit a figure, and how many do not: whole scenarios, the harshest ratios first."""
    order = [*results.augmenters, *PICKED]
    by_scenario: dict[Scenario, list[Method]] = {}
    for scenario in results.scenarios_of(panel):
        methods = set(rows["line"][rows["scenario"] == scenario])
        by_scenario[scenario] = sorted(methods, key=lambda method: (order.index(method.augmenter), method.loss))
    n_all = sum(map(len, by_scenario.values()))
    if n_all > limits.FOREST_ROWS:
        main = {*results.main_augmenters, *PICKED}
        by_scenario = {
            scenario: [method for method in methods if method.augmenter in main]
            for scenario, methods in by_scenario.items()
        }
    kept: list[Line] = []
    for scenario, of_scenario in reversed(by_scenario.items()):
        room = limits.FOREST_ROWS - len(kept)
        if len(of_scenario) <= room or not kept:
            kept = [*((scenario, method) for method in of_scenario[:room]), *kept]
    return kept, n_all - len(kept)


def _positions(lines: list[Line]) -> dict[Line, float]:
    """Rows from above, with room for a heading over each scenario."""
    positions: dict[Line, float] = {}
    position, previous = 0.0, None
    for line in lines:
        if previous is not None and line[0] != previous:
            position += 1.4
        positions[line] = position
        position, previous = position + 1.0, line[0]
    return positions


def _panel(axes: Axes, rows: pd.DataFrame, positions: dict[Line, float], metric: str, results: Results) -> None:
    scale = words.scale(metric)
    rope = results.comparison.rope * scale
    axes.axvspan(-rope, rope, color=colours.FAINT, alpha=0.55, linewidth=0, zorder=0)
    axes.axvline(0, color=colours.INK, linewidth=1.2, zorder=1)
    for decision, aside, filled in SHOWN:
        under_rule = rows[rows["decision"] == decision]
        for augmenter, part in under_rule.groupby("augmenter", observed=True, sort=False):
            colour = _colour(str(augmenter), results)
            y = np.array([positions[key] for key in zip(part["scenario"], part["line"], strict=True)]) + aside
            low, high = part["low"].to_numpy() * scale, part["high"].to_numpy() * scale
            axes.hlines(y, low, high, color=colour, linewidth=1.6, zorder=2)
            face = colour if filled else colours.PAGE
            axes.plot(part["gain"] * scale, y, "o", color=colour, markerfacecolor=face, markersize=6, zorder=3)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    style.rule_grid(axes, "x")


def _colour(augmenter: str, results: Results) -> str:
    main = results.main_augmenters
    return colours.Looks(main if augmenter in main else results.augmenters, results.option_of).colour(augmenter)


def _headings(grid: np.ndarray, lines: list[Line], positions: dict[Line, float]) -> None:
    for scenario in dict.fromkeys(scenario for scenario, _ in lines):
        y = min(position for line, position in positions.items() if line[0] == scenario) - 1.0
        grid[0].text(
            -0.02,
            y,
            scenario.at,
            transform=grid[0].get_yaxis_transform(),
            ha="right",
            va="center",
            fontweight="bold",
        )
        for axes in grid:
            axes.axhline(y, color=colours.FAINT, linewidth=1, zorder=0)


def _legend(results: Results, metric: str, shown: pd.DataFrame) -> list[Line2D | Patch]:
    rope = words.difference(results.comparison.rope, metric)
    looks = {
        ARGMAX: Line2D([], [], color=colours.SOFT, marker="o", label="argmax"),
        CHOSEN: Line2D(
            [], [], color=colours.SOFT, marker="o", markerfacecolor=colours.PAGE, label="rule chosen out of fold"
        ),
    }
    drawn: list[Line2D | Patch] = [look for rule, look in looks.items() if (shown["decision"] == rule).any()]
    return [*drawn, Patch(color=colours.FAINT, alpha=0.55, label=f"equivalent (±{rope})")]


def _alt(metric: str, shown: pd.DataFrame, panel: Panel) -> str:
    parts = []
    for reference, label in REFERENCE_LABELS.items():
        over = shown[shown["reference"] == reference]
        if over.empty:
            continue
        better = int((over["significant"] & over["gain"].gt(0)).sum())
        worse = int((over["significant"] & over["gain"].lt(0)).sum())
        best = over.iloc[int(over["gain"].argmax())]
        method = Method(best["augmenter"], best["loss"], best["decision"])
        interval = f"{INTERVAL} {words.signed(best['low'], metric)} to {words.signed(best['high'], metric)}"
        parts.append(
            f"over {label} {better} of {len(over)} are better and {worse} worse, the largest {method} "
            f"at {best['scenario'].at} with {words.signed(best['gain'], metric)} ({interval})"
        )
    return f"Forest plot of differences in {words.metric(metric)} on {panel}: {'; '.join(parts)}."
