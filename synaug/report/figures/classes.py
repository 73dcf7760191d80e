"""What happens to single classes: recalls and confusion matrices."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from synaug.escaping import shown
from synaug.report import words
from synaug.report.figures import style
from synaug.report.figures.material import Drawing, Material

MOST_CLASSES = 24
MOST_NUMBERS = 10  # classes: beyond, the cells of a confusion matrix hold none
MOST_LABELS = 30
MOST_ROWS = 16


def recalls(material: Material, panel: str, number: int) -> Drawing | None:
    """Draw the recall of each class, for a data set at one ratio."""
    block = material.example_block(panel)
    table = recall_table(material, block)
    return None if table.empty else _recalls(material, block, table, number)


def recall_table(material: Material, block: str) -> pd.DataFrame:
    """Mean recall over members, `[method, class]`: augmenters with argmax, then no augmentation with its rules."""
    scores = material.evidence.scores
    own = scores[(scores["block"] == block) & (scores["metric"] == "recall") & scores["class"].notna()]
    own = own[own["loss"] == min(own["loss"].astype(str), default="")]
    rules = own["decision"].astype(str)
    own = own[(rules == "argmax") | (own["augmenter"] == "none")]
    names = [words.method(str(a), "", str(d)) for a, d in zip(own["augmenter"], own["decision"], strict=True)]
    means = own.assign(method=names).groupby(["method", "class"], observed=True)["value"].mean().unstack()
    rows = [words.method("none", "", rule) for rule in ("argmax", "prior_corrected", "tuned")]
    order = [*rows, *(name for name in material.augmenters if name != "none")]
    records = material.records_of(block)
    classes = next(iter(records.values()))["data"]["class_names"] if records else []
    return means.reindex(index=[row for row in order if row in means.index], columns=classes)


def _recalls(material: Material, block: str, table: pd.DataFrame, number: int) -> Drawing:
    minority = set(next(iter(material.records_of(block).values()))["data"]["minority"])
    n_methods, n_classes = len(table), table.shape[1]
    shown = table.iloc[:MOST_ROWS]
    change = (shown - shown.iloc[0]).abs().max()
    classes = list(change.nlargest(MOST_CLASSES).index) if n_classes > MOST_CLASSES else list(table.columns)
    shown = shown[[name for name in table.columns if name in set(classes)]]
    with style.applied():
        labels = [f"{words.short(name, 18)}{'*' if name in minority else ''}" for name in shown.columns]
        upright = shown.shape[1] > 6 or style.inches(labels) > 1.2
        width = min(style.WIDTH, 3.4 + 1.3 * shown.shape[1])
        figure = style.figure(0.36 * len(shown) + 0.9 + (style.inches(labels) if upright else 0.5), width)
        axes = figure.add_subplot()
        values = shown.to_numpy(dtype=float) * 100
        norm = Normalize(0, 100)
        axes.pcolormesh(values, cmap=style.SEQUENTIAL, norm=norm, edgecolors=style.PAGE, linewidth=0.8)
        axes.invert_yaxis()
        for row, column in np.ndindex(*values.shape):
            if np.isfinite(values[row, column]):
                colour = style.text_on(style.SEQUENTIAL(norm(values[row, column])))
                text = f"{values[row, column]:.0f}"
                style.cell(axes, column + 0.5, row + 0.5, text, colour)
        axes.set_xticks(np.arange(len(labels)) + 0.5, labels, rotation=90 if upright else 0)
        axes.set_yticks(np.arange(len(shown)) + 0.5, [words.short(name, 30) for name in shown.index])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    note = f"Recall in per cent, {material.over_members(block)}."
    if any(name in minority for name in shown.columns):
        note += " An asterisk marks minority classes."
    if {*shown.index} & {*material.augmenters} - {"none"}:
        note += " Augmenters with argmax."
    if n_classes > shown.shape[1]:
        note += f" Of {n_classes} classes the {MOST_CLASSES} that change most are shown; scores.parquet has all."
    if n_methods > len(shown):
        note += f" {n_methods - len(shown)} methods are left out."
    return Drawing(
        name=f"classes-{number + 1}",
        section="classes",
        title=f"Recall of each class on {words.short(material.label(block), 60)}",
        alt=_recall_alt(material, block, shown),
        figure=figure,
        note=note,
    )


def _recall_alt(material: Material, block: str, table: pd.DataFrame) -> str:
    base = table.iloc[0].to_numpy(dtype=float)
    place = int(np.nanargmin(base))
    worst, column = table.columns[place], table.iloc[:, place].to_numpy(dtype=float)
    best = table.index[int(np.nanargmax(column))]
    first = "Without augmentation" if table.index[0] == "none" else f"With {shown(table.index[0])}"
    better = np.nanmax(column) > base[place]
    raised = f"{shown(best)} raises it to {100 * np.nanmax(column):.0f} %" if better else "no method raises it"
    return (
        f"Heat map of recalls on {material.label(block)}. {first} the worst class is {shown(worst)} "
        f"with {100 * base[place]:.0f} %; {raised}. "
        f"The mean over the classes shown goes from {100 * table.mean(axis=1).min():.0f} to "
        f"{100 * table.mean(axis=1).max():.0f} %."
    )


def confusions(material: Material, panel: str, number: int) -> Drawing | None:
    """Draw confusion matrices for a data set at one ratio: none, none with its prior corrected, an augmenter."""
    block = material.example_block(panel)
    records = material.records_of(block)
    best = material.best_on_validation(block)
    wanted = [("none", "argmax"), ("none", "prior_corrected"), *([(best, "argmax")] if best else [])]
    matrices = {
        words.method(name, "", rule): confusion(records[name], rule) for name, rule in wanted if name in records
    }
    if not matrices:
        return None
    classes = next(iter(records.values()))["data"]["class_names"]
    return _confusions(material, block, matrices, classes, number)


def confusion(record: dict[str, Any], rule: str) -> np.ndarray:
    """Shares of each actual class, `[actual, decided]`, summed over members first."""
    matrices = [entry["matrix"] for entry in record["confusion"] if entry["decision"] == rule]
    total = np.sum(np.array(matrices, dtype=float), axis=0)
    rows = total.sum(1, keepdims=True)
    shares: np.ndarray = np.divide(total, rows, out=np.zeros_like(total), where=rows > 0)
    return shares


def _confusions(
    material: Material, block: str, matrices: dict[str, np.ndarray], classes: list[str], number: int
) -> Drawing:
    with style.applied():
        n = len(classes)
        figure = style.figure(min(5.4, 3.2 + 0.2 * n) if n <= MOST_LABELS else 4.6)
        grid = figure.subplots(1, len(matrices), squeeze=False)[0]
        for index, (axes, (name, shares)) in enumerate(zip(grid, matrices.items(), strict=True)):
            _matrix(axes, shares, classes, names_rows=index == 0)
            axes.set_title(words.short(name, 22), loc="center")  # a square stands in the middle of its room
            axes.set_xlabel("decided")
        grid[0].set_ylabel("actual")
    diagonals = {name: float(np.diag(shares).mean()) for name, shares in matrices.items()}
    note = "Shares of each actual class in per cent, all members together."
    if any(name.partition(",")[0] != "none" for name in matrices):
        note += " The augmenter is the best on validation rows."
    if n > MOST_NUMBERS:
        note += f" {n} classes: darker is more" + ("; names are left out." if n > MOST_LABELS else ".")
    largest = {name: _largest_error(shares, classes) for name, shares in matrices.items()}
    told = "; ".join(f"{name}: {100 * diagonals[name]:.0f} %, {largest[name]}" for name in matrices)
    return Drawing(
        name=f"confusion-{number + 1}",
        section="confusion",
        title=f"Confusion matrices on {words.short(material.label(block), 60)}",
        alt=f"Confusion matrices on {material.label(block)}: mean of the diagonal and largest error. {told}.",
        figure=figure,
        note=note,
    )


def _matrix(axes: Axes, shares: np.ndarray, classes: list[str], *, names_rows: bool) -> None:
    n = len(classes)
    norm = Normalize(0, 1)
    axes.imshow(shares, cmap=style.SEQUENTIAL, norm=norm, interpolation="none", aspect="equal")
    if n <= MOST_NUMBERS:
        for row, column in np.ndindex(n, n):
            colour = style.text_on(style.SEQUENTIAL(norm(shares[row, column])))
            text = f"{100 * shares[row, column]:.0f}"
            style.cell(axes, column, row, text, colour)
    if n <= MOST_LABELS:
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
    return f"{100 * shares[row, column]:.0f} % of {shown(classes[row])} taken for {shown(classes[column])}"
