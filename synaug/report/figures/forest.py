"""Forest plots: differences with their intervals, over both references."""

from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from synaug.report import words
from synaug.report.figures import style
from synaug.report.figures.material import Drawing, Material, Plan, is_significant

MOST_ROWS = 50
MOST_FIGURES = 6
# What each row shows: decision, how far it stands off the middle of the row, and whether its marker is filled.
SHOWN = (("argmax", -0.17, True), ("chosen", 0.17, False))


def draw(material: Material, metric: str, most_figures: int = MOST_FIGURES) -> list[Plan]:
    """Plan one figure for each data set (and setting)."""
    rows = material.table(metric).dropna(subset=["gain"])
    rows = rows[rows["decision"].isin([decision for decision, *_ in SHOWN])]
    rows = rows.assign(row=_row_labels(rows), significant=is_significant(rows))
    present = set(rows["block"])
    panels = [panel for panel in material.panels if present & set(material.blocks_of(panel).index)]
    left_out = panels[most_figures:]
    return [
        partial(_figure, material, metric, rows, panel, index, left_out)
        for index, panel in enumerate(panels[:most_figures])
    ]


def _row_labels(rows: pd.DataFrame) -> pd.Series:
    names = rows["augmenter"].astype(str).where(rows["augmenter"] != "none", "none (free remedy)")
    return (names + " " + rows["loss"].astype(str)).str.strip()


def _figure(
    material: Material, metric: str, rows: pd.DataFrame, panel: str, number: int, left_out: list[str]
) -> Drawing:
    lines, cut = _lines(material, rows, panel)
    shown = rows[pd.MultiIndex.from_frame(rows[["block", "row"]]).isin(lines)]
    positions = _positions(lines)
    with style.applied():
        figure = style.figure(0.31 * (positions[lines[-1]] + 1) + 1.9)
        references = [name for name in words.REFERENCES if (shown["reference"] == name).any()]
        grid = figure.subplots(1, len(references), sharey=True, sharex=True, squeeze=False)[0]
        for axes, reference in zip(grid, references, strict=True):
            _panel(axes, shown[shown["reference"] == reference], positions, metric, material)
            style.title(axes, f"over {words.REFERENCES[reference]}")
        grid[0].set_yticks(list(positions.values()), [words.short(label, 34) for _, label in lines])
        grid[0].set_ylim(positions[lines[-1]] + 0.7, -1.6)
        for axes in grid:
            axes.set_xlabel(words.gain_label(metric))
        _headings(grid, material, lines, positions)
        handles = _legend(material, metric, shown)
        style.legend(figure, handles, [str(each.get_label()) for each in handles])
    note = (
        "Bars: 95 % interval of the corrected test." if shown["low"].notna().any() else "Too few members for intervals."
    )
    marks = {"argmax": "filled: argmax", "chosen": "hollow: decision rule chosen on validation rows"}
    drawn = [mark for decision, mark in marks.items() if (shown["decision"] == decision).any()]
    note += f" {'; '.join(drawn).capitalize()}."
    if cut > 0:
        note += f" {cut} further rows of this data set are in the table only."
    if number == 0 and left_out:
        note += f" Not drawn, but in the table: {words.listed([words.short(each) for each in left_out])}."
    return Drawing(
        name=f"forest-{metric}-{number + 1}",
        section="forest",
        title=f"Differences in {words.metric(metric)} on {words.short(panel, 60)}",
        alt=_alt(material, metric, shown, panel),
        figure=figure,
        note=note,
        metric=metric,
    )


def _lines(material: Material, rows: pd.DataFrame, panel: str) -> tuple[list[tuple[str, str]], int]:
    """Blocks and row labels that fit a figure, and how many do not: whole blocks, the harshest ratios first."""
    order = [*material.augmenters, "picked"]
    by_block: dict[str, list[tuple[str, str]]] = {}
    for block in material.blocks_of(panel).index:
        own = rows[rows["block"] == block].drop_duplicates("row")
        places = own["augmenter"].map(order.index)
        found = own.assign(place=places).sort_values(["place", "loss"], kind="stable")
        by_block[block] = list(zip(found["augmenter"], found["row"], strict=True))
    n_all = sum(map(len, by_block.values()))
    if n_all > MOST_ROWS:
        main = {*material.main_augmenters, "picked"}
        by_block = {block: [line for line in lines if line[0] in main] for block, lines in by_block.items()}
    kept: list[tuple[str, str]] = []
    for block, lines in reversed(by_block.items()):
        room = MOST_ROWS - len(kept)
        if len(lines) <= room or not kept:
            kept = [*((block, label) for _, label in lines[:room]), *kept]
    return kept, n_all - len(kept)


