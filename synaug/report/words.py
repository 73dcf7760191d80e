"""Names and numbers as a reader wants them."""

import math
import re
import unicodedata
from collections.abc import Iterable

from synaug.comparison.formatting import class_metric
from synaug.comparison.formatting import counted as counted
from synaug.comparison.formatting import difference as difference
from synaug.comparison.formatting import metric as metric
from synaug.comparison.formatting import p_value as p_value
from synaug.comparison.formatting import signed as signed
from synaug.comparison.formatting import unit as unit
from synaug.comparison.formatting import words_for_p as words_for_p
from synaug.comparison.labels import ARGMAX, DECISIONS
from synaug.files.digest import text_sha256
from synaug.files.escaping import shown
from synaug.report import limits
from synaug.scores.decision import ARGMAX_CHOSEN_STEP
from synaug.scores.metrics import LOSSES


def decision(name: str) -> str:
    """Name a decision rule, argmax with the weights that it is of."""
    weights = {ARGMAX: "last weights", ARGMAX_CHOSEN_STEP: "chosen step"}
    return f"argmax, {weights[name]}" if name in weights else DECISIONS.get(name, name)


def in_a_file_name(name: str) -> str:
    """A metric as part of a file's name; a class may be called anything."""
    of_class = class_metric(name)
    if of_class is None:
        return name
    score, label = of_class
    return f"{score}-{re.sub('[^A-Za-z0-9_]+', '_', label)[:40]}-{text_sha256(label)[:8]}"


def level(value: float, name: str) -> str:
    """A score: shares in per cent, losses as they are."""
    if not math.isfinite(value):
        return "–"
    return fixed(scale(name) * value, digits(name)).replace("-", "−")


def fixed(value: float, digits: int) -> str:
    """Write a number with so many digits; what rounds to nothing has no sign."""
    return f"{value:z.{digits}f}"


def digits(name: str) -> int:
    """How many digits a score has after its point."""
    return 3 if name in LOSSES else 1


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
    wide = fitting = 0
    for place, sign in enumerate(whole, 1):  # no further than need be: texts may be long, and many
        wide += _width(sign)
        if wide > most:
            return f"{whole[:fitting]}…"
        if wide < most:
            fitting = place
    return whole


def width(text: str) -> int:
    """How many letters wide a text is; signs of East Asian scripts are as wide as two."""
    return sum(map(_width, text))


def _width(sign: str) -> int:
    return 2 if unicodedata.east_asian_width(sign) in "WF" else int(not unicodedata.combining(sign))


def listed(names: Iterable[object]) -> str:
    """``a, b and c``, or the first few and how many more."""
    whole = list(map(str, names))
    most = limits.NAMES_IN_A_SENTENCE
    if len(whole) > most:
        return f"{', '.join(whole[:most])} and {len(whole) - most} more"
    return whole[0] if len(whole) == 1 else f"{', '.join(whole[:-1])} and {whole[-1]}" if whole else "none"
