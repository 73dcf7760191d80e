"""Confusion matrices: what is taken for what."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from synaug.comparison.labels import BASELINE, BEST_WITH_SYNTHESIS, BEST_WITHOUT_SYNTHESIS, Scenario
from synaug.report import limits, words
from synaug.report.drawing import colours, style
from synaug.report.drawing.contract import Drawing, FigureKind, Question, for_each_example
from synaug.report.results import Results
from synaug.settings.names import of_class


def _draw(results: Results, scenario: Scenario) -> Drawing | None:
    """Draw the baseline, and what is taken most often for the best without synthesis and for the best with it."""
    picked = (results.most_taken(scenario, best) for best in (BEST_WITHOUT_SYNTHESIS, BEST_WITH_SYNTHESIS))
    matrices = {}
    for method in dict.fromkeys(each for each in (BASELINE, *picked) if each is not None):
        record = results.record_of(scenario, method)
        if record is not None and record["confusion"]:  # which an older record may lack
            matrices[method] = confusion(record, method.decision)
    if not matrices:
        return None
    classes = next(iter(results.records_of(scenario).values()))["data"]["class_names"]
    with style.applied():
        n = len(classes)
        figure = style.figure(min(5.9, 3.7 + 0.2 * n) if n <= limits.CONFUSION_LABELS else 5.1)
        grid = figure.subplots(1, len(matrices), squeeze=False)[0]
        for index, (axes, (method, shares)) in enumerate(zip(grid, matrices.items(), strict=True)):
            _matrix(axes, shares, classes, names_rows=index == 0)
            parts = filter(None, (method.augmenter, method.loss, words.decision(method.decision)))
            title = "\n".join(words.short(part, 22) for part in parts)
            axes.set_title(title, loc="center")  # a square stands in the middle of its room
            axes.set_xlabel("decided class")
        grid[0].set_ylabel("actual class")
    diagonals = {method: float(np.diag(shares).mean()) for method, shares in matrices.items()}
    note = "Shares of each actual class in per cent, all splits together."
    if len(matrices) > 1:
        note += " Beside the baseline: what is picked most often without synthesis, and with it."
    if n > limits.CONFUSION_NUMBERS:
        note += f" {n} classes: darker is more" + ("; names are left out." if n > limits.CONFUSION_LABELS else ".")
    largest = {method: _largest_error(shares, classes) for method, shares in matrices.items()}
    told = "; ".join(f"{method}: {100 * diagonals[method]:.0f} %, {largest[method]}" for method in matrices)
    return Drawing(
        title=f"Confusion matrices on {words.short(results.label(scenario), 60)}",
        alt=f"Confusion matrices on {results.label(scenario)}: mean of the diagonal and largest error. {told}.",
        figure=figure,
        note=note,
    )


def confusion(record: dict[str, Any], rule: str) -> np.ndarray:
    """Shares of each actual class, `[actual, decided]`, summed over splits first."""
    matrices = [entry["matrix"] for entry in record["confusion"] if entry["decision"] == rule]
    total = np.sum(np.array(matrices, dtype=float), axis=0)
    rows = total.sum(1, keepdims=True)
    shares: np.ndarray = np.divide(total, rows, out=np.zeros_like(total), where=rows > 0)
    return shares


def _matrix(axes: Axes, shares: np.ndarray, classes: list[str], *, names_rows: bool) -> None:
    n = len(classes)
    norm = Normalize(0, 1)
    axes.imshow(shares, cmap=colours.SEQUENTIAL, norm=norm, interpolation="none", aspect="equal")
    if n <= limits.CONFUSION_NUMBERS:
        for row, column in np.ndindex(n, n):
            colour = colours.text_on(colours.SEQUENTIAL(norm(shares[row, column])))
            text = f"{100 * shares[row, column]:.0f}"
            style.cell(axes, column, row, text, colour)
    if n <= limits.CONFUSION_LABELS:
        size = style.SMALL if n <= 12 else 9
        labels = [words.short(name, 14) for name in classes]
        axes.set_xticks(range(n), labels, rotation=90 if n > 2 else 0, fontsize=size)
        axes.set_yticks(range(n), labels if names_rows else [], fontsize=size)
    else:
        axes.set_xticks([])
        axes.set_yticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _largest_error(shares: np.ndarray, classes: list[str]) -> str:
    errors = shares.copy()
    np.fill_diagonal(errors, -1)
    row, column = np.unravel_index(errors.argmax(), errors.shape)
    return f"{100 * shares[row, column]:.0f} % of {of_class(classes[row])} taken for {of_class(classes[column])}"


FIGURE = FigureKind(
    80, "Confusion", "What is taken for what.", for_each_example(_draw), question=Question.WHICH_CLASSES
)
