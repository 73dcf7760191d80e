"""The critical-difference diagram."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scikit_posthocs import critical_difference_diagram

from synaug.comparison.labels import BASELINE, BEST_WITH_SYNTHESIS, BEST_WITHOUT_SYNTHESIS
from synaug.comparison.ranking import Ranking
from synaug.report import limits, words
from synaug.report.drawing import colours, style
from synaug.report.drawing.contract import Drawing, FigureKind, Plan, Question
from synaug.report.results import Results

ROW = 0.42  # inches, of a name or a bar
ABOVE = 1.6  # rows, from the axis to the critical difference


def plans(results: Results) -> Iterator[Plan]:
    """One for each metric."""
    for metric in results.metrics_drawn:
        yield Plan(words.in_a_file_name(metric), partial(_draw, results, metric), metric)


FIGURE = FigureKind(
    40,
    "Ranks over all scenarios",
    "Which methods rank first across data sets and ratios.",
    plans,
    question=Question.HOW_SURE,
)


def _draw(results: Results, metric: str) -> Drawing | None:
    """Draw mean ranks over scenarios, and bars over those that differ by less than the critical difference."""
    ranking = results.comparison.rankings[metric]
    if len(ranking.mean_ranks) < 2 or not np.isfinite(ranking.mean_ranks).all():
        return None
    if not np.isfinite(ranking.critical_difference):
        return None  # one scenario: without bars, the diagram would say that all methods differ
    ranks = ranking.mean_ranks.sort_values(kind="stable")[: limits.RANKED_METHODS]
    left_out = len(ranking.mean_ranks) - len(ranks)
    with style.applied():
        figure = _diagram(ranks, ranking)
    over = words.counted(len(ranking.scenarios), "scenario")
    p, difference = words.words_for_p(ranking.iman_davenport_p), f"{ranking.critical_difference:.2f}"
    note = (
        f"Mean rank over {over}, 1 is best; methods with their rule chosen, but for the baseline. A bar joins methods "
        f"whose mean ranks differ by less than Nemenyi's critical difference, {difference}. Friedman with "
        f"Iman–Davenport: {p}."
    )
    if left_out:
        note += f" The best {len(ranks)} are drawn, {left_out} more are left out."
    in_order: list[tuple[Any, float]] = list(ranks.items())
    return Drawing(
        figure=figure,
        title=f"Mean ranks by {words.metric(metric)}",
        alt=(
            f"Critical-difference diagram by {words.metric(metric)} over {over}, mean ranks from "
            f"the best: {', '.join(f'{_name(method)} {rank:.2f}' for method, rank in in_order)}; "
            f"critical difference {difference}."
        ),
        note=" ".join([note, *ranking.cautions]),
    )


def _name(method: Any) -> str:
    """The rule goes without saying: it is chosen, but for the baseline."""
    return "the baseline" if method == BASELINE else method.label_without_rule


def _diagram(ranks: pd.Series, ranking: Ranking) -> Figure:
    n_methods, difference = len(ranking.mean_ranks), ranking.critical_difference
    figure = style.figure(1)
    axes = figure.add_subplot()
    # Methods go by their number, as names may be cut to the same text.
    p = ranking.nemenyi.loc[ranks.index, ranks.index]
    numbers = range(len(ranks))
    coloured = {BEST_WITHOUT_SYNTHESIS: colours.WITHOUT_SYNTHESIS, BEST_WITH_SYNTHESIS: colours.WITH_SYNTHESIS}
    drawn = critical_difference_diagram(
        ranks.set_axis(numbers),
        p.set_axis(numbers).set_axis(numbers, axis="columns"),
        alpha=ranking.alpha,
        ax=axes,
        label_fmt_left="{label}",
        label_fmt_right="{label}",
        color_palette={at: coloured.get(method, colours.INK) for at, method in enumerate(ranks.index)},
        marker_props={"s": 25, "clip_on": False},
        elbow_props={"linewidth": 1.2, "clip_on": False},
        crossbar_props={"color": colours.INK, "linewidth": 5},
        text_h_margin=0.03 * n_methods,
    )
    gap = 0.01 * n_methods
    for label in drawn["labels"]:
        at = int(label.get_text())
        name, rank = words.short(_name(ranks.index[at]), 28), f"{ranks.iloc[at]:.2f}"
        is_left = label.get_ha() == "right"
        label.set_text(f"{name}  {rank}" if is_left else f"{rank}  {name}")
        label.set_x(label.get_position()[0] + (-gap if is_left else gap))
    depth = 0.3 - axes.get_ylim()[0]
    end = 1 + difference
    axes.plot([1, end], [ABOVE, ABOVE], color=colours.SOFT, marker="|", markersize=12, clip_on=False)
    axes.text(end + gap, ABOVE, f"critical difference {difference:.2f}", va="center", fontsize=style.SMALL)
    axes.spines["top"].set_visible(True)
    axes.spines["top"].set_bounds(1, n_methods)
    axes.set(
        xlim=(1, max(n_methods, end)), xticks=range(1, n_methods + 1, -(-n_methods // 12)), ylim=(-depth, ABOVE + 0.4)
    )
    figure.set_figheight(0.3 + ROW * (depth + ABOVE))
    return figure
