"""How figures look: plain text, sizes, legends."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from synaug.report import words
from synaug.report.drawing.colours import DIVERGING, FAINT, INK, PAGE, SOFT

WIDTH = 11.5  # inches: at 96 pixels an inch as wide as the page's column
FONT_SIZE = 13
SMALL = 12
LETTER = 0.105  # inches, of a small letter in the mean
# Sans, by names that the reader's machine may have; what is laid out is DejaVu, the widest of them.
FONTS = ["DejaVu Sans", "Verdana", "sans-serif"]
SETTINGS: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": FONTS[:1],
    "font.size": FONT_SIZE,
    "axes.titlesize": FONT_SIZE,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.labelsize": FONT_SIZE,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.edgecolor": SOFT,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": FAINT,
    "axes.grid": False,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 6,
    "text.parse_math": False,  # a class may be called $x$
    "axes.formatter.use_mathtext": False,
    "axes.unicode_minus": True,
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "path.simplify": True,
}


@contextmanager
def applied() -> Iterator[None]:
    """Draw and save within this."""
    # Beside these, matplotlib's own defaults: figures do not depend on a matplotlibrc, or on what a notebook has set.
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        # Names in scripts that DejaVu lacks are text in the SVG, which the browser's fonts draw.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        warnings.filterwarnings("ignore", message=r"Matplotlib currently does not support")
        yield


def figure(height: float, width: float = WIDTH) -> Figure:
    """Make an empty figure, which lays itself out."""
    return Figure(figsize=(width, height), layout="constrained")


def cell(axes: Axes, x: float, y: float, text: str, colour: str, weight: str = "normal") -> None:
    """Write into a cell; the layout need not measure what lies within the axes."""
    text_ = axes.text(x, y, text, ha="center", va="center", color=colour, fontsize=SMALL, fontweight=weight)
    text_.set_in_layout(False)


def inches(texts: Iterable[str]) -> float:
    """Estimate how long the longest of some small texts is drawn."""
    return LETTER * max(map(words.width, texts), default=0)


def legend(figure: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """Explain lines below a figure, in as many columns as its width has room for."""
    room = figure.get_figwidth() / (inches(labels) + 0.75)
    ncols = max(1, min(len(labels), int(room), 5))
    figure.legend(list(handles), list(labels), loc="outside lower center", ncols=ncols)


def colour_bar(figure: Figure, axes: list[Axes], limit: float, label: str) -> None:
    """Draw the scale of gains below axes, with few numbers on it, which have room whatever they are."""
    bar = figure.colorbar(
        ScalarMappable(Normalize(-limit, limit), DIVERGING), ax=axes, location="bottom", aspect=60, shrink=0.5, pad=0.02
    )
    ticks = MaxNLocator(4, symmetric=True).tick_values(-limit, limit)
    bar.set_ticks([tick for tick in ticks if abs(tick) <= limit])
    bar.ax.xaxis.set_major_formatter(lambda value, _: f"{value:.4g}".replace("-", "−"))
    bar.set_label(label)
    bar.outline.set_visible(False)


def few_ticks() -> MaxNLocator:
    """Three numbers or so on a short axis."""
    return MaxNLocator(3)


def log_steps(axes: Axes, steps: Sequence[float]) -> None:
    """Make the axis of steps logarithmic, with a few of the steps below it."""
    axes.set_xscale("log", base=2)
    shown = list(steps)[:: max(1, -(-len(steps) // 6))]
    axes.set_xticks(shown, [f"{step:g}" for step in shown])
    axes.minorticks_off()
    axes.set_xlabel("step")


def rule_grid(axes: Axes, which: str = "y") -> None:
    """Faint lines to read values by."""
    axes.grid(True, axis=which, linewidth=0.8)  # type: ignore[arg-type]


def marks(axes: Axes, x: Any, y: Any, colour: str, marker: str, size: float = 7) -> None:
    """Signs on a curve, `x` and `y` of one length, in its colour."""
    axes.plot(x, y, color=colour, marker=marker, markersize=size, markeredgecolor=PAGE, linestyle="", zorder=3)


def grid_of(n_panels: int, *, sharey: bool) -> tuple[Figure, Any]:
    """Make a figure of small panels, three beside each other; one alone is not as wide as the page."""
    n_columns = min(3, n_panels)
    n_rows = -(-n_panels // n_columns)
    whole = figure(3.9 * n_rows + 1.1, WIDTH if n_columns > 1 else 8.0)
    grid = whole.subplots(n_rows, n_columns, squeeze=False, sharey=sharey)
    for axes in grid.flat[n_panels:]:
        axes.set_visible(False)
    return whole, grid


def legend_of(figure: Figure, grid: Any) -> None:
    """Explain the lines of all panels below a figure, each once."""
    pairs = [pair for axes in grid.flat for pair in zip(*axes.get_legend_handles_labels(), strict=True)]
    handles = {label: handle for handle, label in pairs}
    legend(figure, list(handles.values()), list(handles))
