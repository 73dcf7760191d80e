"""How figures look: ink that follows the page's theme, colours that the colour-blind tell apart, plain text."""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from synaug.report import words

# `synaug.report.figures.svg` makes these follow the theme of the page; nothing else may be drawn in them.
INK = "#1c2024"
SOFT = "#6a7178"
FAINT = "#d4d8dc"
PAGE = "#fefefe"
# Fixed, as it stands on a colour of ours: dark and light text in the cells of a heat map.
DARK, LIGHT = "#101010", "#ffffff"
WIDTH = 11.5  # inches: at 96 pixels an inch as wide as the page's column
FONT_SIZE = 13
SMALL = 12
LETTER = 0.105  # inches, of a small letter in the mean
# Paul Tol's "vibrant" and "muted" schemes, without those too light for a white page.
COLOURS = ("#0077bb", "#ee7733", "#009988", "#cc3311", "#8c7a2e", "#5b8def", "#8a6d5d", "#2f8f4e", "#ee3377")
FREE = "#c0408c"  # what synthesises nothing
PICKED = "#5a6470"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h")
OF_AUGMENTER = {name: index for index, name in enumerate(("random", "smote", "borderline_smote", "adasyn", "vae"))}
# Brown to teal over white: told apart without red or green.
DIVERGING = LinearSegmentedColormap.from_list(
    "gain", ["#7a3e06", "#b8762a", "#e5c48a", "#f8f6f1", "#97cfc8", "#3a9188", "#045046"]
)
SEQUENTIAL = LinearSegmentedColormap.from_list("share", ["#f7fafc", "#b3cde3", "#5b9bc8", "#1f6aa5", "#08335e"])
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
    with mpl.rc_context(SETTINGS), warnings.catch_warnings():
        # Names in scripts that DejaVu lacks are text in the SVG, which the browser's fonts draw.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        warnings.filterwarnings("ignore", message=r"Matplotlib currently does not support")
        yield


def figure(height: float, width: float = WIDTH) -> Figure:
    """Make an empty figure, which lays itself out."""
    return Figure(figsize=(width, height), layout="constrained")


def colour(augmenter: str, order: list[str]) -> str:
    """Give an augmenter one colour in all figures; no augmentation is drawn in ink."""
    if augmenter == "none":
        return INK
    return COLOURS[place(augmenter, order) % len(COLOURS)]


def marker(augmenter: str, order: list[str]) -> str:
    """Give an augmenter a marker, for who tells no colours."""
    if augmenter == "none":
        return "*"
    return MARKERS[place(augmenter, order) % len(MARKERS)]


def place(augmenter: str, order: list[str]) -> int:
    """Number augmenters, those that ship always alike; with settings, too, where only one has their option."""
    options = [name.split(" ")[0] for name in order]

    def shipped(name: str) -> int | None:
        option = name.split(" ")[0]
        return OF_AUGMENTER.get(option) if options.count(option) <= 1 else None

    own = shipped(augmenter)
    if own is not None:
        return own
    others = [name for name in order if shipped(name) is None and name not in ("none", "picked")]
    taken = len(OF_AUGMENTER) if any(shipped(name) is not None for name in order) else 0
    return taken + (others.index(augmenter) if augmenter in others else 0)


def text_on(face: Any) -> str:
    """Dark or light, whichever is read on that colour."""
    red, green, blue = to_rgb(face)
    return DARK if 0.299 * red + 0.587 * green + 0.114 * blue > 0.55 else LIGHT


def cell(axes: Axes, x: float, y: float, text: str, colour: str, weight: str = "normal") -> None:
    """Write into a cell; the layout need not measure what lies within the axes."""
    text_ = axes.text(x, y, text, ha="center", va="center", color=colour, fontsize=SMALL, fontweight=weight)
    text_.set_in_layout(False)


def title(axes: Axes, text: str) -> None:
    """Title one panel."""
    axes.set_title(text, loc="left")


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


def rule_grid(axes: Axes, which: str = "y") -> None:
    """Faint lines to read values by."""
    axes.grid(True, axis=which, linewidth=0.8)  # type: ignore[arg-type]
