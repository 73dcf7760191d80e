"""Classifiers that were run on the same splits, side by side: what synthesis gains with each, and what each gains."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synaug.comparison.formatting import Unit
from synaug.comparison.other_classifiers import classifier_of
from synaug.comparison.side_by_side import Side, side_by_side
from synaug.comparison.stats import Difference, gain_range
from synaug.report import limits
from synaug.report.results import Results
from synaug.scores.metrics import LOSSES


@dataclass(frozen=True)
class Line:
    """One classifier, as the page writes it; "–" is what cannot be said."""

    name: str
    without: str
    with_synthesis: str
    gain: str
    interval: str
    over_first: str
    over_first_interval: str


@dataclass(frozen=True)
class OfPlace:
    """All classifiers of one data set and ratio.

    Attributes
    ----------
    label
        The data set at its ratio.
    first
        The classifier beside which the others stand.
    lines
        One for each, the first of them first.
    """

    label: str
    first: str
    lines: Sequence[Line]


def beside(results: Results) -> list[OfPlace]:
    """Every data set and ratio with several classifiers, as far as the page shows scenarios."""
    comparison = results.comparison
    unit = Unit(results.metric, comparison.rope)
    found = side_by_side(
        results.evidence.scores_of(results.metric),
        results.evidence.out_of_fold(),
        results.evidence.contents(),
        higher_is_better=results.metric not in LOSSES,
        within=gain_range(results.metric),
    )
    return [
        OfPlace(f"{sides[0].scenario.dataset} at {sides[0].scenario.at}", classifier_of(sides[0].scenario), lines)
        for sides in found[: limits.SCENARIO_TABLES]
        if (lines := [_line(side, unit) for side in sides])
    ]


def _line(side: Side, unit: Unit) -> Line:
    without, with_synthesis = (
        unit.of(each) if np.isfinite(each) else "–" for each in (side.without, side.with_synthesis)
    )
    over_first = ("–", "–") if side.over_first is None else _written(side.over_first, unit)
    return Line(classifier_of(side.scenario), without, with_synthesis, *_written(side.gain, unit), *over_first)


def _written(difference: Difference, unit: Unit) -> tuple[str, str]:
    if not np.isfinite(difference.mean):
        return "–", "–"
    interval = f"{unit.of(difference.low)} to {unit.of(difference.high)}" if np.isfinite(difference.low) else "–"
    return unit.signed(difference.mean), interval
