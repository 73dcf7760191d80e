"""Names and numbers as a reader wants them."""

import math
import unicodedata
from collections.abc import Iterable
from itertools import accumulate

from synaug.comparison.wording import metric as metric
from synaug.comparison.wording import p_value as p_value
from synaug.comparison.wording import signed as signed
from synaug.comparison.wording import unit as unit
from synaug.escaping import shown
from synaug.scores.metrics import LOSSES

DECISIONS = {
    "argmax": "argmax",
    "prior_corrected": "prior corrected",
    "tuned": "tuned",
    "chosen": "rule chosen",
}
REFERENCES = {"none": "no augmentation", "free": "the free remedy"}
FREE = "free remedy (none, rule chosen)"


def decision(name: str) -> str:
    """Name a decision rule."""
    return DECISIONS.get(name, name)


def method(augmenter: str, loss: str, rule: str) -> str:
    """Name a method; argmax goes without saying."""
    if augmenter == "none" and rule == "chosen":
        return FREE
    if augmenter == "picked":
        return "picked (best on validation)"
    parts = [augmenter, loss] if loss else [augmenter]
    return ", ".join(parts if rule == "argmax" else [*parts, decision(rule)])


def ratio(value: float) -> str:
    """``1:10``, or natural."""
    return "natural" if math.isnan(value) else f"1:{value:g}"


def level(value: float, name: str) -> str:
    """A score: shares in per cent, losses as they are."""
    if not math.isfinite(value):
        return "–"
    return (f"{value:.3f}" if name in LOSSES else f"{100 * value:.1f}").replace("-", "−")


def scale(name: str) -> float:
    """What a score is multiplied with to be drawn."""
    return 1.0 if name in LOSSES else 100.0


def gain_label(name: str) -> str:
    """Label an axis of gains."""
    return f"gain in {metric(name)} (less of it is a gain)" if name in LOSSES else f"gain in {metric(name)} (points)"


def level_label(name: str) -> str:
    """Label an axis of scores."""
    return f"{metric(name)} (less is better)" if name in LOSSES else f"{metric(name)} (%)"


def short(text: object, most: int = 26) -> str:
    """Name something in a figure, cut where it would burst it."""
    whole = shown(text)
    if width(whole) <= most:
        return whole
    ends = accumulate(map(_width, whole))
    return f"{whole[: sum(end < most for end in ends)]}…"


def width(text: str) -> int:
    """How many letters wide a text is; signs of East Asian scripts are as wide as two."""
    return sum(map(_width, text))


def _width(sign: str) -> int:
    return 2 if unicodedata.east_asian_width(sign) in "WF" else int(not unicodedata.combining(sign))


def listed(names: Iterable[str], most: int = 8) -> str:
    """``a, b and c``, or the first few and how many more."""
    found = list(names)
    if len(found) > most:
        return f"{', '.join(found[:most])} and {len(found) - most} more"
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}" if found else "none"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """``1 run``, ``2 runs``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
