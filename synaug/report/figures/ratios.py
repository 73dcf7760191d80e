"""Scores against the imbalance ratio."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from synaug.report import words
from synaug.report.figures import style
from synaug.report.figures.material import Drawing, Material

MOST_PANELS = 6
MOST_AUGMENTERS = 10
FREE = ("none", "", "chosen")


def draw(material: Material, metric: str) -> Drawing | None:
    """Draw each augmenter under argmax, and the free remedy, against the ratio; a panel for each data set."""
    means = material.means(metric).dropna()
    augmenters = material.main_augmenters[:MOST_AUGMENTERS]
    left_out = [name for name in material.augmenters if name not in augmenters]
    methods = [(name, loss, "argmax") for name in augmenters for loss in material.losses[:1]]
    if FREE in {key[1:] for key in means.index}:
        methods.append(FREE)
    present = set(means.index.get_level_values("block"))
    panels = [panel for panel in material.panels if present & set(material.blocks_of(panel).index)]
    if not panels or not methods:
        return None
    shown = panels[:MOST_PANELS]
    n_columns = min(3, len(shown))
    n_rows = -(-len(shown) // n_columns)
    with style.applied():
        figure = style.figure(3.9 * n_rows + 1.1, style.WIDTH if n_columns > 1 else 7.5)
        grid = figure.subplots(n_rows, n_columns, squeeze=False, sharey=len(shown) > 1)
        for axes, panel in zip(grid.flat, shown, strict=False):
            _panel(axes, material.blocks_of(panel), means, methods, augmenters, words.scale(metric))
            style.title(axes, words.short(panel, 28))
        for axes in grid.flat[len(shown) :]:
            axes.set_visible(False)
        for row in grid:
            row[0].set_ylabel(words.level_label(metric))
        handles = {
            label: handle for axes in grid.flat for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        style.legend(figure, list(handles.values()), list(handles))
    at = [block for panel in shown for block in material.blocks_of(panel).index]
    drawn = {key[1:] for key in means.index if key[0] in at}
    notes = ["Augmenters with argmax." if drawn & set(methods) - {FREE} else ""]
    if FREE in drawn:
        joined = any(material.blocks_of(panel)["ratio"].notna().sum() > 1 for panel in shown)
        look = "dashed line" if joined else "diamond"
        notes.append(f"The {look} makes no rows and has its decision rule chosen on validation.")
    ratios = material.blocks.loc[at, "ratio"]
    if ratios.isna().any() and ratios.notna().any():
        notes.append("Natural imbalance stands by itself, at the right.")
    if len(panels) > len(shown):
        notes.append(f"{len(panels) - len(shown)} of {len(panels)} data sets and settings are left out here.")
    if left_out:
        notes.append(f"Left out: {words.listed(left_out)}.")
    return Drawing(
        name=f"ratio-{metric}",
        section="ratio",
        title=f"{words.metric(metric).capitalize()} against the imbalance ratio",
        alt=_alt(material, metric, means, methods, shown),
        figure=figure,
        note=" ".join(filter(None, notes)),
        metric=metric,
    )


def _panel(
    axes: Axes,
    blocks: pd.DataFrame,
    means: pd.Series,
    methods: list[tuple[str, str, str]],
    augmenters: list[str],
    scale: float,
) -> None:
    thinned = blocks[blocks["ratio"].notna()]
    natural = blocks[blocks["ratio"].isna()]
    positions = np.arange(len(blocks), dtype=float)
    positions[len(thinned) :] += 0.4 if len(thinned) else 0.0
    for index, method in enumerate(methods):
        augmenter = method[0]
        is_free = method == FREE
        look: dict[str, Any] = {
            "color": style.FREE if is_free else style.colour(augmenter, augmenters),
            "marker": "D" if is_free else style.marker(augmenter, augmenters),
            "linestyle": "--" if is_free else "-",
            "linewidth": 2.4 if is_free or augmenter == "none" else 1.6,
            "markersize": 10 if augmenter == "none" and not is_free else 6,
            "markeredgecolor": "none",
            "zorder": 4 if is_free else 3,
        }
        label = words.short(words.method(*method), 34)
        values = np.array([means.get((block, *method), np.nan) for block in blocks.index], dtype=float) * scale
        axes.plot(positions[: len(thinned)], values[: len(thinned)], label=label, **look)
        # Beside each other, as no line joins them that would keep them apart.
        aside = 0.5 * (index / max(1, len(methods) - 1) - 0.5)
        axes.plot(positions[len(thinned) :] + aside, values[len(thinned) :], **{**look, "linestyle": "none"})
    if len(natural) and len(thinned):
        axes.axvline(positions[len(thinned)] - 0.7, color=style.FAINT, linewidth=1)
    axes.set_xticks(positions, list(blocks["at"]), rotation=0 if len(blocks) <= 6 else 90)
    if not len(thinned):
        axes.set_xlim(-0.8, positions[-1] + 0.8)
    axes.set_xlabel("imbalance ratio")
    axes.tick_params(labelleft=True)
    style.rule_grid(axes)


def _alt(
    material: Material, metric: str, means: pd.Series, methods: list[tuple[str, str, str]], panels: list[str]
) -> str:
    parts = []
    for panel in panels:
        blocks = list(material.blocks_of(panel).index)
        for block in dict.fromkeys([blocks[0], blocks[-1]]):
            own = {words.method(*method): means.get((block, *method), np.nan) for method in methods}
            told = [f"{name} {words.level(value, metric)}" for name, value in own.items() if np.isfinite(value)]
            parts.append(f"{material.label(block)}: {', '.join(told)}")
    return f"{words.metric(metric).capitalize()} against the imbalance ratio. {'; '.join(parts)}."
