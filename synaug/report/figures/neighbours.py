"""Gains by number of neighbours and their metric, where these were swept."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize

from synaug.comparison.labels import NO_AUGMENTER
from synaug.comparison.significance import INTERVAL
from synaug.comparison.surfaces import KEYS
from synaug.report import limits, words
from synaug.report.drawing import colours, style
from synaug.report.drawing.contract import Drawing, FigureKind, Plan, Question
from synaug.report.results import Results

K = ("augmenter.k_neighbors.k", "augmenter.k_neighbors", "augmenter.n_neighbors")
NEIGHBOUR_METRIC = "augmenter.k_neighbors.metric"


def plans(results: Results) -> Iterator[Plan]:
    """One, of the primary metric."""
    runs = results.evidence.runs
    k = next((name for name in K if name in runs and _n_numbers(runs[name]) > 1), None)
    if k is None:
        return
    settings = [k, *([NEIGHBOUR_METRIC] if NEIGHBOUR_METRIC in runs else [])]
    gains = results.surface(results.metric, settings)
    # Absent, or no number, for samplers without it.
    gains = gains.assign(k=pd.to_numeric(gains[k], errors="coerce")).dropna(subset=["k"])
    if not gains.empty:
        yield Plan(words.in_a_file_name(results.metric), partial(_draw, results, results.metric, gains), results.metric)


FIGURE = FigureKind(
    60,
    "Neighbours",
    "How the gain depends on the number of neighbours and on their metric.",
    plans,
    question=Question.WHICH_NEIGHBOURS,
)


def _n_numbers(column: pd.Series) -> int:
    return len(set(pd.to_numeric(column, errors="coerce").dropna()))


def _draw(results: Results, metric: str, gains: pd.DataFrame) -> Drawing:
    """Draw a heat map for each scenario: augmenter and its neighbours' metric × k."""
    distance = gains[NEIGHBOUR_METRIC].fillna("").astype(str) if NEIGHBOUR_METRIC in gains else ""
    gains = gains.assign(by=(gains["option"] + " " + distance).str.strip(), hubness=_hubness(results, gains))
    present = set(gains["scenario"])
    scenarios = [scenario for scenario in results.scenarios if scenario in present][: limits.LINE_PANELS]
    tables = {
        scenario: gains[gains["scenario"] == scenario].groupby(["by", "k"])["gain"].mean().unstack()
        for scenario in scenarios
    }
    scale = words.scale(metric)
    limit = scale * max(colours.extent(table.to_numpy(dtype=float)) for table in tables.values())
    norm = Normalize(-limit, limit)
    with style.applied():
        figure = style.figure(sum(0.8 * len(table) + 1.2 for table in tables.values()) + 0.3, style.WIDTH)
        heights = [len(table) for table in tables.values()]
        grid = figure.subplots(len(tables), 1, squeeze=False, height_ratios=heights)
        for axes, (scenario, table) in zip(grid[:, 0], tables.items(), strict=True):
            values = table.to_numpy(dtype=float)
            shades = np.ma.masked_invalid(scale * values)
            axes.pcolormesh(shades, cmap=colours.DIVERGING, norm=norm, edgecolors=colours.PAGE)
            for row, column in zip(*np.nonzero(np.isfinite(values)), strict=True):
                gain = values[row, column]
                colour = colours.text_on(colours.DIVERGING(norm(scale * gain)))
                here = gains["scenario"] == scenario
                points = gains[here & (gains["by"] == table.index[row]) & (gains["k"] == table.columns[column])]
                style.cell(axes, column + 0.5, row + 0.5, _written(points, gain, metric), colour)
            axes.set_xticks(np.arange(values.shape[1]) + 0.5, [f"{k:g}" for k in table.columns])
            axes.set_yticks(np.arange(values.shape[0]) + 0.5, [words.short(by) for by in table.index])
            axes.tick_params(length=0)
            axes.spines[:].set_visible(False)
            axes.set_title(words.short(results.label(scenario), 50))
        grid[-1, 0].set_xlabel("neighbours (k)")
    best = gains.iloc[int(gains["gain"].argmax())]
    n_points = words.listed(sorted({f"{n}" for n in gains["n_points"]}))
    skewed = gains["hubness"].dropna()
    hubness = f" Hubness from {skewed.min():.1f} to {skewed.max():.1f}." if len(skewed) else ""
    return Drawing(
        figure=figure,
        title=f"Gain in {words.metric(metric)} by neighbours",
        alt=(
            f"Heat map of the gain in {words.metric(metric)} over no augmentation by k and the neighbours' metric; "
            f"from {words.signed(gains['gain'].min(), metric)} to {words.signed(gains['gain'].max(), metric)}, the "
            f"largest with k = {best['k']:g}, {best['by']}, on {results.label(best['scenario'])}.{hubness}"
        ),
        note=(
            f"Over {NO_AUGMENTER} with the same loss, the decision rule chosen for both. Below the gain stands its "
            f"{INTERVAL} interval, adjusted by Holm over all points of a scenario, which are one family (of "
            f"{n_points}); then "
            "the hubness: how unequally often rows are among the k nearest neighbours of other rows of their class "
            "(skewness, mean over classes and splits; 0: no hubs)."
        ),
    )


def _written(points: pd.DataFrame, gain: float, metric: str) -> str:
    """A cell's gain, interval and hubness; several settings have a mean gain, and no interval."""
    lines = [words.signed(gain, metric)]
    if len(points) == 1 and np.isfinite(points["low"].iloc[0]):
        ends = (words.difference(points[end].iloc[0], metric) for end in ("low", "high"))
        lines.append(f"[{', '.join(ends)}]")
    if points["hubness"].notna().any():
        lines.append(f"hubness {points['hubness'].mean():.1f}")
    return "\n".join(lines)


def _hubness(results: Results, gains: pd.DataFrame) -> list[float]:
    """Of each point the mean over classes and splits; NaN where its record does not tell."""
    runs = results.evidence.runs
    identities = dict(zip(zip(*(runs[key] for key in KEYS), strict=True), runs["identity"], strict=True))
    found = []
    for point in zip(*(gains[key] for key in KEYS), strict=True):
        told = results.evidence.records[identities[point]]["diagnostics"]
        values = [row["hubness"] for row in told if isinstance(row.get("hubness"), int | float)]
        found.append(float(np.mean(values)) if values else np.nan)
    return found
