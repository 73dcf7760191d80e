"""Expected cost against the ratio of costs: which method is cheapest, and whether any is worth using."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from synaug.comparison.labels import NO_AUGMENTER, Scenario
from synaug.report import limits, words
from synaug.report.drawing import colours, style
from synaug.report.drawing.contract import Drawing, FigureKind, Question, for_each_example
from synaug.report.drawing.panels import left_out, minority_panels
from synaug.report.kept import KeptSplit
from synaug.report.results import Results
from synaug.scores.needs import Need

# Missing a row of the class costs as much as so many false alarms.
RATIOS = np.geomspace(0.1, 1000, 81)

Array = NDArray[np.float64]


def relative_cost(splits: Sequence[KeptSplit], label: int, ratios: Array) -> Array:
    """Mean cost of a test row, in shares of what is cheaper: calling all rows of the class, or none, `[ratios]`.

    A missed row of the class costs `ratio`, a false alarm 1. A row is called of the class where its probability, at
    the data set's class frequencies, is at least 1 / (1 + ratio), which has the least expected cost (Elkan 2001). All
    splits together. After Drummond and Holte, "Cost curves", Machine Learning 65, 2006, with the ratio as the axis.
    """
    probability = np.concatenate([np.exp(split.as_met[:, label]) for split in splits])
    is_of = np.concatenate([split.labels == label for split in splits])
    thresholds = 1 / (1 + ratios)
    of_class, of_rest = np.sort(probability[is_of]), np.sort(probability[~is_of])
    missed = np.searchsorted(of_class, thresholds, side="left")
    alarms = len(of_rest) - np.searchsorted(of_rest, thresholds, side="left")
    found: Array = (ratios * missed + alarms) / np.minimum(ratios * len(of_class), len(of_rest))
    return found


def _draw(results: Results, scenario: Scenario) -> Drawing | None:
    """Draw one panel for each minority class that has test rows."""
    said = results.kept(scenario, limits.CURVE_AUGMENTERS)
    if not said:
        return None
    panels = minority_panels(results, scenario, said)
    names, counts = panels.class_names, np.bincount(panels.labels)
    if not panels.shown:
        return None
    looks = colours.Looks(results.main_augmenters, results.option_of)
    told, told_asked = [], False
    with style.applied():
        figure, grid = style.grid_of(len(panels.shown), sharey=True)
        for axes, label in zip(grid.flat, panels.shown, strict=False):
            asked = [ratio for need in results.later.needs if (ratio := ratio_of(need, names, label)) is not None]
            told_asked |= bool(asked)
            even = counts.sum() / counts[label] - 1
            marks = np.array(asked or [even])
            found = {name: _curve(axes, name, splits, label, marks, looks) for name, splits in said.items()}
            for mark in marks:
                axes.axvline(mark, color=colours.SOFT, linewidth=1, linestyle=":")
            axes.axhline(100, color=colours.SOFT, linewidth=1)
            axes.set_xscale("log")
            axes.set_xlim(RATIOS[0], RATIOS[-1])
            axes.set_ylim(0, 125)
            axes.set_xticks([0.1, 1, 10, 100, 1000], ["1:10", "1", "10", "100", "1000"])
            axes.minorticks_off()
            axes.set_title(words.short(names[label], 34))
            axes.set_xlabel("cost of missing one, in false alarms")
            style.rule_grid(axes)
            told.append(
                f"{names[label]}, where missing one costs {marks[0]:.3g} false alarms: "
                + ", ".join(f"{name} {100 * value:.0f} %" for name, value in found.items())
            )
        for row in grid:
            row[0].set_ylabel("cost (% of one answer for all)")
        style.legend_of(figure, grid[:1])
    note = (
        "All test rows of all splits together, at their own class frequencies. At each ratio of costs, a row is "
        "assigned to the class where the method's probability makes that cheaper. 100 is the cost of one answer for "
        "every row, the class or not, whichever is cheaper: above 100, that answer is better. This happens where "
        "probabilities are off. The dotted line and the signs are "
        + (
            "the costs asked for."
            if told_asked
            else "the ratio at which the class and the rest count alike, as in balanced accuracy."
        )
    )
    note += left_out(len(results.option_of.keys() & said.keys()), len(results.records_of(scenario)), panels)
    return Drawing(
        figure=figure,
        title=f"Expected cost on {words.short(results.label(scenario), 60)}",
        alt=(
            f"Curves of expected cost against the ratio of costs on {results.label(scenario)}, in per cent of the cost "
            f"of one answer for every row. {'; '.join(told)}."
        ),
        note=note,
    )


def ratio_of(need: Need, class_names: Sequence[str], label: int) -> float | None:
    """What missing a row of the class costs in false alarms, where a need's costs say so.

    That is where missing it costs the same whatever it is taken for, as does calling any other row so, more than right
    decisions in either case: always of two classes.
    """
    costs = need.costs(class_names)
    if costs is None:
        return None
    others = np.arange(len(class_names)) != label
    more = costs - np.diag(costs)[:, None]
    missed, alarms = more[label, others], more[others, label]
    if min(missed.min(), alarms.min()) <= 0 or np.ptp(missed) > 0 or np.ptp(alarms) > 0:
        return None
    return float(missed[0] / alarms[0])


def _curve(axes: Axes, name: str, splits: Sequence[KeptSplit], label: int, marks: Array, looks: colours.Looks) -> float:
    """Draw one method's curve and its marks; return the cost at the first mark."""
    colour = looks.colour(name)
    axes.plot(
        RATIOS,
        100 * relative_cost(splits, label, RATIOS),
        color=colour,
        label=words.short(name),
        **looks.line(name),
    )
    at_marks = relative_cost(splits, label, marks)
    size = 10 if name == NO_AUGMENTER else 7
    style.marks(axes, marks, 100 * at_marks, colour, looks.marker(name), size)
    return float(at_marks[0])


FIGURE = FigureKind(
    74,
    "Expected cost",
    "Which method is cheapest, by what missing a row of a minority class costs.",
    for_each_example(_draw),
    question=Question.NEEDS,
)
