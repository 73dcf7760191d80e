"""Losses and scores by look, on a logarithmic axis of steps."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from synaug.comparison.labels import Scenario
from synaug.report import limits, words
from synaug.report.drawing import colours, style
from synaug.report.drawing.contract import Drawing, FigureKind, Question, for_each_example
from synaug.report.results import Results
from synaug.scores.decision import CANDIDATE_RULES


def by_look(record: dict[str, Any]) -> pd.DataFrame:
    """Means over splits `[step, curve]`, as far as at least half of the splits have a curve.

    A split's inner models stop, each split at a look of its own. What a few late ones show is no mean of all.
    """
    curves = pd.DataFrame(**record["curves"]).drop(columns=["seed", "fold"]).astype(float)
    looks = curves.groupby("step")
    return looks.mean().where(looks.count() >= len(curves) / len(looks) / 2)


def chosen_steps(record: dict[str, Any]) -> pd.Series:
    """The median step over splits by decision rule."""
    return pd.DataFrame(**record["best"]).groupby("decision")["step"].median()


def _draw(results: Results, scenario: Scenario) -> Drawing | None:
    """Draw the losses by which steps are chosen, one panel for each rule, then argmax on test rows."""
    records = {
        name: record
        for name, record in results.main_records(scenario, limits.CURVE_AUGMENTERS).items()
        if record["curves"]["data"]
    }
    if not records:
        return None
    curves = {name: by_look(record) for name, record in records.items()}
    looks = colours.Looks(results.main_augmenters, results.option_of)
    with style.applied():
        figure = style.figure(4.7)
        grid = figure.subplots(1, len(CANDIDATE_RULES) + 1)
        *of_losses, of_argmax = grid
        for axes, rule in zip(of_losses, CANDIDATE_RULES, strict=True):
            for name, curve in curves.items():
                if rule == CANDIDATE_RULES[0]:
                    axes.plot(curve.index, curve["train_loss"], color=looks.colour(name), linestyle=":")
                _with_markers(axes, curve[f"{rule}_loss"], name, looks)
            axes.set_title(f"loss, {words.decision(rule)}")
        for name, curve in curves.items():
            _with_markers(of_argmax, 100 * curve["argmax_test"], name, looks)
        of_argmax.set_title("argmax on test rows (%)")
        for axes in grid:
            style.log_steps(axes, sorted({step for curve in curves.values() for step in curve.index}))
            style.rule_grid(axes)
        of_losses[0].legend(
            handles=[
                Line2D([], [], color=colours.SOFT, label="rows left out"),
                Line2D([], [], color=colours.SOFT, linestyle=":", label="rows trained on"),
            ]
        )
        style.legend_of(figure, grid[:1])
    steps = {name: chosen_steps(record) for name, record in records.items()}
    means = results.over_splits(scenario)
    n_all = len(results.records_of(scenario))
    note = (
        f"{means.capitalize()}, on a logarithmic axis. The losses choose the step: they are class-balanced, of the "
        "rows that each inner model was not trained on, drawn as far as half of the splits still train. The balanced "
        "accuracy of argmax on test rows is shown, but never used to choose: argmax is reported at the last step."
    )
    if n_all > len(curves):
        note += f" {len(curves)} of {n_all} augmenters are drawn."
    told = "; ".join(_told(name, curves[name], steps[name]) for name in records)
    return Drawing(
        figure=figure,
        title=f"Training on {words.short(results.label(scenario), 60)}",
        alt=f"Losses and scores by look on {results.label(scenario)}, {means}. {told}.",
        note=note,
    )


def _told(name: str, curve: pd.DataFrame, steps: pd.Series) -> str:
    losses = [
        f"{words.decision(rule)} lowest at step {of_rule.idxmin():g} with {of_rule.min():.3f}"
        for rule in CANDIDATE_RULES
        if len(of_rule := curve[f"{rule}_loss"].dropna())
    ]
    chosen = [f"{words.decision(str(rule))} {step:g}" for rule, step in steps.items()]
    test = 100 * curve["argmax_test"].dropna()
    last = [f"argmax {test.iloc[-1]:.0f} % at step {test.index[-1]:g}, at best {test.max():.0f} %"] if len(test) else []
    return f"{name}: {', '.join([*losses, *last])}" + (f"; median steps chosen: {', '.join(chosen)}" if chosen else "")


def _with_markers(axes: Axes, curve: pd.Series, name: str, looks: colours.Looks) -> None:
    axes.plot(
        curve.index,
        curve,
        color=looks.colour(name),
        marker=looks.marker(name),
        markersize=9 if looks.marker(name) == "*" else 5,
        markeredgecolor="none",
        label=words.short(name),
    )


FIGURE = FigureKind(
    100,
    "Training",
    "By which loss the steps were chosen, and what argmax did.",
    for_each_example(_draw),
    question=Question.WHAT_COST,
)
