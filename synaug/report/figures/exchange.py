"""What methods are worth in real minority rows, on the learning curve of the best without synthesis."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from synaug.comparison.exchange import Curve, curves, sentence
from synaug.comparison.labels import BEST_WITH_SYNTHESIS, BEST_WITHOUT_SYNTHESIS, Method, Scenario, methods_of
from synaug.comparison.significance import INTERVAL
from synaug.comparison.stats import corrected_t_test, intervals
from synaug.record.shapes import range_of
from synaug.report import EXCHANGE, limits, words
from synaug.report.drawing import colours, style
from synaug.report.drawing.contract import Drawing, FigureKind, Plan, Question
from synaug.report.results import Results

MOST_METHODS = 6  # of each ratio


def plans(results: Results) -> Iterator[Plan]:
    """One for each learning curve, of the primary metric."""
    if results.comparison.exchange.empty:
        return
    found = curves(results.evidence, results.comparison.values[results.metric])
    order = [results.panels.index(results.panel_of[curve.scenarios[0]]) for curve in found]
    for number, place in enumerate(np.argsort(order, kind="stable")[: limits.LINE_PANELS].tolist(), start=1):
        yield Plan(
            f"{words.in_a_file_name(results.metric)}-{number}", partial(_draw, results, found[place]), results.metric
        )


FIGURE = FigureKind(
    25,
    "Worth in real texts",
    "How many more real texts of a minority class the best without synthesis needs to score as each method does.",
    plans,
    question=Question.HOW_MUCH,
)


def _draw(results: Results, curve: Curve) -> Drawing:
    """Draw the curve, and below it, on the same axis, where it has each method's score: a block for each ratio."""
    metric = results.metric
    rows = results.comparison.exchange
    rows = rows[rows["scenario"].isin(curve.scenarios)]
    rows = rows.assign(method=methods_of(rows))
    methods = _methods(results, rows)
    scenarios = [scenario for scenario in curve.scenarios if scenario in set(rows["scenario"])][: limits.LINE_PANELS]
    blocks = [(each, rows[(rows["scenario"] == each) & rows["method"].isin(methods)]) for each in scenarios]
    n_lines = sum(len(block) + 1.4 for _, block in blocks)
    with style.applied():
        figure = style.figure(0.28 * n_lines + 4.2, 9.5)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 0.28 * n_lines + 0.4])
        _curve(above, curve, metric)
        _blocks(below, blocks, methods, colours.Looks(results.augmenters, results.option_of))
        below.set_xlabel("real texts of a minority class")
    told = "; ".join(_told(scenario, block) for scenario, block in blocks)
    left_out = rows["method"].nunique() - len(methods)
    more = f" {words.counted(left_out, 'method')} more in {EXCHANGE}." if left_out else ""
    panel = results.panel_of[curve.scenarios[0]]
    return Drawing(
        figure=figure,
        title=f"Worth in real texts on {words.short(panel, 60)}",
        alt=f"Learning curve of {BEST_WITHOUT_SYNTHESIS.label} in {words.metric(metric)}. {told}.",
        note=(
            f"Above: {BEST_WITHOUT_SYNTHESIS.label}, with its {INTERVAL} interval. Below: the number of real texts at "
            f"which that curve has each method's score (with its rule chosen), with the {INTERVAL} interval, paired by "
            f"split. An interval without a stroke at its end goes on beyond the curve. Dotted line: the number of real "
            f"texts that the method had; a method to its right is worth extra texts. Intervals are not adjusted for "
            f"the number of methods.{more}"
        ),
    )


def _methods(results: Results, rows: pd.DataFrame) -> Sequence[Method]:
    """The best with synthesis, then methods with synthesis, then others, as many as a figure has room for."""
    augmenters = [BEST_WITH_SYNTHESIS.augmenter, *results.augmenters]
    named = rows.drop_duplicates("method")
    place = {
        method: (not with_synthesis, augmenters.index(method.augmenter), method.loss)
        for method, with_synthesis in zip(named["method"], named["with_synthesis"], strict=True)
    }
    return sorted(place, key=lambda method: place[method])[:MOST_METHODS]


def _curve(axes: Axes, curve: Curve, metric: str) -> None:
    values = curve.values.to_numpy(dtype=float)
    test = corrected_t_test(values.T, curve.values.index.get_level_values("fold").nunique())
    low, high = intervals(test.mean, test.error, len(values), within=range_of(metric))
    scale, colour = words.scale(metric), colours.WITHOUT_SYNTHESIS
    axes.fill_between(curve.rows, scale * low, scale * high, color=colour, alpha=0.15, linewidth=0)
    axes.plot(curve.rows, scale * values.mean(0), color=colour, marker="D", markeredgecolor="none")
    axes.set_xscale("log")
    axes.set_xticks(curve.rows, [f"{rows:.0f}" for rows in curve.rows])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(labelbottom=False)
    axes.set_ylabel(words.level_label(metric))
    axes.set_title(BEST_WITHOUT_SYNTHESIS.label)
    style.rule_grid(axes)


def _blocks(
    axes: Axes, blocks: Sequence[tuple[Scenario, pd.DataFrame]], methods: Sequence[Method], looks: colours.Looks
) -> None:
    place, labels = 0.0, {}
    for scenario, block in blocks:
        at = float(block["rows"].iloc[0])
        labels[place] = f"{scenario.at}, {at:.0f} texts"
        first = place
        of_method = {row["method"]: row for _, row in block.iterrows()}
        for method in [each for each in methods if each in of_method]:
            place += 1
            labels[place] = words.short(method.label_without_rule, 30)
            _line(axes, of_method[method], place, looks)
        axes.plot([at, at], [first + 0.5, place + 0.5], color=colours.SOFT, linewidth=1.2, linestyle=":")
        place += 1.4
    axes.set_ylim(place - 0.6, -0.7)
    axes.set_yticks(list(labels), list(labels.values()))
    axes.tick_params(axis="y", length=0)
    for label in axes.get_yticklabels():
        label.set_fontweight("bold" if ", " in label.get_text() and label.get_text().endswith(" texts") else "normal")
    style.rule_grid(axes, "x")


def _line(axes: Axes, row: "pd.Series[Any]", place: float, looks: colours.Looks) -> None:
    augmenter = row["augmenter"]
    colour, marker = looks.colour(augmenter), looks.marker(augmenter) if augmenter in looks.augmenters else "D"
    ends = [row["rows"] + row[end] for end in ("low", "high")]
    axes.plot(ends, [place, place], color=colour, linewidth=1.8)
    for end, is_open in zip(ends, (row["low_open"], row["high_open"]), strict=True):
        if not is_open:
            axes.plot([end], [place], color=colour, marker="|", markersize=9)
    x = row["rows"] + (row["worth"] if not row["beyond"] else row["most"] if row["beyond"] > 0 else row["least"])
    shown = {1: ">", -1: "<"}.get(row["beyond"], marker)
    axes.plot([x], [place], color=colour, marker=shown, markersize=7, linestyle="none", markeredgecolor="none")


def _told(scenario: Scenario, block: pd.DataFrame) -> str:
    said = [sentence(row, row["method"].label_without_rule) for _, row in block.iterrows()]
    return f"At {scenario.at}: {', '.join(said)}"
