"""Losses over the steps, and the gap between training and validation accuracy of minority classes."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from synaug.report import style, words
from synaug.report.material import Drawing, Material

MOST_AUGMENTERS = 6


def draw(material: Material, panel: str, number: int) -> Drawing | None:
    """Draw, for a data set at one ratio, means over members: losses at the left, the gap at the right."""
    block = material.example_block(panel)
    curves = {
        name: pd.DataFrame(**record["curves"]).groupby("step").mean(numeric_only=True)
        for name, record in material.main_records(block, MOST_AUGMENTERS).items()
        if record["curves"]["data"]
    }
    return _figure(material, block, curves, number) if curves else None


def gap(curve: pd.DataFrame) -> pd.Series:
    """Training minus validation accuracy of the minority classes; above 0 the classifier has learnt by heart."""
    return curve["train_minority_accuracy"] - curve["validation_minority_accuracy"]


def _figure(material: Material, block: str, curves: dict[str, pd.DataFrame], number: int) -> Drawing:
    with style.applied():
        figure = style.figure(4.5)
        losses, gaps = figure.subplots(1, 2)
        for name, curve in curves.items():
            colour = style.colour(name, material.main_augmenters)
            losses.plot(curve.index, curve["validation_loss"], color=colour)
            losses.plot(curve.index, curve["train_loss"], color=colour, linestyle=":")
            _with_markers(gaps, curve.index.to_numpy(), 100 * gap(curve).to_numpy(), name, material.main_augmenters)
        style.title(losses, "loss")
        style.title(gaps, "minority accuracy: training − validation (points)")
        gaps.axhline(0, color=style.SOFT, linewidth=1)
        for axes in (losses, gaps):
            axes.set_xlabel("step")
            style.rule_grid(axes)
        losses.legend(
            handles=[
                Line2D([], [], color=style.SOFT, label="validation"),
                Line2D([], [], color=style.SOFT, linestyle=":", label="training"),
            ]
        )
        handles, labels = gaps.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=5)
    told = "; ".join(
        f"{name}: lowest validation loss {curve['validation_loss'].min():.3f} at step "
        f"{curve.index[int(curve['validation_loss'].argmin())]}, "
        f"gap in the end {100 * gap(curve).iloc[-1]:+.0f} points"
        for name, curve in curves.items()
    )
    return Drawing(
        name=f"curves-{number + 1}",
        section="training",
        title=f"Training on {words.short(material.label(block), 60)}",
        alt=f"Loss curves on {material.label(block)}, means over members. {told}.",
        figure=figure,
        note="Means over members. Weights are those of each member's best class-balanced validation loss.",
    )


def _with_markers(axes: Axes, x: np.ndarray, y: np.ndarray, name: str, order: list[str]) -> None:
    axes.plot(
        x,
        y,
        color=style.colour(name, order),
        marker=style.marker(name, order),
        markevery=max(1, len(x) // 6),
        markeredgecolor="none",
        label=words.short(name),
    )
