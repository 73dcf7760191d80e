"""Precision against recall of each minority class: what a threshold can give, and what was chosen."""

import itertools
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from sklearn.metrics import precision_recall_curve

from synaug.comparison.labels import Scenario
from synaug.report import kept, limits, words
from synaug.report.drawing import colours, style
from synaug.report.drawing.contract import Drawing, FigureKind, Question, for_each_example
from synaug.report.drawing.panels import FEWEST_ROWS, left_out, minority_panels
from synaug.report.kept import KeptSplit
from synaug.report.results import Results
from synaug.scores.needs import Decision, Need
from synaug.scores.thresholds import margins, tally
from synaug.settings.names import of_class

# Of a curve: of more rows, a picture shows no more.
MOST_POINTS = 200
NEED_MARKERS = ("D", "s", "^", "v", "P", "X")

Array = NDArray[np.float64]


def curve(splits: Sequence[KeptSplit], label: int) -> tuple[Array, Array]:
    """Recall and precision of one class against the rest by threshold, all splits together, `[points]` each.

    Rows are ranked by the margin that thresholds are on (`synaug.scores.thresholds`), at the data set's frequencies.
    """
    margin = np.concatenate([margins(split.as_met, label) for split in splits])
    is_of = np.concatenate([split.labels == label for split in splits])
    precision, recall, _ = precision_recall_curve(is_of, margin)
    # From the highest threshold down; of those with one recall, the first has the best precision.
    recall, precision = recall[::-1], precision[::-1]
    keep = (np.diff(recall, prepend=0.0) > 0) & (recall * is_of.sum() >= FEWEST_ROWS)
    recall, precision = recall[keep], precision[keep]
    some = np.unique(np.linspace(0, len(recall) - 1, MOST_POINTS).astype(int))
    return recall[some], precision[some]


def point(splits: Sequence[KeptSplit], decisions: Sequence[Decision], label: int) -> tuple[float, float]:
    """Recall and precision of a class under decisions, one for each split, all splits together."""
    n_classes = splits[0].log_probabilities.shape[1]
    decided = [each.classes(split.log_probabilities) for split, each in zip(splits, decisions, strict=True)]
    found = tally(np.concatenate([split.labels for split in splits]), np.concatenate(decided), n_classes)
    return float(found.recall(label)[0]), float(found.precision(label)[0])


def _draw(results: Results, scenario: Scenario) -> Drawing | None:
    """Draw one panel for each minority class that has test rows."""
    said = results.kept(scenario, limits.CURVE_AUGMENTERS)
    if not said:
        return None
    panels = minority_panels(results, scenario, said)
    names, labels = panels.class_names, panels.labels
    if not panels.shown:
        return None
    needs = [need for need in results.later.needs if set(need.classes) <= set(names)]
    marked = list(zip(itertools.cycle(NEED_MARKERS), needs))
    looks = colours.Looks(results.main_augmenters, results.option_of)
    told = []
    with style.applied():
        figure, grid = style.grid_of(len(panels.shown), sharey=True)
        for axes, label in zip(grid.flat, panels.shown, strict=False):
            own = [(marker, need) for marker, need in marked if names[label] in need.classes or not need.classes]
            points = {name: _panel(axes, name, splits, label, own, looks, names) for name, splits in said.items()}
            share = (labels == label).mean()
            axes.axhline(100 * share, color=colours.SOFT, linewidth=1, linestyle=":")
            axes.set_title(words.short(of_class(names[label]), 34))
            axes.set(xlim=(0, 102), ylim=(0, 102), xticks=range(0, 101, 20), yticks=range(0, 101, 20))
            axes.set_xlabel("recall (%)")
            style.rule_grid(axes, "both")
            told.append(f"{of_class(names[label])}: " + ", ".join(f"{name} {_told(at)}" for name, at in points.items()))
        for row in grid:
            row[0].set_ylabel("precision (%)")
        for marker, name in [("o", words.decision(kept.OF)), *((marker, need.name) for marker, need in marked)]:
            grid[0, 0].plot([], [], color=colours.SOFT, marker=marker, linestyle="", label=words.short(name))
        style.legend_of(figure, grid[:1])
    note = (
        "All test rows of all splits together, at their own class frequencies, by the threshold on the class against "
        f"the rest. A circle is what {words.decision(kept.OF)} decides"
        + ("; the other signs are what was asked for, its thresholds chosen on out-of-fold rows. " if needs else ". ")
        + "The dotted line is the class's share of the rows: the precision of guessing. A point may lie beside its "
        "curve: thresholds differ from split to split, and with several classes the others matter, too."
    )
    note += left_out(len(results.option_of.keys() & said.keys()), len(results.records_of(scenario)), panels)
    return Drawing(
        figure=figure,
        title=f"Precision against recall on {words.short(results.label(scenario), 60)}",
        alt=(
            f"Curves of precision against recall on {results.label(scenario)}, for each minority class. Recall and "
            f"precision of what {words.decision(kept.OF)} decides: {'; '.join(told)}."
        ),
        note=note,
    )


def _panel(
    axes: Axes,
    name: str,
    splits: Sequence[KeptSplit],
    label: int,
    needs: Sequence[tuple[str, Need]],
    looks: colours.Looks,
    class_names: Sequence[str],
) -> tuple[float, float]:
    """Draw one method's curve and its points; return where its own rule decides."""
    recall, precision = curve(splits, label)
    colour = looks.colour(name)
    axes.plot(
        100 * recall,
        100 * precision,
        color=colour,
        drawstyle="steps-pre",
        label=words.short(name),
        **looks.line(name),
    )
    own = point(splits, [Decision(kept.OF)] * len(splits), label)
    marks = [("o", own)]
    for marker, need in needs:
        decisions = [need.choose(split.known, class_names, split.frequencies) for split in splits]
        marks.append((marker, point(splits, decisions, label)))
    for marker, (x, y) in marks:
        style.marks(axes, [100 * x], [100 * y], colour, marker, 9)
    return own


def _told(at: tuple[float, float]) -> str:
    return f"{100 * at[0]:.0f} % and {100 * at[1]:.0f} %"


FIGURE = FigureKind(
    72,
    "Precision against recall",
    "What another threshold would give, for each minority class.",
    for_each_example(_draw),
    question=Question.NEEDS,
)
