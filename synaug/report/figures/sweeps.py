"""Sweeps of one augmenter's settings: its amount, its neighbours."""

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize

from synaug.report import words
from synaug.report.figures import style
from synaug.report.figures.material import Drawing, Material, extent

MOST_PANELS = 6
K = ("augmenter.k_neighbors.k", "augmenter.k_neighbors", "augmenter.n_neighbors")
NEIGHBOUR_METRIC = "augmenter.k_neighbors.metric"


def _gains(material: Material, metric: str, columns: list[str]) -> pd.DataFrame:
    """Gains over no augmentation under argmax, of each run, with its settings."""
    rows = material.table(metric, "none")
    rows = rows[(rows["decision"] == "argmax") & (rows["augmenter"] != "picked")].dropna(subset=["gain"])
    runs = material.evidence.runs
    settings = runs[["block", "augmenter", "loss", *columns]].assign(base=runs["augmenter"].str.split(" ").str[0])
    return rows.merge(settings.drop_duplicates(["block", "augmenter", "loss"]), on=["block", "augmenter", "loss"])


def amounts(material: Material, metric: str) -> Drawing | None:
    """Gain against the share of the gap that is filled."""
    gains = _gains(material, metric, ["amount"])
    gains = gains[gains["base"] != "none"]
    if gains.groupby("base")["amount"].nunique().max() < 3 if len(gains) else True:
        return None
    gains = gains.groupby(["block", "base", "amount"], as_index=False)[["gain", "low", "high"]].mean()
    blocks = list(material.blocks.index[material.blocks.index.isin(gains["block"].unique())])
    shown = blocks[:MOST_PANELS]
    n_columns = min(3, len(shown))
    n_rows = -(-len(shown) // n_columns)
    order = list(dict.fromkeys(gains["base"]))
    with style.applied():
        figure = style.figure(3.9 * n_rows + 1.0, style.WIDTH if n_columns > 1 else 8.5)
        grid = figure.subplots(n_rows, n_columns, squeeze=False, sharey=True)
        for axes, block in zip(grid.flat, shown, strict=False):
            for base, part in gains[gains["block"] == block].groupby("base", sort=False):
                part = part.sort_values("amount")
                # Nothing filled is no augmentation, and gains nothing.
                x = np.concatenate([[0.0], 100 * part["amount"].to_numpy()])
                y = np.concatenate([[0.0], words.scale(metric) * part["gain"].to_numpy()])
                colour, marker = style.colour(str(base), order), style.marker(str(base), order)
                axes.plot(x, y, color=colour, marker=marker, markeredgecolor="none", label=words.short(base))
            axes.axhline(0, color=style.SOFT, linewidth=1)
            style.title(axes, words.short(material.label(block), 28))
            axes.set_xlabel("share of the gap filled (%)")
            axes.tick_params(labelleft=True)
            style.rule_grid(axes)
        for axes in grid.flat[len(shown) :]:
            axes.set_visible(False)
        for row in grid:
            row[0].set_ylabel(words.gain_label(metric))
        found = {
            label: handle for axes in grid.flat for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        style.legend(figure, list(found.values()), list(found))
    best = gains.loc[gains.groupby("block", sort=False)["gain"].idxmax()]
    told = "; ".join(
        f"{material.label(block)}: {base} at {100 * amount:g} % ({words.signed(gain, metric)})"
        for block, base, amount, gain in best[["block", "base", "amount", "gain"]].to_numpy()
        if block in shown
    )
    left_out = f" {len(blocks) - len(shown)} blocks are left out." if len(blocks) > len(shown) else ""
    return Drawing(
        name=f"amount-{metric}",
        section="sweeps",
        title=f"Gain in {words.metric(metric)} against the amount of synthesis",
        alt=f"Lines of the gain in {words.metric(metric)} over no augmentation; the largest: {told}.",
        figure=figure,
        note=f"Over no augmentation, argmax for both. 100 % balances the classes.{left_out}",
        metric=metric,
    )


def _n_numbers(column: pd.Series) -> int:
    return len(set(pd.to_numeric(column, errors="coerce").dropna()))


def neighbours(material: Material, metric: str) -> Drawing | None:
    """Gain by number of neighbours and their metric."""
    runs = material.evidence.runs
    k = next((name for name in K if name in runs and _n_numbers(runs[name]) > 1), None)
    if k is None:
        return None
    columns = [k, *([NEIGHBOUR_METRIC] if NEIGHBOUR_METRIC in runs else [])]
    gains = _gains(material, metric, columns)
    gains[k] = pd.to_numeric(gains[k], errors="coerce")  # absent, or no number, for samplers without it
    gains = gains.dropna(subset=[k])
    if gains.empty:
        return None
    by = gains[NEIGHBOUR_METRIC].fillna("").astype(str) if NEIGHBOUR_METRIC in gains else ""
    gains = gains.assign(by=gains["base"] + np.where(by == "", "", " ") + by, k=gains[k])
    blocks = list(material.blocks.index[material.blocks.index.isin(gains["block"].unique())])[:MOST_PANELS]
    tables = {
        block: gains[gains["block"] == block].groupby(["by", "k"])["gain"].mean().unstack() * words.scale(metric)
        for block in blocks
    }
    limit = max(extent(table.to_numpy(dtype=float)) for table in tables.values())
    norm = Normalize(-limit, limit)
    with style.applied():
        figure = style.figure(sum(0.5 * len(table) + 1.2 for table in tables.values()) + 0.3, 9.5)
        grid = figure.subplots(len(blocks), 1, squeeze=False, height_ratios=[len(each) for each in tables.values()])
        for axes, (block, table) in zip(grid[:, 0], tables.items(), strict=True):
            values = table.to_numpy(dtype=float)
            axes.pcolormesh(np.ma.masked_invalid(values), cmap=style.DIVERGING, norm=norm, edgecolors=style.PAGE)
            for row, column in np.ndindex(*values.shape):
                if np.isfinite(values[row, column]):
                    colour = style.text_on(style.DIVERGING(norm(values[row, column])))
                    text = words.signed(values[row, column] / words.scale(metric), metric)
                    style.cell(axes, column + 0.5, row + 0.5, text, colour)
            axes.set_xticks(np.arange(values.shape[1]) + 0.5, [f"{each:g}" for each in table.columns])
            axes.set_yticks(np.arange(values.shape[0]) + 0.5, [words.short(each) for each in table.index])
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
            style.title(axes, words.short(material.label(block), 50))
        grid[-1, 0].set_xlabel("neighbours (k)")
    best = gains.iloc[int(gains["gain"].argmax())]
    return Drawing(
        name=f"neighbours-{metric}",
        section="sweeps",
        title=f"Gain in {words.metric(metric)} by neighbours",
        alt=(
            f"Heat map of the gain in {words.metric(metric)} over no augmentation by k and the neighbours' metric; "
            f"from {words.signed(gains['gain'].min(), metric)} to {words.signed(gains['gain'].max(), metric)}, the "
            f"largest with k = {best['k']:g}, {best['by']}, on {material.label(best['block'])}."
        ),
        figure=figure,
        note="Over no augmentation, argmax for both.",
        metric=metric,
    )
