"""The recall of each class: who gains, and who pays."""

from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize

from synaug.comparison.labels import ARGMAX, BASELINE, NO_AUGMENTER, Method, Scenario, methods_of
from synaug.report import limits, words
from synaug.report.drawing import colours, style
from synaug.report.drawing.contract import Drawing, FigureKind, Question, for_each_example
from synaug.report.results import Results
from synaug.scores.decision import RULES
from synaug.settings.names import of_class

LETTERS, WIDE = 20, 0.17  # of a method's name, without more room; inches of a wide letter beyond them


def recalls(results: Results, scenario: Scenario) -> pd.DataFrame:
    """Mean recall over splits, `[method, class]`: no augmentation with each rule, then augmenters with argmax.

    Between them stands the method that the verdict favours, where it is none of these.
    """
    scores = results.evidence.scores
    of_classes = (scores["metric"] == "recall") & scores["class"].notna()
    of_scenario = scores = scores[(scores["scenario"] == scenario) & of_classes]
    loss = min(scores["loss"].astype(str), default="")
    scores = scores[scores["loss"] == loss]
    scores = scores[(scores["decision"] == ARGMAX) | (scores["augmenter"] == NO_AUGMENTER)]
    # Of the one loss there is.
    methods = methods_of(scores.assign(loss=""))
    means = scores.assign(method=methods).groupby(["method", "class"], observed=True)["value"].mean().unstack()
    order = [*(Method(NO_AUGMENTER, decision=rule) for rule in RULES), *map(Method, results.augmenters)]
    records = results.records_of(scenario)
    classes = next(iter(records.values()))["data"]["class_names"] if records else []
    table = means.reindex(index=list(dict.fromkeys(each for each in order if each in means.index)), columns=classes)
    favoured = results.favoured(scenario)
    if favoured is None or (favoured.loss == loss and replace(favoured, loss="") in table.index):
        return table
    rows = of_scenario[methods_of(of_scenario) == favoured]
    own = rows.groupby("class", observed=True)["value"].mean().reindex(classes).to_frame(favoured).T
    n_without = sum(method.augmenter == NO_AUGMENTER for method in table.index)
    return pd.concat([table.iloc[:n_without], own, table.iloc[n_without:]])


def _draw(results: Results, scenario: Scenario) -> Drawing | None:
    """Draw methods × classes; of many classes those that change most."""
    table = recalls(results, scenario)
    if table.empty:
        return None
    minority = set(next(iter(results.records_of(scenario).values()))["data"]["minority"])
    n_methods, n_classes = table.shape
    shown = table.iloc[: limits.RECALL_METHODS]
    if n_classes > limits.RECALL_CLASSES:
        change = (shown - shown.iloc[0]).abs().max()
        most = set(change.nlargest(limits.RECALL_CLASSES).index)
        shown = shown[[name for name in table.columns if name in most]]
    with style.applied():
        labels = [f"{words.short(of_class(name), 18)}{'*' if name in minority else ''}" for name in shown.columns]
        upright = shown.shape[1] > 6 or style.inches(labels) > 1.2
        names = [words.short(method, 34) for method in shown.index]
        long = max(0, max(map(words.width, names)) - LETTERS)
        width = min(style.WIDTH, 3.4 + 1.3 * shown.shape[1] + WIDE * long)
        figure = style.figure(0.36 * len(shown) + 0.9 + (style.inches(labels) if upright else 0.5), width)
        axes = figure.add_subplot()
        values = shown.to_numpy(dtype=float) * 100
        norm = Normalize(0, 100)
        axes.pcolormesh(values, cmap=colours.SEQUENTIAL, norm=norm, edgecolors=colours.PAGE, linewidth=0.8)
        axes.invert_yaxis()
        for row, column in zip(*np.nonzero(np.isfinite(values)), strict=True):
            colour = colours.text_on(colours.SEQUENTIAL(norm(values[row, column])))
            style.cell(axes, column + 0.5, row + 0.5, f"{values[row, column]:.0f}", colour)
        axes.set_xticks(np.arange(len(labels)) + 0.5, labels, rotation=90 if upright else 0)
        axes.set_yticks(np.arange(len(shown)) + 0.5, names)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    note = f"Recall in per cent, {results.over_splits(scenario)}."
    if any(name in minority for name in shown.columns):
        note += " An asterisk marks minority classes."
    if any(method.augmenter != NO_AUGMENTER for method in shown.index):
        note += " Augmenters with argmax"
        favoured = results.favoured(scenario)
        note += "." if favoured is None else f"; picked most often: {favoured}."
    if n_classes > shown.shape[1]:
        note += f" Of {n_classes} classes the {shown.shape[1]} that change most are shown; scores.parquet has all."
    if n_methods > len(shown):
        note += f" {n_methods - len(shown)} methods are left out."
    return Drawing(
        figure=figure,
        title=f"Recall of each class on {words.short(results.label(scenario), 60)}",
        alt=_alt(results, scenario, shown),
        note=note,
    )


def _alt(results: Results, scenario: Scenario, table: pd.DataFrame) -> str:
    first = table.iloc[0].to_numpy(dtype=float)
    place = int(np.nanargmin(first))
    worst, column = table.columns[place], table.iloc[:, place].to_numpy(dtype=float)
    best = table.index[int(np.nanargmax(column))]
    with_what = "Without augmentation" if table.index[0] == BASELINE else f"With {table.index[0]}"
    better = np.nanmax(column) > first[place]
    raised = f"{best} raises it to {100 * np.nanmax(column):.0f} %" if better else "no method raises it"
    return (
        f"Heat map of recalls on {results.label(scenario)}. {with_what} the worst class is {worst} "
        f"with {100 * first[place]:.0f} %; {raised}. "
        f"The mean over the classes shown goes from {100 * table.mean(axis=1).min():.0f} to "
        f"{100 * table.mean(axis=1).max():.0f} %."
    )


FIGURE = FigureKind(
    70,
    "Recall of each class",
    "Who gains and who pays.",
    for_each_example(_draw),
    shows_minority=True,
    question=Question.WHICH_CLASSES,
)
