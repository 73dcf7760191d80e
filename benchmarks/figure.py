"""One figure of all stages: how many times as fast as each peer, against the target; below, what counts in seconds."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks import table
from benchmarks.measure import Row
from synaug.report.drawing import colours, style, svg

REACHED, MISSED = colours.COLOURS[2], colours.COLOURS[3]
WIDTH, LINE, FRAME = 12.5, 0.52, 1.2  # inches: of all, of a row, around the rows of a panel
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
LEAST = 0.001  # a difference of two times may come out as nothing, for which a log axis has no place
Shown = Sequence[tuple[str, Row]]


def draw(rows: Mapping[str, Sequence[Row]]) -> str:
    """Draw rows, by stage, as the text of an SVG file: what has a peer, and what has a limit in seconds."""
    every = [(stage, row) for stage, of_stage in rows.items() for row in of_stage]
    panels = [
        [(stage, row) for stage, row in every if row.kind == "ratio" and row.ratio is not None],
        [(stage, row) for stage, row in every if row.kind == "seconds" and row.target is not None],
    ]
    panels = [panel for panel in panels if panel]
    with style.applied():
        figure = style.figure(sum(LINE * len(panel) + FRAME for panel in panels), WIDTH)
        heights = [LINE * len(panel) for panel in panels]
        grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, panel in zip(grid, panels, strict=True):
            _draw(axes, panel)
    return svg.standalone(
        svg.raw_svg(figure, "speed"), "Speed of synaug", ". ".join(_said(shown) for panel in panels for shown in panel)
    )


def _draw(axes: Axes, panel: Shown) -> None:
    ratios = panel[0][1].kind == "ratio"
    numbers = [1.0] if ratios else []
    for place, (_, row) in enumerate(panel):
        low, value, high = (max(number, LEAST) for number in _spread(row))
        colour = {True: REACHED, False: MISSED, None: colours.SOFT}[row.met]
        axes.plot((low, high), (place, place), color=colour, linewidth=4, alpha=0.4, solid_capstyle="butt")
        axes.plot(value, place, marker="o", markersize=9, color=colour)
        if row.target is not None:
            axes.plot(row.target, place, marker="|", markersize=20, markeredgewidth=2.5, color=colours.INK)
        label = f"{table.number(value)}{'×' if ratios else ' s'}"
        if row.share is not None:
            label += f", {row.share:.0%} of peak"
        axes.annotate(label, (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=style.SMALL)
        numbers += [low, high, value, *([] if row.target is None else [row.target])]
    left, right = min(numbers) / 1.25, max(numbers) * 1.25
    axes.set_xscale("log")
    axes.set_xlim(left, right)
    axes.set_ylim(len(panel) - 0.5, -0.5)
    axes.xaxis.set_major_locator(FixedLocator([number for number in TICKS if left <= number <= right]))
    axes.xaxis.set_minor_locator(NullLocator())
    unit = "×" if ratios else " s"
    axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}{unit}"))
    axes.set_yticks(range(len(panel)), [_name(stage, row) for stage, row in panel], linespacing=1.15)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    style.rule_grid(axes, "x")
    if ratios:
        axes.axvline(1, color=colours.SOFT, linewidth=1.2)
        axes.set_title("Times as fast as the peer (right is better)")
        axes.set_xlabel(
            "dot: ratio of medians; bar: single repetitions\nstroke: target (green met, red missed, grey none)"
        )
    else:
        axes.set_title("Seconds (left is better)")
        axes.set_xlabel("dot: median; bar: single repetitions; stroke: limit")


def _spread(row: Row) -> tuple[float, float, float]:
    if row.kind == "ratio" and row.ratio is not None and row.ratio_range is not None:
        return row.ratio_range[0], row.ratio, row.ratio_range[1]
    return min(row.synaug_seconds), row.synaug, max(row.synaug_seconds)


def _name(stage: str, row: Row) -> str:
    return f"{stage}: {row.name}" + (f"\nover {row.peer}" if row.peer else "")


def _said(shown: tuple[str, Row]) -> str:
    stage, row = shown
    cells = f"{table.number(row.ratio)} times as fast as {row.peer}" if row.ratio is not None else ""
    return f"{stage}, {row.name}: {cells or f'{table.number(row.synaug)} s'}, target {table.target(row)}"
