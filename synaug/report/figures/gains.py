"""Heat maps of gains: method × data set and ratio."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize

from synaug.comparison.labels import (
    ARGMAX,
    CHOSEN,
    DECISIONS,
    NO_AUGMENTER,
    PICKED,
    PLAIN_LOSS,
    REFERENCE_LABELS,
    REFERENCES,
    Method,
    Scenario,
    methods_of,
)
from synaug.comparison.significance import BETTER, WORSE
from synaug.report import limits, words
from synaug.report.drawing import colours, style
from synaug.report.drawing.contract import Drawing, FigureKind, Plan
from synaug.report.results import Panel, Results

GAP = 0.35  # of a row, between groups of methods
FEWEST_COLUMNS = 8  # whose width a column has at most
ROW = 0.36  # inches
PALE = 2  # times the region of practical equivalence: the gain that has the deepest colour is no smaller


@dataclass(frozen=True)
class Gains:
    """Gains in one metric over one reference, of the methods shown.

    Attributes
    ----------
    methods, scenarios
        In the order in which they are shown.
    gains, significant
        Frames `[method, scenario]`; where a method was not compared, NaN.
    left_out
        How many methods are not shown.
    tested
        Whether any gain could be tested.
    rope
        Gains up to it are of no practical importance.
    """

    metric: str
    reference: str
    methods: list[Method]
    scenarios: list[Scenario]
    gains: pd.DataFrame
    significant: pd.DataFrame
    left_out: int
    tested: bool
    rope: float

    @property
    def limit(self) -> float:
        """Largest gain, as it is drawn; at least so large that what is of no importance has a pale colour."""
        return words.scale(self.metric) * max(colours.extent(self.gains.to_numpy()), PALE * self.rope)

    @property
    def over(self) -> str:
        """Name the reference."""
        return REFERENCE_LABELS[self.reference]


def plans(results: Results) -> Iterator[Plan]:
    """Over each reference, in as many figures as the data sets need.

    Of one scenario there are none: its gains stand in the verdict's figure and among the differences.
    """
    for metric in results.metrics_drawn:
        most = limits.GAINS_FIGURES - results.is_large if metric == results.metric else 1
        for reference in REFERENCES:
            gains = gains_over(results, metric, reference)
            if len(gains.scenarios) < 2:
                continue
            chunks = _chunks(results, gains.scenarios)
            unseen = [scenario for chunk in chunks[most:] for scenario in chunk]
            drawn = chunks[:most]
            for number, chunk in enumerate(drawn, start=1):
                part = f"-{number}" if len(drawn) > 1 else ""
                hidden = unseen if number == len(drawn) else []
                draw = partial(_draw, results, gains, chunk, part and f" ({number} of {len(drawn)})", hidden)
                yield Plan(f"{words.in_a_file_name(metric)}-over-{reference}{part}", draw, metric)


FIGURE = FigureKind(10, "Gains", "What each method adds, by data set and imbalance ratio.", plans)


def gains_over(results: Results, metric: str, reference: str) -> Gains:
    """The gains over one reference, by method and scenario, in order."""
    rows = results.table(metric, reference).dropna(subset=["gain"])
    rows = rows.assign(method=methods_of(rows), significant=rows["outcome"].isin((BETTER, WORSE)))
    methods, left_out = methods_shown(rows, results.augmenters)
    rows = rows[rows["method"].isin(methods)]
    present = set(rows["scenario"])
    scenarios = [scenario for scenario in results.scenarios if scenario in present]
    gains, significant = (
        rows.pivot(index="method", columns="scenario", values=name).reindex(index=methods, columns=scenarios)
        for name in ("gain", "significant")
    )
    tested = bool(rows["p_holm"].notna().any())
    return Gains(
        metric,
        reference,
        methods,
        scenarios,
        gains.astype(float),
        significant.eq(True),
        left_out,
        tested,
        results.comparison.rope,
    )


def methods_shown(rows: pd.DataFrame, augmenters: Sequence[str]) -> tuple[list[Method], int]:
    """Methods in groups: those with argmax, rules without augmenter, those with their rule chosen, the best of all."""
    order, rules = [*augmenters, *PICKED], list(dict.fromkeys([*DECISIONS, *rows["decision"]]))
    means = rows.groupby("method")["gain"].mean()

    def place(method: Method) -> tuple[int, int, str, int]:
        return _group(method), order.index(method.augmenter), method.loss, rules.index(method.decision)

    shown = [
        method
        for method in means.index
        if (method.augmenter, method.loss) == (NO_AUGMENTER, PLAIN_LOSS) or method.decision in (ARGMAX, CHOSEN)
    ]
    ordered = sorted(shown, key=place)
    if len(ordered) <= limits.GAINS_ROWS:
        return ordered, 0
    kept = set(means.loc[ordered].nlargest(limits.GAINS_ROWS).index)
    return [method for method in ordered if method in kept], len(ordered) - limits.GAINS_ROWS


def _chunks(results: Results, scenarios: list[Scenario]) -> list[list[Scenario]]:
    """Scenarios in pieces that fit a figure, a panel in one piece where it can be."""
    chunks: list[list[Scenario]] = []
    for panel in dict.fromkeys(results.panel_of[scenario] for scenario in scenarios):
        of_panel = [scenario for scenario in scenarios if results.panel_of[scenario] == panel]
        for start in range(0, len(of_panel), limits.GAINS_COLUMNS):
            piece = of_panel[start : start + limits.GAINS_COLUMNS]
            if chunks and len(chunks[-1]) + len(piece) <= limits.GAINS_COLUMNS:
                chunks[-1] += piece
            else:
                chunks.append(piece)
    return chunks


def _draw(results: Results, gains: Gains, scenarios: list[Scenario], part: str, unseen: list[Scenario]) -> Drawing:
    scale = words.scale(gains.metric)
    norm = Normalize(-gains.limit, gains.limit)
    panels = list(dict.fromkeys(results.panel_of[scenario] for scenario in scenarios))
    columns = {panel: [scenario for scenario in scenarios if results.panel_of[scenario] == panel] for panel in panels}
    methods = gains.methods
    rows = _rows(methods)
    n_columns = max(FEWEST_COLUMNS, len(scenarios))  # a few are not stretched over the whole width
    names = [words.short(method, 46) for method in methods]
    column = (style.WIDTH - style.inches(names) - 0.3) / n_columns
    ats = {scenario: words.short(scenario.at, 20) for scenario in scenarios}
    upright = style.inches(ats.values()) > column
    widths = [len(of_panel) for of_panel in columns.values()]
    titles = [words.short(panel, 40) for panel in panels]
    turned = any(style.inches([title]) > 0.85 * width * column for title, width in zip(titles, widths, strict=True))
    turned = turned and len(panels) > 1
    with style.applied():
        height = ROW * len(methods) + 1.6 + upright * style.inches(ats.values()) + turned * style.inches(titles)
        figure = style.figure(height)
        ratios = [*widths, *([n_columns - len(scenarios)] if len(scenarios) < n_columns else [])]
        grid = figure.add_gridspec(1, len(ratios), width_ratios=ratios)
        all_axes = [figure.add_subplot(grid[0, index]) for index in range(len(ratios))]
        for index, (of_panel, title, axes) in enumerate(zip(columns.values(), titles, all_axes, strict=False)):
            _cells(axes, gains.gains[of_panel] * scale, gains.significant[of_panel], rows, gains.metric, norm)
            labels = [ats[scenario] for scenario in of_panel]
            axes.set_xticks(range(len(of_panel)), labels, rotation=90 if upright else 0)
            axes.set_title(title, loc="left", rotation=90 if turned else 0)
            axes.set_yticks(rows, names if index == 0 else [])
        for axes in all_axes[len(panels) :]:
            axes.set_axis_off()
        style.colour_bar(figure, all_axes, gains.limit, f"{words.gain_label(gains.metric)} over {gains.over}")
    note = f"{_of_significance(gains, scenarios)} Ratio below, data set above."
    if unseen:
        note += f" Not drawn, but in the table: {words.listed(_short_panels(results, unseen))}."
    if gains.left_out:
        note += (
            f" The {len(methods)} methods of the largest mean gain are shown; "
            f"{words.counted(gains.left_out, 'more is', 'more are')} in the table."
        )
    return Drawing(
        figure=figure,
        title=f"Gain in {words.metric(gains.metric)} over {gains.over}{part}",
        alt=_alt(results, gains, scenarios),
        note=note,
    )


def _short_panels(results: Results, scenarios: list[Scenario]) -> list[str]:
    panels: dict[Panel, None] = dict.fromkeys(results.panel_of[scenario] for scenario in scenarios)
    return [words.short(panel) for panel in panels]


def _of_significance(gains: Gains, scenarios: list[Scenario]) -> str:
    if gains.significant[scenarios].any(axis=None):
        return "A dot and bold print: better or worse, as the table of its scenario says."
    if gains.tested:
        return "No method shown is better or worse."
    return "With so few splits no gain can be tested."


def _cells(
    axes: Axes, gains: pd.DataFrame, significant: pd.DataFrame, rows: np.ndarray, metric: str, norm: Normalize
) -> None:
    values, is_significant = gains.to_numpy(), significant.to_numpy()
    columns = np.arange(values.shape[1] + 1) - 0.5
    for group in np.split(np.arange(len(rows)), np.flatnonzero(np.diff(rows) > 1) + 1):
        axes.pcolormesh(
            columns,
            np.append(rows[group] - 0.5, rows[group[-1]] + 0.5),
            np.ma.masked_invalid(values[group]),
            cmap=colours.DIVERGING,
            norm=norm,
            edgecolors=colours.PAGE,
            linewidth=0.8,
        )
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    dots = defaultdict(list)
    for row, column in np.ndindex(*values.shape):
        value, y = values[row, column], float(rows[row])
        if not np.isfinite(value):
            style.cell(axes, column, y, "–", colours.SOFT)
            continue
        colour = colours.text_on(colours.DIVERGING(norm(value)))
        weight = "bold" if is_significant[row, column] else "normal"
        text = words.fixed(float(value), 1 if words.scale(metric) > 1 else 2)
        style.cell(axes, column, y, text.replace("-", "−"), colour, weight)
        if is_significant[row, column]:
            dots[colour].append((column + 0.42, y - 0.37))
    for colour, places in dots.items():
        axes.plot(*zip(*places, strict=True), "o", color=colour, markersize=3)


def _group(method: Method) -> int:
    """With argmax, a rule without augmenter, a rule chosen, or the best of all."""
    if method.augmenter in PICKED:
        return 3
    return 0 if method.decision == ARGMAX else 2 if method.decision == CHOSEN else 1


def _rows(methods: list[Method]) -> np.ndarray:
    """Where each method's row stands, with a gap between groups."""
    gaps = [0.0, *(GAP * (_group(before) != _group(after)) for before, after in pairwise(methods))]
    rows: np.ndarray = np.arange(len(methods)) + np.cumsum(gaps)
    return rows


def _alt(results: Results, gains: Gains, scenarios: list[Scenario]) -> str:
    values, significant = gains.gains[scenarios].to_numpy(), gains.significant[scenarios].to_numpy()

    def named(place: np.intp) -> str:
        row, column = np.unravel_index(place, values.shape)
        where = results.label(scenarios[column])
        return f"{gains.methods[row]} on {where} ({words.signed(values[row, column], gains.metric)})"

    return (
        f"Heat map of gains in {words.metric(gains.metric)} over {gains.over}: "
        f"{np.isfinite(values).sum()} comparisons, {(significant & (values > 0)).sum()} better, "
        f"{(significant & (values < 0)).sum()} worse. "
        f"Largest: {named(np.nanargmax(values))}; smallest: {named(np.nanargmin(values))}."
    )
