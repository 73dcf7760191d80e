"""Losses over the steps, and the gap between training and validation accuracy of minority classes."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from synaug.comparison.labels import Scenario
from synaug.report import limits, words
from synaug.report.drawing import colours, style
from synaug.report.drawing.contract import Drawing, FigureKind, for_each_example
from synaug.report.results import Results


def gap(curve: pd.DataFrame) -> pd.Series:
    """Training minus validation accuracy of the minority classes; above 0 the classifier has learnt by heart."""
    return curve["train_minority_accuracy"] - curve["validation_minority_accuracy"]


def _draw(results: Results, scenario: Scenario) -> Drawing | None:
    """Draw means over splits: losses at the left, the gap at the right."""
    curves = {
        name: pd.DataFrame(**record["curves"]).astype(float).groupby("step").mean()
        for name, record in results.main_records(scenario, limits.CURVE_AUGMENTERS).items()
        if record["curves"]["data"]
    }
    if not curves:
        return None
    gaps = {name: gap(curve) for name, curve in curves.items()}
    has_gaps = any(each.notna().any() for each in gaps.values())  # none where no class is a minority
    looks = colours.Looks(results.main_augmenters, results.option_of)
    with style.applied():
        figure = style.figure(4.5, style.WIDTH if has_gaps else 7.5)
        grid = figure.subplots(1, 1 + has_gaps, squeeze=False)[0]
        losses = grid[0]
        for name, curve in curves.items():
            losses.plot(curve.index, curve["train_loss"], color=looks.colour(name), linestyle=":")
            _with_markers(losses, curve["validation_loss"], name, looks)
        losses.set_title("loss")
        if has_gaps:
            for name, each in gaps.items():
                _with_markers(grid[1], 100 * each, name, looks)
            grid[1].set_title("minority accuracy: training − validation (points)")
            grid[1].axhline(0, color=colours.SOFT, linewidth=1)
        for axes in grid:
            axes.set_xlabel("step")
            style.rule_grid(axes)
        losses.legend(
            handles=[
                Line2D([], [], color=colours.SOFT, label="validation"),
                Line2D([], [], color=colours.SOFT, linestyle=":", label="training"),
            ]
        )
        style.legend_of(figure, grid[:1])
    told = "; ".join(_told(name, curve, gaps[name]) for name, curve in curves.items())
    means = results.over_splits(scenario)
    n_all = len(results.records_of(scenario))
    note = f"{means.capitalize()}. Weights are those of the best class-balanced validation loss."
    if n_all > len(curves):
        note += f" {len(curves)} of {n_all} augmenters are drawn."
    return Drawing(
        figure=figure,
        title=f"Training on {words.short(results.label(scenario), 60)}",
        alt=f"Loss curves on {results.label(scenario)}, {means}. {told}.",
        note=note,
    )


def _told(name: str, curve: pd.DataFrame, gaps: pd.Series) -> str:
    losses = curve["validation_loss"].dropna()
    lowest = f"lowest validation loss {losses.min():.3f} at step {losses.idxmin():g}" if len(losses) else "no loss"
    known = gaps.dropna()
    return f"{name}: {lowest}" + (f", gap in the end {100 * known.iloc[-1]:+.0f} points" if len(known) else "")


def _with_markers(axes: Axes, curve: pd.Series, name: str, looks: colours.Looks) -> None:
    axes.plot(
        curve.index,
        curve,
        color=looks.colour(name),
        marker=looks.marker(name),
        markevery=max(1, len(curve) // 6),
        markeredgecolor="none",
        label=words.short(name),
    )


FIGURE = FigureKind(
    100, "Training", "Losses, and how far the minority is overfitted.", for_each_example(_draw), shows_minority=True
)
