"""What figures share that draw a panel for each minority class, or a curve with marks for each method."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from synaug.comparison.labels import Scenario
from synaug.report import limits
from synaug.report.kept import KeptSplit
from synaug.report.results import Results

FEWEST_ROWS = 3  # test rows of a class; a curve of fewer jumps


class Panels(NamedTuple):
    """The classes that panels are drawn for.

    Attributes
    ----------
    class_names
        Of the data set, `[c]`.
    labels
        Of all test rows of all splits, int64 `[n]`.
    shown
        Minority classes, those with fewest rows first, at most `limits.MINORITY_PANELS`.
    n_minority
        How many there are.
    """

    class_names: Sequence[str]
    labels: NDArray[np.int64]
    shown: Sequence[int]
    n_minority: int


def minority_panels(results: Results, scenario: Scenario, said: Mapping[str, Sequence[KeptSplit]]) -> Panels:
    """The minority classes of a scenario that have enough test rows, in what methods `said` of them."""
    record = next(iter(results.records_of(scenario).values()))
    names = record["data"]["class_names"]
    labels = np.concatenate([split.labels for split in next(iter(said.values()))])
    counts = np.bincount(labels, minlength=len(names))
    minority = [names.index(name) for name in record["data"]["minority"]]
    minority = [label for label in minority if FEWEST_ROWS <= counts[label] < len(labels)]
    shown = sorted(minority, key=lambda label: counts[label])[: limits.MINORITY_PANELS]
    return Panels(names, labels, shown, len(minority))


def left_out(n_drawn: int, n_augmenters: int, panels: Panels | None = None) -> str:
    """What a note says of augmenters and classes that are not drawn; nothing where all are."""
    note = f" {n_drawn} of {n_augmenters} augmenters are drawn." if n_augmenters > n_drawn else ""
    if panels is not None and panels.n_minority > len(panels.shown):
        note += f" Of {panels.n_minority} minority classes the {len(panels.shown)} with fewest rows are drawn."
    return note