def _positions(lines: list[tuple[str, str]]) -> dict[tuple[str, str], float]:
    """Rows from above, with room for a heading over each block."""
    found, position, previous = {}, 0.0, None
    for line in lines:
        if previous is not None and line[0] != previous:
            position += 1.4
        found[line] = position
        position, previous = position + 1.0, line[0]
    return found


def _panel(
    axes: Axes, rows: pd.DataFrame, positions: dict[tuple[str, str], float], metric: str, material: Material
) -> None:
    scale = words.scale(metric)
    rope = material.comparison.rope * scale
    axes.axvspan(-rope, rope, color=style.FAINT, alpha=0.55, linewidth=0, zorder=0)
    axes.axvline(0, color=style.INK, linewidth=1.2, zorder=1)
    for decision, aside, filled in SHOWN:
        own = rows[rows["decision"] == decision]
        for augmenter, part in own.groupby("augmenter", observed=True, sort=False):
            colour = style.FREE if augmenter == "none" else _colour(str(augmenter), material)
            y = np.array([positions[key] for key in zip(part["block"], part["row"], strict=True)]) + aside
            low, high = part["low"].to_numpy() * scale, part["high"].to_numpy() * scale
            axes.hlines(y, low, high, color=colour, linewidth=1.6, zorder=2)
            face = colour if filled else style.PAGE
            axes.plot(part["gain"] * scale, y, "o", color=colour, markerfacecolor=face, markersize=6, zorder=3)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    style.rule_grid(axes, "x")


def _colour(augmenter: str, material: Material) -> str:
    main = material.main_augmenters
    order = main if augmenter in main else material.augmenters
    return style.PICKED if augmenter == "picked" else style.colour(augmenter, order)


def _headings(
    grid: np.ndarray, material: Material, lines: list[tuple[str, str]], positions: dict[tuple[str, str], float]
) -> None:
    seen = set()
    for line in lines:
        if line[0] not in seen:
            seen.add(line[0])
            grid[0].text(
                -0.02,
                positions[line] - 1.0,
                material.blocks.loc[line[0], "at"],
                transform=grid[0].get_yaxis_transform(),
                ha="right",
                va="center",
                fontweight="bold",
            )
            for axes in grid:
                axes.axhline(positions[line] - 1.0, color=style.FAINT, linewidth=1, zorder=0)


def _legend(material: Material, metric: str, shown: pd.DataFrame) -> list[Line2D | Patch]:
    rope = words.signed(material.comparison.rope, metric).lstrip("+")
    looks = {
        "argmax": Line2D([], [], color=style.SOFT, marker="o", label="argmax"),
        "chosen": Line2D(
            [], [], color=style.SOFT, marker="o", markerfacecolor=style.PAGE, label="rule chosen on validation"
        ),
    }
    drawn: list[Line2D | Patch] = [look for rule, look in looks.items() if (shown["decision"] == rule).any()]
    return [*drawn, Patch(color=style.FAINT, alpha=0.55, label=f"practically equal (±{rope})")]


def _alt(material: Material, metric: str, shown: pd.DataFrame, panel: str) -> str:
    parts = []
    for reference in ("none", "free"):
        own = shown[shown["reference"] == reference]
        if own.empty:
            continue
        better = int((own["significant"] & own["gain"].gt(0)).sum())
        worse = int((own["significant"] & own["gain"].lt(0)).sum())
        best = own.iloc[int(own["gain"].argmax())]
        name = words.method(best["augmenter"], best["loss"], best["decision"])
        interval = f"95 % {words.signed(best['low'], metric)} to {words.signed(best['high'], metric)}"
        parts.append(
            f"over {words.REFERENCES[reference]} {better} of {len(own)} are significantly better and {worse} worse, "
            f"the largest {name} at {material.blocks.loc[best['block'], 'at']} with "
            f"{words.signed(best['gain'], metric)} ({interval})"
        )
    return f"Forest plot of differences in {words.metric(metric)} on {panel}: {'; '.join(parts)}."
