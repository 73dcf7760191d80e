"""How metrics, differences, p-values and counts are written."""

import math
import re
from dataclasses import dataclass

from synaug.scores.metrics import CLASS_METRICS, LOSSES
from synaug.settings import names

# A score of one class: `f1[spam]`.
OF_A_CLASS = re.compile(rf"({'|'.join(CLASS_METRICS)})\[(.+)\]", re.DOTALL)


def class_metric(name: str) -> tuple[str, str] | None:
    """The score and the class that a name like ``f1[spam]`` asks for; None for a score of all classes."""
    found = OF_A_CLASS.fullmatch(name)
    return found and (found[1], found[2])


def metric(name: str) -> str:
    """``balanced_accuracy`` as words, ``f1[spam]`` as ``F1 of spam``, ``f1[2]`` as ``F1 of class 2``."""
    of_class = class_metric(name)
    if of_class is not None:
        return f"{of_class[0].replace('f1', 'F1')} of {names.of_class(of_class[1])}"
    words = name.replace("_", " ").replace("brier", "Brier")
    return words.replace("auroc", "AUROC").replace("auprc", "AUPRC").replace("mcc", "MCC")


def difference(value: float, name: str) -> str:
    """Write a difference of a metric: shares in points, losses as they are."""
    if not math.isfinite(value):
        return "–"
    text = f"{value:.3f}" if name in LOSSES else f"{100 * value:.1f}"
    return text.replace("-", "−") if float(text) else text.removeprefix("-")


def signed(value: float, name: str) -> str:
    """Write a difference with its sign; one that rounds to nothing has none."""
    text = difference(value, name)
    return text if text[0] in "−–" or not float(text) else f"+{text}"


def unit(name: str) -> str:
    """What follows a difference."""
    return "" if name in LOSSES else " points"


def p_value(p: float) -> str:
    """A p-value, no more exact than it means."""
    if not math.isfinite(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def words_for_p(p: float) -> str:
    """``p < 0.001``, ``p = 0.025``."""
    text = p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


@dataclass(frozen=True)
class Unit:
    """One metric's differences in words, and how large one must be to matter."""

    metric: str
    rope: float

    @property
    def name(self) -> str:
        """The metric in words."""
        return metric(self.metric)

    @property
    def points(self) -> str:
        """What follows a difference."""
        return unit(self.metric)

    def of(self, value: float) -> str:
        """Write a difference."""
        return difference(value, self.metric)

    def signed(self, value: float) -> str:
        """Write a difference with its sign."""
        return signed(value, self.metric)

    def is_nothing(self, value: float) -> bool:
        """Whether a difference rounds to 0."""
        return math.isfinite(value) and not float(self.of(abs(value)))

    def size(self, value: float) -> str:
        """Write how large a difference is, as what follows `by`."""
        if not self.is_nothing(value):
            return f"{self.of(abs(value))}{self.points}"
        return f"less than {'0.0005' if self.metric in LOSSES else '0.05'}{self.points}"

    def change(self, gain: float, other: str) -> str:
        """Say that something gains over or loses to another; what rounds to nothing is neither."""
        if gain == 0:
            return f"does not differ from {other} in {self.name}"
        size = self.size(gain)
        if self.is_nothing(gain):
            return f"differs from {other} by {size}{' in' if self.metric in LOSSES else ' of'} {self.name}"
        if self.metric in LOSSES:  # of which a gain is less
            return f"{'lowers' if gain > 0 else 'raises'} {self.name} by {size} against {other}"
        return f"{'gains' if gain > 0 else 'loses'} {size} of {self.name} {'over' if gain > 0 else 'to'} {other}"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Write ``1 scenario``, ``3 scenarios``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
