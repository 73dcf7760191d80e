"""Seconds and memory against the number of rows, 10,000 to a million."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from benchmarks import scale, table
from benchmarks.generator import D
from benchmarks.measure import Row
from synaug.report.drawing import colours, style, svg

Points = list[tuple[float, float]]


def draw(rows: Sequence[Row]) -> str | None:
    """Draw the rows of the stage `scale`, as the text of an SVG file; None where there are fewer than two sizes."""
    seconds, memory = series(rows)
    if len(memory) < 2:
        return None
    with style.applied():
        figure = style.figure(4.6, 12.5)
        left, right = figure.subplots(1, 2)
        for (part, points), colour in zip(seconds.items(), colours.COLOURS, strict=False):
            _line(left, points, part.replace("_", " "), colour)
        n, base = memory[0][0], min(points[0][1] for points in seconds.values() if points[0][1] > 0)
        left.plot(
            [n, memory[-1][0]],
            [base, base * memory[-1][0] / n],
            color=colours.SOFT,
            linestyle=":",
            label="linear, to compare",
        )
        left.set_title("Seconds (both axes logarithmic)")
        left.set_yscale("log")
        left.set_ylim(top=20 * max(value for points in seconds.values() for _, value in points))  # room for the legend
        left.yaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:g}"))
        left.legend(frameon=False, fontsize=style.SMALL, loc="upper left", ncols=2)
        _line(right, memory, "memory above the interpreter", colours.COLOURS[0])
        right.axhline(scale.MOST_MEMORY, color=colours.INK, linewidth=1.2)
        right.annotate(f"limit at a million: {scale.MOST_MEMORY}", (memory[0][0], scale.MOST_MEMORY), va="bottom")
        right.set_ylim(0, max(value for _, value in memory) * 1.15)
        right.set_title("Memory, in sizes of the embeddings")
        for axes in (left, right):
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,.0f}"))
            axes.set_xlabel(f"rows of {D} numbers")
            style.rule_grid(axes, "y")
    said = "; ".join(
        f"{part.replace('_', ' ')}: " + ", ".join(f"{table.number(value)} s at {n:,.0f}" for n, value in points)
        for part, points in seconds.items()
    )
    return svg.standalone(svg.raw_svg(figure, "scale"), "synaug from 10,000 to a million rows", said)


def series(rows: Sequence[Row]) -> tuple[dict[str, Points], Points]:
    """Seconds of each part, and memory, each as (rows, value) ascending."""
    seconds: dict[str, Points] = {part: [] for part in scale.PARTS}
    memory: Points = []
    for row in rows:
        n = float(row.name.split(" ")[0].replace(",", ""))
        part = row.name.partition(", ")[2].replace(" ", "_")
        seconds.get(part, memory).append((n, row.synaug))
    return {part: sorted(points) for part, points in seconds.items() if points}, sorted(memory)


def _line(axes: Axes, points: Points, label: str, colour: str) -> None:
    axes.plot(*zip(*points, strict=True), marker="o", color=colour, label=label)
