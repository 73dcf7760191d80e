"""Gains against the amount of synthesis, where it was swept."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from synaug.comparison.labels import NO_AUGMENTER
from synaug.comparison.significance import INTERVAL
from synaug.report import limits, words
from synaug.report.drawing import colours, style
from synaug.report.drawing.contract import Drawing, FigureKind, Plan, Question
from synaug.report.results import Results

FEWEST_AMOUNTS = 3  # of one augmenter: fewer are no line


def plans(results: Results) -> Iterator[Plan]:
    """One, of the primary metric."""
    gains = results.surface(results.metric, ["amount"])
    if gains.groupby("option")["amount"].nunique().ge(FEWEST_AMOUNTS).any():
        yield Plan(words.in_a_file_name(results.metric), partial(_draw, results, results.metric, gains), results.metric)


FIGURE = FigureKind(50, "Amount of synthesis", "What an augmenter's amount changes.", plans, question=Question.HOW_MUCH)


def _draw(results: Results, metric: str, gains: pd.DataFrame) -> Drawing:
    """Draw the gain against the share of the gap that is filled, with intervals."""
    gains = gains.assign(line=(gains["option"] + " " + gains["loss"]).str.strip())
    present = set(gains["scenario"])
    scenarios = [scenario for scenario in results.scenarios if scenario in present]
    shown = scenarios[: limits.LINE_PANELS]
    lines = list(dict.fromkeys(gains["line"]))
    looks = colours.Looks(lines, dict(zip(gains["line"], gains["option"], strict=True)))
    with style.applied():
        figure, grid = style.grid_of(len(shown), sharey=True)
        for axes, scenario in zip(grid.flat, shown, strict=False):
            here = gains[gains["scenario"] == scenario]
            for place, line in enumerate(dict.fromkeys(here["line"])):
                _line(axes, here[here["line"] == line], line, place - (here["line"].nunique() - 1) / 2, looks, metric)
            axes.axhline(0, color=colours.SOFT, linewidth=1)
            axes.set_title(words.short(results.label(scenario), 28))
            axes.set_xlabel("share of the gap filled (%)")
            axes.tick_params(labelleft=True)
            style.rule_grid(axes)
        for row in grid:
            row[0].set_ylabel(words.gain_label(metric))
        style.legend_of(figure, grid)
    told = "; ".join(_told(results, gains[gains["scenario"] == scenario], metric) for scenario in shown)
    n_left_out = len(scenarios) - len(shown)
    left_out = f" {words.counted(n_left_out, 'scenario')} more not drawn." if n_left_out else ""
    n_points = words.listed(sorted({f"{n}" for n in gains["n_points"]}))
    return Drawing(
        figure=figure,
        title=f"Gain in {words.metric(metric)} against the amount of synthesis",
        alt=f"Lines of the gain in {words.metric(metric)} over no augmentation; the largest: {told}.",
        note=(
            f"Over {NO_AUGMENTER} with the same loss, the decision rule chosen for both. 100 % balances the classes. "
            f"Bars: {INTERVAL} intervals, adjusted by Holm over all points of a scenario, which are one family "
            f"(of {n_points}).{left_out}"
        ),
    )


def _line(axes: Axes, points: pd.DataFrame, line: str, aside: float, looks: colours.Looks, metric: str) -> None:
    """One augmenter's; of settings beside the amount the mean is drawn, without an interval."""
    by_amount = points.groupby("amount")
    means, scale = by_amount["gain"].mean(), words.scale(metric)
    # Nothing filled is no augmentation, and gains nothing.
    x = np.concatenate([[0.0], 100 * means.index.to_numpy(dtype=float)])
    y = np.concatenate([[0.0], scale * means.to_numpy()])
    colour = looks.colour(line)
    axes.plot(x, y, color=colour, marker=looks.marker(line), markeredgecolor="none", label=words.short(line))
    single = by_amount.filter(lambda of_amount: len(of_amount) == 1).dropna(subset=["low"])
    at = 100 * single["amount"].to_numpy(dtype=float) + aside
    axes.vlines(at, scale * single["low"], scale * single["high"], color=colour, linewidth=1.2, alpha=0.7)


def _told(results: Results, gains: pd.DataFrame, metric: str) -> str:
    best = gains.iloc[int(gains["gain"].argmax())]
    interval = f"{words.difference(best['low'], metric)} to {words.difference(best['high'], metric)}"
    return (
        f"{results.label(best['scenario'])}: {best['line']} at {100 * best['amount']:g} % "
        f"({words.signed(best['gain'], metric)}, {interval})"
    )
