"""Reliability diagrams, before and after each decision rule."""

import numpy as np
from matplotlib.axes import Axes

from synaug.comparison.labels import NO_AUGMENTER, Scenario
from synaug.report import limits, words
from synaug.report.drawing import colours, style
from synaug.report.drawing.contract import Drawing, FigureKind, Question, for_each_example
from synaug.report.results import Results
from synaug.scores.decision import RULES

FEWEST_ROWS = 10  # in a bin: fewer say little


def _draw(results: Results, scenario: Scenario) -> Drawing | None:
    """Draw confidence against the share of hits, with axes for each rule."""
    sums = {
        augmenter: {entry["decision"]: np.array(entry["rows_confidence_hits"]) for entry in record["reliability"]}
        for augmenter, record in results.main_records(scenario, limits.CURVE_AUGMENTERS).items()
    }
    rules = [rule for rule in RULES if any(rule in by_rule for by_rule in sums.values())]
    if not rules:
        return None
    looks = colours.Looks(results.main_augmenters, results.option_of)
    with style.applied():
        figure = style.figure(4.6)
        grid = figure.subplots(1, len(rules), sharey=True, squeeze=False)[0]
        for axes, rule in zip(grid, rules, strict=True):
            _panel(axes, {name: by_rule[rule] for name, by_rule in sums.items() if rule in by_rule}, looks)
            axes.set_title(words.decision(rule).replace(", ", ",\n"))  # five stand side by side
        grid[0].set_ylabel("hits (%)")
        style.legend_of(figure, grid[:1])
    errors = "; ".join(
        f"{name}: {', '.join(_error(rule, bins) for rule, bins in by_rule.items())}" for name, by_rule in sums.items()
    )
    n_all = len(results.records_of(scenario))
    note = "On the diagonal confidence is right; below it, too high. "
    note += f"Bins with fewer than {FEWEST_ROWS} rows are not drawn."
    n_drawn = len(results.option_of.keys() & sums.keys())
    if n_all > n_drawn:
        note += f" The first {n_drawn} of {n_all} augmenters."
    return Drawing(
        figure=figure,
        title=f"Reliability on {words.short(results.label(scenario), 60)}",
        alt=(
            f"Reliability diagrams on {results.label(scenario)}, all splits together; calibration errors in points: "
            f"{errors}."
        ),
        note=note,
    )


def _error(rule: str, bins: np.ndarray) -> str:
    return f"{words.decision(rule)} {100 * calibration_error(bins):.1f}"


def calibration_error(sums: np.ndarray) -> float:
    """Expected calibration error of pooled sums `[bins, (rows, confidence, hits)]` (Guo et al. 2017)."""
    rows = sums[:, 0].sum()
    return float(np.abs(sums[:, 1] - sums[:, 2]).sum() / rows) if rows else float("nan")


def _panel(axes: Axes, sums: dict[str, np.ndarray], looks: colours.Looks) -> None:
    axes.plot([0, 100], [0, 100], color=colours.SOFT, linewidth=1, linestyle=":")
    for name, of_bins in sums.items():
        kept = of_bins[of_bins[:, 0] >= FEWEST_ROWS]
        if not len(kept):
            continue
        axes.plot(
            100 * kept[:, 1] / kept[:, 0],
            100 * kept[:, 2] / kept[:, 0],
            color=looks.colour(name),
            marker=looks.marker(name),
            markersize=9 if name == NO_AUGMENTER else 5,
            markeredgecolor="none",
            label=words.short(name),
        )
    axes.set_xlabel("confidence (%)")
    axes.set(xlim=(0, 102), ylim=(0, 102), xticks=range(0, 101, 20), yticks=range(0, 101, 20))
    style.rule_grid(axes, "both")


FIGURE = FigureKind(
    90,
    "Reliability",
    "Whether probabilities mean what they say, before and after each decision rule.",
    for_each_example(_draw),
    question=Question.WHICH_CLASSES,
)
