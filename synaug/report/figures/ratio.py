"""Scores against the imbalance ratio."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from synaug.comparison.labels import BEST_WITH_SYNTHESIS, BEST_WITHOUT_SYNTHESIS, NO_AUGMENTER, Method, Scenario
from synaug.report import limits, words
from synaug.report.drawing import colours, style
from synaug.report.drawing.contract import Drawing, FigureKind, Plan
from synaug.report.results import Panel, Results

MINORITY = "minority_recall"
BEST = (BEST_WITHOUT_SYNTHESIS, BEST_WITH_SYNTHESIS)


def plans(results: Results) -> Iterator[Plan]:
    """One for each metric; the minority's recall stands beside every metric, as what it gets is the question.

    Where there is one ratio, nothing is drawn against it.
    """
    if not _with_several(results):
        return
    for metric in results.metrics_drawn:
        if metric != MINORITY or metric == results.metric:
            yield Plan(words.in_a_file_name(metric), partial(_draw, results, metric), metric)
    if results.metric != MINORITY and MINORITY in results.comparison.metrics:
        yield Plan(MINORITY, partial(_draw, results, MINORITY))


FIGURE = FigureKind(
    20,
    "Against the imbalance ratio",
    "Scores at each ratio: the larger it is, the rarer the minority.",
    plans,
)


def _with_several(results: Results) -> list[Panel]:
    """The panels that have more than one ratio."""
    return [panel for panel in results.panels if len(results.scenarios_of(panel)) > 1]


def _draw(results: Results, metric: str) -> Drawing | None:
    """Draw each augmenter under argmax, and the best without synthesis and with it; a panel for each data set."""
    means = results.means(metric).dropna()
    augmenters = results.main_augmenters[: limits.RATIO_AUGMENTERS]
    left_out = [name for name in results.augmenters if name not in augmenters]
    methods = [Method(name, results.losses[0]) for name in augmenters]
    present = {(scenario, Method(*method)) for scenario, *method in means.index}
    methods += [best for best in BEST if best in {method for _, method in present}]
    scored = {scenario for scenario, _ in present}
    panels = [panel for panel in _with_several(results) if scored & set(results.scenarios_of(panel))]
    if not panels or not methods:
        return None
    shown = panels[: limits.LINE_PANELS]
    with style.applied():
        figure, grid = style.grid_of(len(shown), sharey=len(shown) > 1)
        looks = colours.Looks(augmenters, results.option_of)
        for axes, panel in zip(grid.flat, shown, strict=False):
            _panel(axes, results.scenarios_of(panel), means, methods, looks, words.scale(metric))
            axes.set_title(words.short(panel, 28))
        for row in grid:
            row[0].set_ylabel(words.level_label(metric))
        style.legend_of(figure, grid)
    scenarios = [scenario for panel in shown for scenario in results.scenarios_of(panel)]
    drawn = {method for scenario, method in present if scenario in scenarios and method in methods}
    notes = ["Augmenters with argmax." if drawn - {*BEST} else ""]
    bests = [best.label for best in BEST if best in drawn]
    if bests:
        joined = any(sum(not each.is_natural for each in results.scenarios_of(panel)) > 1 for panel in shown)
        look = "Dashed lines" if joined else "Diamonds"
        notes.append(f"{look}: {' and '.join(bests)}, picked on out-of-fold rows.")
    if 0 < sum(scenario.is_natural for scenario in scenarios) < len(scenarios):
        notes.append("Natural imbalance stands by itself, at the right.")
    if len(panels) > len(shown):
        notes.append(f"{len(panels) - len(shown)} of {len(panels)} data sets and settings are left out here.")
    if len(_with_several(results)) < len(results.panels):
        notes.append("Data sets and settings with only one ratio have no panel.")
    if left_out:
        notes.append(f"Left out: {words.listed(left_out)}.")
    return Drawing(
        figure=figure,
        title=f"{words.metric(metric).capitalize()} against the imbalance ratio",
        alt=_alt(results, metric, means, methods, shown),
        note=" ".join(filter(None, notes)),
    )


def _score(means: pd.Series, scenario: Scenario, method: Method) -> float:
    return float(means.get((scenario, method.augmenter, method.loss, method.decision), np.nan))


def _panel(
    axes: Axes,
    scenarios: list[Scenario],
    means: pd.Series,
    methods: list[Method],
    looks: colours.Looks,
    scale: float,
) -> None:
    n_thinned = sum(not scenario.is_natural for scenario in scenarios)
    positions = np.arange(len(scenarios), dtype=float)
    positions[n_thinned:] += 0.4 if n_thinned else 0.0
    for index, method in enumerate(methods):
        look = _look(method, looks)
        values = np.array([_score(means, scenario, method) for scenario in scenarios]) * scale
        axes.plot(positions[:n_thinned], values[:n_thinned], label=words.short(method, 34), **look)
        # Beside each other, as no line joins them that would keep them apart.
        aside = 0.5 * (index / max(1, len(methods) - 1) - 0.5)
        axes.plot(positions[n_thinned:] + aside, values[n_thinned:], **{**look, "linestyle": "none"})
    if 0 < n_thinned < len(scenarios):
        axes.axvline(positions[n_thinned] - 0.7, color=colours.FAINT, linewidth=1)
    axes.set_xticks(positions, [scenario.at for scenario in scenarios], rotation=0 if len(scenarios) <= 6 else 90)
    if not n_thinned:
        axes.set_xlim(-0.8, positions[-1] + 0.8)
    axes.set_xlabel("imbalance ratio")
    axes.tick_params(labelleft=True)
    style.rule_grid(axes)


def _look(method: Method, looks: colours.Looks) -> dict[str, Any]:
    best, is_none = method in BEST, method.augmenter == NO_AUGMENTER
    return {
        "color": looks.colour(method.augmenter),
        "marker": "D" if best else looks.marker(method.augmenter),
        "linestyle": "--" if best else "-",
        "linewidth": 2.4 if is_none else 1.6,
        "markersize": 10 if is_none and not best else 6,
        "markeredgecolor": "none",
        "zorder": 4 if best else 3,
    }


def _alt(results: Results, metric: str, means: pd.Series, methods: list[Method], panels: list[Panel]) -> str:
    parts = []
    for panel in panels:
        scenarios = results.scenarios_of(panel)
        for scenario in dict.fromkeys([scenarios[0], scenarios[-1]]):
            scores = {method: _score(means, scenario, method) for method in methods}
            told = [f"{method} {words.level(score, metric)}" for method, score in scores.items() if np.isfinite(score)]
            parts.append(f"{results.label(scenario)}: {', '.join(told)}")
    return f"{words.metric(metric).capitalize()} against the imbalance ratio. {'; '.join(parts)}."
