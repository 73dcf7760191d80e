"""Colours that colour-blind readers can distinguish, and markers; ink follows the page's theme."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_rgb

from synaug.comparison.labels import NO_AUGMENTER, WITH
from synaug.report.results import SHIPPED_AUGMENTERS

# `synaug.report.drawing.svg` makes these follow the theme of the page; nothing else may be drawn in them.
INK = "#1c2024"
SOFT = "#6a7178"
FAINT = "#d4d8dc"
PAGE = "#fefefe"
# Fixed, as it stands on a colour of ours: dark and light text in the cells of a heat map.
DARK, LIGHT = "#101010", "#ffffff"
# Paul Tol's "vibrant" and "muted" schemes, without those too light for a white page.
COLOURS = ("#0077bb", "#ee7733", "#009988", "#cc3311", "#8c7a2e", "#5b8def", "#8a6d5d", "#2f8f4e", "#ee3377")
WITHOUT_SYNTHESIS = "#c0408c"
WITH_SYNTHESIS = "#5a6470"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h")
LINES = ("-", "--", "-.", ":")
# Brown to teal over white: readable without red or green.
DIVERGING = LinearSegmentedColormap.from_list(
    "gain", ["#7a3e06", "#b8762a", "#e5c48a", "#f8f6f1", "#97cfc8", "#3a9188", "#045046"]
)
SEQUENTIAL = LinearSegmentedColormap.from_list("share", ["#f7fafc", "#b3cde3", "#5b9bc8", "#1f6aa5", "#08335e"])


@dataclass(frozen=True)
class Looks:
    """One colour and one marker for each augmenter, the same in all figures.

    Attributes
    ----------
    augmenters
        Labels of all augmenters in the figure.
    option_of
        The option behind each. Those that ship always look alike, with settings, too, where only one has their option.
        What has none is a method of another loss, which a verdict favours: it looks like the best without synthesis.
    """

    augmenters: Sequence[str]
    option_of: Mapping[str, str]

    def colour(self, augmenter: str) -> str:
        """No augmentation is drawn in ink."""
        if augmenter not in self.option_of:
            return WITH_SYNTHESIS if augmenter == WITH else WITHOUT_SYNTHESIS
        return INK if augmenter == NO_AUGMENTER else COLOURS[self._place(augmenter) % len(COLOURS)]

    def marker(self, augmenter: str) -> str:
        """A marker, for who tells no colours."""
        if augmenter not in self.option_of:
            return "D"
        return "*" if augmenter == NO_AUGMENTER else MARKERS[self._place(augmenter) % len(MARKERS)]

    def line(self, augmenter: str) -> dict[str, Any]:
        """Width and dashes of a curve without markers: thick without augmentation, dashed where colours come again."""
        if augmenter == NO_AUGMENTER:
            return {"linewidth": 2.4, "linestyle": "-"}
        if augmenter not in self.option_of:
            return {"linewidth": 2.0, "linestyle": "--"}
        return {"linewidth": 1.5, "linestyle": LINES[self._place(augmenter) // len(COLOURS) % len(LINES)]}

    def _place(self, augmenter: str) -> int:
        if self._is_shipped(augmenter):
            return SHIPPED_AUGMENTERS.index(self.option_of[augmenter])
        others = [name for name in self.augmenters if not self._is_shipped(name) and name != NO_AUGMENTER]
        taken = len(SHIPPED_AUGMENTERS) if any(map(self._is_shipped, self.augmenters)) else 0
        return taken + (others.index(augmenter) if augmenter in others else 0)

    def _is_shipped(self, augmenter: str) -> bool:
        option = self.option_of[augmenter]
        alike = [name for name in self.augmenters if self.option_of[name] == option]
        return option in SHIPPED_AUGMENTERS and len(alike) <= 1


def text_on(face: Any) -> str:
    """Dark or light, whichever is read on that colour."""
    red, green, blue = to_rgb(face)
    return DARK if 0.299 * red + 0.587 * green + 0.114 * blue > 0.55 else LIGHT


def extent(values: np.ndarray[Any, Any]) -> float:
    """Largest absolute value, for limits that are symmetric; never 0."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if finite.size and finite.max() > 0 else 1.0
