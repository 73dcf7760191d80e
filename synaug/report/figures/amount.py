"""Gains against the amount of synthesis, where it was swept."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd

from synaug.comparison.labels import BASELINE, NO_AUGMENTER, REFERENCE_LABELS
from synaug.report import limits, words
from synaug.report.drawing import colours, style
from synaug.report.drawing.contract import Drawing, FigureKind, Plan
from synaug.report.results import Results

FEWEST_AMOUNTS = 3  # of one augmenter: fewer are no line


def plans(results: Results) -> Iterator[Plan]:
    """One, of the primary metric."""
    gains = results.gains_by_settings(results.metric, ["amount"])
    gains = gains[gains["option"] != NO_AUGMENTER]
    if gains.groupby("option")["amount"].nunique().ge(FEWEST_AMOUNTS).any():
        yield Plan(words.in_a_file_name(results.metric), partial(_draw, results, results.metric, gains), results.metric)


FIGURE = FigureKind(50, "Amount of synthesis", "What an augmenter's amount changes.", plans)


def _draw(results: Results, metric: str, gains: pd.DataFrame) -> Drawing:
    """Draw the gain against the share of the gap that is filled."""
    gains = gains.groupby(["scenario", "option", "amount"])["gain"].mean().reset_index()
    present = set(gains["scenario"])
    scenarios = [scenario for scenario in results.scenarios if scenario in present]
    shown = scenarios[: limits.LINE_PANELS]
    options = list(dict.fromkeys(gains["option"]))
    looks = colours.Looks(options, {option: option for option in options})
    with style.applied():
        figure, grid = style.grid_of(len(shown), sharey=True)
        for axes, scenario in zip(grid.flat, shown, strict=False):
            for option, line in gains[gains["scenario"] == scenario].groupby("option", sort=False):
                line = line.sort_values("amount")
                # Nothing filled is no augmentation, and gains nothing.
                x = np.concatenate([[0.0], 100 * line["amount"].to_numpy()])
                y = np.concatenate([[0.0], words.scale(metric) * line["gain"].to_numpy()])
                colour, marker = looks.colour(str(option)), looks.marker(str(option))
                axes.plot(x, y, color=colour, marker=marker, markeredgecolor="none", label=words.short(option))
            axes.axhline(0, color=colours.SOFT, linewidth=1)
            axes.set_title(words.short(results.label(scenario), 28))
            axes.set_xlabel("share of the gap filled (%)")
            axes.tick_params(labelleft=True)
            style.rule_grid(axes)
        for row in grid:
            row[0].set_ylabel(words.gain_label(metric))
        style.legend_of(figure, grid)
    best = gains.loc[gains.groupby("scenario", sort=False)["gain"].idxmax()]
    told = "; ".join(
        f"{results.label(scenario)}: {option} at {100 * amount:g} % ({words.signed(gain, metric)})"
        for scenario, option, amount, gain in best[["scenario", "option", "amount", "gain"]].to_numpy()
        if scenario in shown
    )
    n_left_out = len(scenarios) - len(shown)
    left_out = f" {words.counted(n_left_out, 'scenario')} more not drawn." if n_left_out else ""
    over = REFERENCE_LABELS["baseline"]
    return Drawing(
        figure=figure,
        title=f"Gain in {words.metric(metric)} against the amount of synthesis",
        alt=f"Lines of the gain in {words.metric(metric)} over {over}; the largest: {told}.",
        note=f"Over {over}, {BASELINE.decision} for both. 100 % balances the classes.{left_out}",
    )
