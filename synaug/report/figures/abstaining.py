"""Risk against coverage: what deciding only on the surest rows gives."""

import numpy as np

from synaug.comparison.labels import NO_AUGMENTER, Scenario
from synaug.report import limits, words
from synaug.report.drawing import colours, style
from synaug.report.drawing.contract import Drawing, FigureKind, Question, for_each_example
from synaug.report.drawing.panels import left_out
from synaug.report.results import Results
from synaug.scores.abstaining import area_under_risk, risk_by_coverage

MOST_POINTS = 200
LEAST_COVERAGE = 0.05  # below it a curve is of a few rows, and jumps


def _draw(results: Results, scenario: Scenario) -> Drawing | None:
    """Draw a curve for each method, where abstaining was asked for."""
    if results.later.abstained.empty:
        return None
    said = results.kept(scenario, limits.CURVE_AUGMENTERS)
    if not said:
        return None
    levels = sorted(set(results.later.abstained["abstain_below"]))
    looks = colours.Looks(results.main_augmenters, results.option_of)
    areas = {}
    with style.applied():
        figure = style.figure(5.0)
        axes = figure.add_subplot()
        for name, splits in said.items():
            log_probabilities = np.concatenate([split.as_met for split in splits])
            right = log_probabilities.argmax(1) == np.concatenate([split.labels for split in splits])
            confidence = np.exp(log_probabilities.max(1))
            areas[name] = area_under_risk(confidence, right)
            coverage, risk = risk_by_coverage(confidence, right)
            some = np.unique(np.linspace(int(LEAST_COVERAGE * len(risk)), len(risk) - 1, MOST_POINTS).astype(int))
            colour = looks.colour(name)
            axes.plot(
                100 * coverage[some],
                100 * risk[some],
                color=colour,
                label=f"{words.short(name)} ({100 * areas[name]:.1f})",
                **looks.line(name),
            )
            covered = np.array([(confidence >= level).sum() for level in levels])
            at = covered[covered > 0] - 1
            size = 10 if name == NO_AUGMENTER else 7
            style.marks(axes, 100 * coverage[at], 100 * risk[at], colour, looks.marker(name), size)
        axes.set(xlim=(0, 102), xlabel="coverage (% of rows decided on)", ylabel="risk (% of these wrong)")
        axes.set_ylim(bottom=0)
        style.rule_grid(axes, "both")
        style.legend_of(figure, np.array([[axes]]))
    note = (
        "All test rows of all splits together; each gets its likeliest class at the data set's class "
        "frequencies, the surest rows first. Signs: where a method abstains below "
        f"{words.listed(f'{level:g}' for level in levels)}. In brackets: the area under the curve, in per cent; less "
        "is better. The table has its means over splits."
    )
    note += left_out(len(results.option_of.keys() & said.keys()), len(results.records_of(scenario)))
    return Drawing(
        figure=figure,
        title=f"Risk and coverage on {words.short(results.label(scenario), 60)}",
        alt=(
            f"Curves of risk against coverage on {results.label(scenario)}; areas under them in per cent: "
            f"{', '.join(f'{name} {100 * area:.1f}' for name, area in areas.items())}."
        ),
        note=note,
    )


FIGURE = FigureKind(
    92,
    "Risk and coverage",
    "What it gives to abstain where no class is sure enough.",
    for_each_example(_draw),
    question=Question.NEEDS,
)
