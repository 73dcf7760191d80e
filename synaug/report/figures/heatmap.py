"""Heat maps of gains: method x data set and ratio."""

from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from synaug.report import words
from synaug.report.figures import style
from synaug.report.figures.material import Drawing, Material, Plan, extent, is_significant

MOST_COLUMNS = 18
MOST_ROWS = 30
GAP = 0.35  # of a row, between groups of methods
MOST_FIGURES = 3
FEWEST_COLUMNS = 8  # whose width a column has at most
ROW = 0.36  # inches
METHOD = ["augmenter", "loss", "decision"]


def draw(material: Material, metric: str, reference: str, most_figures: int = MOST_FIGURES) -> Iterator[Plan]:
    """Plan the gains over one reference, in as many figures as the data sets need."""
    rows = material.table(metric, reference).dropna(subset=["gain"])
    methods, left_out = methods_shown(rows, material.augmenters)
    if not methods:
        return
    blocks = material.blocks[material.blocks.index.isin(rows["block"].unique())]
    chunks = _chunks(blocks)
    indexed = rows.assign(significant=is_significant(rows)).set_index(["block", *METHOD])
    shown = set(methods)
    indexed = indexed[[key[1:] in shown for key in indexed.index]]
    limit = words.scale(metric) * extent(indexed["gain"].to_numpy())
    n_figures = min(len(chunks), most_figures)
    unseen = [panel for chunk in chunks[most_figures:] for panel in chunk["panel"].drop_duplicates()]
    for number, chunk in enumerate(chunks[:n_figures]):
        hidden = unseen if number == n_figures - 1 else []
        yield partial(
            _figure, material, metric, reference, indexed, methods, chunk, limit, number, n_figures, left_out, hidden
        )


def methods_shown(rows: pd.DataFrame, augmenters: list[str]) -> tuple[list[tuple[str, str, str]], int]:
    """Methods in groups: augmenters with argmax, rules without augmenter, augmenters with their rule chosen."""
    place = {name: index for index, name in enumerate([*augmenters, "picked"])}
    means = rows.groupby(METHOD, observed=True)["gain"].mean()
    found = []
    for augmenter, loss, decision in means.index:
        if augmenter == "none":
            group = 0 if decision == "argmax" else 1
        elif decision in ("argmax", "chosen"):
            group = 0 if decision == "argmax" else 2
        else:
            continue
        rules = list(words.DECISIONS)
        order = rules.index(decision) if decision in rules else len(rules)
        found.append(((group, place.get(augmenter, len(place)), order, loss), (augmenter, loss, decision)))
    ordered = [method for _, method in sorted(found)]
    if len(ordered) <= MOST_ROWS:
        return ordered, 0
    kept = set(means.loc[ordered].nlargest(MOST_ROWS).index)
    return [method for method in ordered if method in kept], len(ordered) - MOST_ROWS


def _chunks(blocks: pd.DataFrame) -> list[pd.DataFrame]:
    """Blocks in pieces that fit a figure, a panel in one piece where it can be."""
    chunks: list[pd.DataFrame] = []
    for _, panel in blocks.groupby("panel", sort=False):
        for start in range(0, len(panel), MOST_COLUMNS):
            piece = panel.iloc[start : start + MOST_COLUMNS]
            if chunks and len(chunks[-1]) + len(piece) <= MOST_COLUMNS:
                chunks[-1] = pd.concat([chunks[-1], piece])
            else:
                chunks.append(piece)
    return chunks


