"""The critical-difference diagram."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from synaug.report import words
from synaug.report.figures import style
from synaug.report.figures.material import Drawing, Material

MOST_METHODS = 30
STEP = 0.42  # inches between names
LETTER = 0.115  # inches, of a letter of a name in the mean
LONGEST_NAME = 28
MOST_BESIDE = 4.2  # inches for names at either side


def draw(material: Material, metric: str) -> Drawing | None:
    """Draw mean ranks over blocks, and bars over those that Nemenyi's test does not tell apart."""
    ranking = material.comparison.rankings.get(metric)
    if ranking is None or len(ranking.mean_ranks) < 2 or not np.isfinite(ranking.mean_ranks).all():
        return None
    if not np.isfinite(ranking.critical_difference):
        return None  # one block: without bars, the diagram would say that all methods differ
    ranks = ranking.mean_ranks.sort_values(kind="stable")
    left_out = len(ranks) - MOST_METHODS
    if left_out > 0:
        ranks = ranks.iloc[:MOST_METHODS]
    difference = float(ranking.critical_difference)
    groups = cliques(ranks.to_numpy(dtype=float), difference)
    n_left = -(-len(ranks) // 2)
    depth = 0.55 + 0.2 * len(groups)  # of the bars, below the axis
    height = depth + STEP * n_left + 1.1
    with style.applied():
        figure = style.figure(height)
        axes = figure.add_subplot()
        _axis(axes, len(ranking.mean_ranks), difference)
        for row, (start, end) in enumerate(groups):
            y = 0.35 + 0.2 * row
            axes.plot([ranks.iloc[start] - 0.04, ranks.iloc[end] + 0.04], [y, y], color=style.INK, linewidth=5)
        _names(axes, ranks, n_left, depth, len(ranking.mean_ranks))
        axes.set_ylim(depth + STEP * n_left, -0.95)
    n_blocks = len(ranking.blocks)
    over = words.counted(n_blocks, "block")
    p = words.p_value(ranking.iman_davenport_p)
    note = (
        f"Mean rank over {over}, 1 is best; a bar joins methods that Nemenyi's test does not tell apart (critical "
        f"difference {difference:.2f}). Friedman with Iman–Davenport: p {'' if '<' in p else '= '}{p}."
    )
    if left_out > 0:
        note += f" The best {MOST_METHODS} are drawn, {left_out} more are left out."
    return Drawing(
        name=f"ranks-{metric}",
        section="ranks",
        title=f"Mean ranks by {words.metric(metric)}",
        alt=(
            f"Critical-difference diagram by {words.metric(metric)} over {over}, mean ranks from "
            f"the best: {', '.join(f'{name} {rank:.2f}' for name, rank in ranks.items())}; critical difference "
            f"{difference:.2f}."
        ),
        figure=figure,
        note=" ".join([note, *ranking.cautions]),
        metric=metric,
    )


def cliques(ranks: np.ndarray, difference: float) -> list[tuple[int, int]]:
    """Maximal runs of sorted ranks that lie within the critical difference, as first and last index."""
    found: list[tuple[int, int]] = []
    for start in range(len(ranks)):
        end = int(np.searchsorted(ranks, ranks[start] + difference, side="right")) - 1
        if end > start and (not found or end > found[-1][1]):
            found.append((start, end))
    return found


def _axis(axes: Axes, n_methods: int, difference: float) -> None:
    axes.plot([1, n_methods], [0, 0], color=style.INK, linewidth=1.6)
    step = -(-n_methods // 12)
    for rank in range(1, n_methods + 1):
        axes.plot([rank, rank], [0, -0.1], color=style.INK, linewidth=1.2)
        if (rank - 1) % step == 0 or rank == n_methods:
            axes.text(rank, -0.16, str(rank), ha="center", va="bottom", fontsize=style.SMALL)
    if np.isfinite(difference):
        end = 1 + difference
        axes.plot([1, end], [-0.6, -0.6], color=style.SOFT, linewidth=2)
        for edge in (1, end):
            axes.plot([edge, edge], [-0.67, -0.53], color=style.SOFT, linewidth=2)
        axes.text(
            end + 0.02 * n_methods, -0.6, f"critical difference {difference:.2f}", va="center", fontsize=style.SMALL
        )
    axes.set_axis_off()


def _names(axes: Axes, ranks: pd.Series, n_left: int, depth: float, n_methods: int) -> None:
    """Names at both sides, each at the end of a line that goes down from its rank and then aside."""
    labels = [words.short(name, LONGEST_NAME) for name in ranks.index]
    beside = min(LETTER * max(map(words.width, labels)) + 1.0, MOST_BESIDE)  # inches, with the rank
    span = n_methods - 1
    margin = span * beside / (style.WIDTH - 2 * beside)
    left, right = 1 - 0.06 * span, n_methods + 0.06 * span
    for index, (name, rank) in enumerate(ranks.items()):
        is_left = index < n_left
        row = index if is_left else len(ranks) - 1 - index
        y = depth + STEP * row
        edge = left if is_left else right
        colour = style.FREE if name == "free remedy" else style.INK
        axes.plot([rank, rank, edge], [0, y, y], color=colour, linewidth=1.2)
        label = f"{labels[index]}  {rank:.2f}" if is_left else f"{rank:.2f}  {labels[index]}"
        axes.text(
            edge - 0.01 * span if is_left else edge + 0.01 * span,
            y,
            label,
            ha="right" if is_left else "left",
            va="center",
            color=colour,
        )
    axes.set_xlim(left - margin, right + margin)
