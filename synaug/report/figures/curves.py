"""Losses over the steps, and the gap between training and validation accuracy of minority classes."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from synaug.report import words
from synaug.report.figures import style
from synaug.report.figures.material import Drawing, Material

MOST_AUGMENTERS = 6


def draw(material: Material, panel: str, number: int) -> Drawing | None:
    """Draw, for a data set at one ratio, means over members: losses at the left, the gap at the right."""
    block = material.example_block(panel)
    curves = {
        name: pd.DataFrame(**record["curves"]).astype(float).groupby("step").mean()
        for name, record in material.main_records(block, MOST_AUGMENTERS).items()
        if record["curves"]["data"]
    }
    return _figure(material, block, curves, number) if curves else None


def gap(curve: pd.DataFrame) -> pd.Series:
    """Training minus validation accuracy of the minority classes; above 0 the classifier has learnt by heart."""
    return curve["train_minority_accuracy"] - curve["validation_minority_accuracy"]


def _figure(material: Material, block: str, curves: dict[str, pd.DataFrame], number: int) -> Drawing:
    gaps = {name: gap(curve) for name, curve in curves.items()}
    has_gaps = any(each.notna().any() for each in gaps.values())  # none where no class is a minority
    order = material.main_augmenters
    with style.applied():
        figure = style.figure(4.5, style.WIDTH if has_gaps else 7.5)
        grid = figure.subplots(1, 1 + has_gaps, squeeze=False)[0]
        losses = grid[0]
        for name, curve in curves.items():
            losses.plot(curve.index, curve["train_loss"], color=style.colour(name, order), linestyle=":")
            _with_markers(losses, curve["validation_loss"], name, order)
        style.title(losses, "loss")
        if has_gaps:
            for name, each in gaps.items():
                _with_markers(grid[1], 100 * each, name, order)
            style.title(grid[1], "minority accuracy: training − validation (points)")
            grid[1].axhline(0, color=style.SOFT, linewidth=1)
        for axes in grid:
            axes.set_xlabel("step")
            style.rule_grid(axes)
        losses.legend(
            handles=[
                Line2D([], [], color=style.SOFT, label="validation"),
                Line2D([], [], color=style.SOFT, linestyle=":", label="training"),
            ]
        )
        handles, labels = losses.get_legend_handles_labels()
        style.legend(figure, handles, labels)
    told = "; ".join(_told(name, curve, gaps[name]) for name, curve in curves.items())
    n_all = len(material.records_of(block))
    note = f"{material.over_members(block).capitalize()}. Weights are those of the best class-balanced validation loss."
    if n_all > len(curves):
        note += f" {len(curves)} of {n_all} augmenters are drawn."
    return Drawing(
        name=f"curves-{number + 1}",
        section="training",
        title=f"Training on {words.short(material.label(block), 60)}",
        alt=f"Loss curves on {material.label(block)}, {material.over_members(block)}. {told}.",
        figure=figure,
        note=note,
    )


def _told(name: str, curve: pd.DataFrame, gaps: pd.Series) -> str:
    losses = curve["validation_loss"].dropna()
    lowest = f"lowest validation loss {losses.min():.3f} at step {losses.idxmin():g}" if len(losses) else "no loss"
    known = gaps.dropna()
    return f"{name}: {lowest}" + (f", gap in the end {100 * known.iloc[-1]:+.0f} points" if len(known) else "")


def _with_markers(axes: Axes, curve: pd.Series, name: str, order: list[str]) -> None:
    axes.plot(
        curve.index,
        curve,
        color=style.colour(name, order),
        marker=style.marker(name, order),
        markevery=max(1, len(curve) // 6),
        markeredgecolor="none",
        label=words.short(name),
    )