def _figure(
    material: Material,
    metric: str,
    reference: str,
    indexed: pd.DataFrame,
    methods: list[tuple[str, str, str]],
    blocks: pd.DataFrame,
    limit: float,
    number: int,
    n_figures: int,
    left_out: int,
    unseen: list[str],
) -> Drawing:
    scale = words.scale(metric)
    norm = Normalize(-limit, limit)
    panels = list(blocks["panel"].drop_duplicates())
    rows = _rows(methods)
    n_columns = max(FEWEST_COLUMNS, len(blocks))  # a few are not stretched over the whole width
    names = [words.short(words.method(*method), 40) for method in methods]
    column = (style.WIDTH - style.inches(names) - 0.3) / n_columns
    ats = [words.short(at, 20) for at in blocks["at"]]
    upright = style.inches(ats) > column
    widths = [int((blocks["panel"] == panel).sum()) for panel in panels]
    titles = [words.short(panel, 40) for panel in panels]
    turned = any(style.inches([title]) > 0.85 * width * column for title, width in zip(titles, widths, strict=True))
    turned = turned and len(panels) > 1
    with style.applied():
        height = ROW * len(methods) + 1.6 + upright * style.inches(ats) + turned * style.inches(titles)
        figure = style.figure(height)
        ratios = [*widths, *([n_columns - len(blocks)] if len(blocks) < n_columns else [])]
        grid = figure.add_gridspec(1, len(ratios), width_ratios=ratios)
        all_axes = [figure.add_subplot(grid[0, index]) for index in range(len(ratios))]
        for index, (panel, title, axes) in enumerate(zip(panels, titles, all_axes, strict=False)):
            own = blocks[blocks["panel"] == panel]
            gains, significant = _matrices(indexed, methods, list(own.index))
            _cells(axes, gains * scale, significant, rows, metric, norm)
            labels = [words.short(at, 20) for at in own["at"]]
            axes.set_xticks(range(len(own)), labels, rotation=90 if upright else 0)
            axes.set_title(title, loc="left", rotation=90 if turned else 0)
            axes.set_yticks(rows, names if index == 0 else [])
        for axes in all_axes[len(panels) :]:
            axes.set_axis_off()
        style.colour_bar(figure, all_axes, limit, f"{words.gain_label(metric)} over {words.REFERENCES[reference]}")
    shown = indexed[indexed.index.get_level_values("block").isin(blocks.index)]
    part = f" ({number + 1} of {n_figures})" if n_figures > 1 else ""
    note = f"{_of_significance(shown)} Ratio below, data set above."
    if unseen:
        note += f" Not drawn, but in the table: {words.listed([words.short(each) for each in unseen])}."
    if left_out:
        note += f" The {MOST_ROWS} methods of the largest mean gain are shown, {left_out} more are in the table."
    return Drawing(
        name=f"gains-{metric}-over-{reference}" + (f"-{number + 1}" if n_figures > 1 else ""),
        section="gains",
        title=f"Gain in {words.metric(metric)} over {words.REFERENCES[reference]}{part}",
        alt=_alt(material, shown, metric, reference),
        figure=figure,
        note=note,
        metric=metric,
    )


def _of_significance(shown: pd.DataFrame) -> str:
    if shown["significant"].any():
        return "A dot and bold print: significant by Holm within its block (p < 0.05)."
    if shown["p_holm"].notna().any():
        return "No gain shown is significant by Holm within its block (p < 0.05)."
    return "With so few members no gain can be tested."


def _matrices(
    indexed: pd.DataFrame, methods: list[tuple[str, str, str]], blocks: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    wanted = pd.MultiIndex.from_tuples([(block, *method) for method in methods for block in blocks])
    found = indexed[["gain", "significant"]].reindex(wanted)
    shape = (len(methods), len(blocks))
    significant = found["significant"].eq(True).to_numpy()
    return found["gain"].to_numpy(dtype=float).reshape(shape), significant.reshape(shape)


def _cells(
    axes: Axes, values: np.ndarray, significant: np.ndarray, rows: np.ndarray, metric: str, norm: Normalize
) -> None:
    columns = np.arange(values.shape[1] + 1) - 0.5
    for group in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(rows) > 1) + 1):
        axes.pcolormesh(
            columns,
            np.append(rows[group] - 0.5, rows[group[-1]] + 0.5),
            np.ma.masked_invalid(values[group]),
            cmap=style.DIVERGING,
            norm=norm,
            edgecolors=style.PAGE,
            linewidth=0.8,
        )
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    dots = defaultdict(list)
    for row, column in np.ndindex(*values.shape):
        value, y = values[row, column], float(rows[row])
        if not np.isfinite(value):
            style.cell(axes, column, y, "–", style.SOFT)
            continue
        colour = style.text_on(style.DIVERGING(norm(value)))
        weight = "bold" if significant[row, column] else "normal"
        text = f"{value:.1f}" if words.scale(metric) > 1 else f"{value:.2f}"
        text = "0.0" if text == "-0.0" else text.replace("-", "−")
        style.cell(axes, column, y, text, colour, weight)
        if significant[row, column]:
            dots[colour].append((column + 0.42, y - 0.37))
    for colour, places in dots.items():
        axes.plot(*zip(*places, strict=True), "o", color=colour, markersize=3)


def _rows(methods: list[tuple[str, str, str]]) -> np.ndarray:
    """Where each method's row stands, with a gap between augmenters alone, rules alone, and both."""
    kinds = [(augmenter == "none" and decision != "argmax", decision == "argmax") for augmenter, _, decision in methods]
    gaps = [0.0, *(GAP * (before != after) for before, after in pairwise(kinds))]
    rows: np.ndarray = np.arange(len(methods)) + np.cumsum(gaps)
    return rows


def _alt(material: Material, shown: pd.DataFrame, metric: str, reference: str) -> str:
    gains = shown["gain"]
    significant = shown["significant"].astype(bool)
    best, worst = int(gains.argmax()), int(gains.argmin())

    def named(row: int) -> str:
        block, *method = gains.index[row]
        return f"{words.method(*method)} on {material.label(block)} ({words.signed(gains.iloc[row], metric)})"

    return (
        f"Heat map of gains in {words.metric(metric)} over {words.REFERENCES[reference]}: "
        f"{len(gains)} comparisons, {int((significant & gains.gt(0)).sum())} significantly better, "
        f"{int((significant & gains.lt(0)).sum())} significantly worse. "
        f"Largest: {named(best)}; smallest: {named(worst)}."
    )
