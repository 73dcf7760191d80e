"""What synthetic rows are like beside real ones, method by method."""

import math

from synaug.comparison.labels import Scenario
from synaug.report import audited, limits, words
from synaug.report.drawing import colours, style
from synaug.report.drawing.contract import Drawing, FigureKind, Question, for_each_example
from synaug.report.results import Results

# Of `audited.MEASURES`, those that say most in least room, each with the shortest of titles.
DRAWN = {
    "nearest": "distance to training",
    "other_class": "nearer to another class",
    "variance_ratio": "variance",
    "clipped_density": "clipped density",
    "two_sample_linear": "told apart by a plane",
    "trained_on_synthetic": "trained on them",
}


def _draw(results: Results, scenario: Scenario) -> Drawing | None:
    """Draw methods × measures: a dot for synthetic rows, a bar for real ones."""
    found = list(audited.means(results, scenario))[: limits.AUDITED_METHODS]
    # The last of a name is the one beside real rows that were held back.
    by_name = {each.name: each for each in audited.MEASURES if each.name in DRAWN}
    shown = [each for each in by_name.values() if any((each.name, each.against) in of_method for _, of_method in found)]
    if not found or not shown:
        return None
    looks = colours.Looks(results.augmenters, results.option_of)
    with style.applied():
        figure = style.figure(0.42 * len(found) + 1.5)
        grid = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
        for axes, measure in zip(grid, shown, strict=True):
            scale = 100 if measure.kind == "share" else 1
            values = []
            for row, (method, of_method) in enumerate(found):
                value, real = (scale * each for each in of_method.get((measure.name, measure.against), (math.nan,) * 2))
                values += [each for each in (value, real) if not math.isnan(each)]
                axes.plot([value, real], [row, row], color=colours.FAINT, linewidth=2)
                axes.plot([real], [row], color=colours.SOFT, marker="|", markersize=16, markeredgewidth=2.5)
                colour, marker = looks.colour(method), looks.marker(method)
                axes.plot([value], [row], color=colour, marker=marker, markersize=9, markeredgecolor="none")
            low, high = min(values, default=0), max(values, default=1)
            room = 0.12 * (high - low) or 0.1
            axes.set_xlim(low - room, high + room)
            axes.set_title(_in_lines(DRAWN[measure.name]))
            axes.xaxis.set_major_locator(style.few_ticks())
            axes.set_xlabel("%" if measure.kind == "share" else "")
            axes.tick_params(axis="y", length=0)
            axes.spines["left"].set_visible(False)
            style.rule_grid(axes, "x")
        grid[0].set_yticks(range(len(found)), [words.short(method) for method, _ in found])
        grid[0].set_ylim(len(found) - 0.5, -0.5)
    label = words.short(results.label(scenario), 60)
    told = "; ".join(
        f"{method}: {', '.join(_told(measure, of_method) for measure in shown)}" for method, of_method in found
    )
    held_back = any(key in of_method for _, of_method in found for key in audited.OF_HELD_BACK_ALONE)
    real_rows = (
        "as many real rows that were held back"
        if held_back
        else "training rows, as none, or too few, were held back: each compared with all others or, for variance and "
        "density, one half of a class compared with its other half"
    )
    return Drawing(
        figure=figure,
        title=f"Synthetic rows beside real ones on {label}",
        alt=f"Measures of synthetic rows, and of {real_rows}. {told}.",
        note=(
            f"Coloured: synthetic rows. Grey bar: {real_rows}. A perfect method would be there, too. "
            f"{results.over_splits(scenario).capitalize()} and classes that got rows."
        ),
    )


def _told(measure: audited.Measure, of_method: dict[tuple[str, str], tuple[float, float]]) -> str:
    value, real = of_method.get((measure.name, measure.against), (math.nan, math.nan))
    numbers = ["unknown" if math.isnan(each) else audited.written(measure.kind, each) for each in (value, real)]
    return f"{DRAWN[measure.name]} {numbers[0]} (real rows {numbers[1]})"


def _in_lines(title: str, most: int = 12) -> str:
    lines = [""]
    for word in title.split():
        if lines[-1] and len(lines[-1]) + len(word) >= most:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


FIGURE = FigureKind(
    85,
    "Synthetic rows beside real ones",
    "What the synthetic rows of each method are like, and what real rows are like.",
    for_each_example(_draw),
    question=Question.WHAT_ROWS,
)
