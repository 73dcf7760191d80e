"""The words of a verdict: sizes, outcomes and p-values as a reader wants them, none stronger than its test."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from synaug.scores.metrics import LOSSES

Share = TypeVar("Share", float, "pd.Series[float]")
LEVEL = 0.05
# Of the posterior: as sure as the tests are asked to be.
SURE = 0.95
MOST_NAMED = 8
MOST_BY_FALLBACK = 0.5
MOSTLY_BY_FALLBACK = "mostly by fallback"
OUTCOMES = ("better", "worse", "equal", "open")


def metric(name: str) -> str:
    """``balanced_accuracy`` as words."""
    return name.replace("_", " ").replace("auroc", "AUROC").replace("auprc", "AUPRC").replace("mcc", "MCC")


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


def outcome(row: pd.Series) -> str:
    """Tell equal by the posterior, better and worse by Holm's p; what neither tells is open.

    A difference that surely lies within the region of practical equivalence is no win, however sure it is.
    """
    if row["p_equivalent"] >= SURE:
        return "equal"
    if row["p_holm"] < LEVEL:
        return "better" if row["gain"] > 0 else "worse"
    return "open"


def effect(row: pd.Series, unit: Unit, other: str) -> str:
    """Say what one comparison found, as what follows a subject."""
    if not np.isfinite(row["p_holm"]):
        return f"cannot be compared with {other} by a test, as {_too_little(int(row['n_members']))}"
    evidence = f"95 % {unit.of(row['low'])} to {unit.of(row['high'])}, corrected {words_for_p(row['p_holm'])}"
    found = outcome(row)
    if found in ("better", "worse"):
        return f"{unit.change(row['gain'], other)} ({evidence})"
    if found == "equal":
        sure = f"within ±{unit.of(unit.rope)}{unit.points} with probability {row['p_equivalent']:.2f}"
        return f"is practically equal in {unit.name} to {other} ({unit.signed(row['gain'])}, {sure})"
    return f"is not shown to differ in {unit.name} from {other} ({unit.signed(row['gain'])}{unit.points}, {evidence})"


def _too_little(n_members: int) -> str:
    if n_members > 1:
        return "there is only 1 fold"
    return f"they have {'only 1 member' if n_members else 'no member'} in common"


def method(augmenter: str, loss: str, by_fallback: float = 0.0) -> str:
    """Name a method; one whose rows a fallback made is called so, as its scores are the fallback's."""
    name = " ".join(filter(None, (augmenter, loss)))
    return f"{name} ({MOSTLY_BY_FALLBACK})" if is_mostly_by_fallback(by_fallback) else name


def is_mostly_by_fallback(share: Share) -> Share:
    """Whether a fallback made more than half of the rows; NaN is no rows."""
    return share > MOST_BY_FALLBACK  # type: ignore[return-value]


def split(rows: pd.DataFrame, unit: Unit) -> str:
    """Name the methods by outcome with their gains, of many only the first and the last."""
    if rows.empty:
        return "there is nothing to compare"
    found: dict[str, list[str]] = {name: [] for name in (*OUTCOMES, "tiny")}
    for _, row in rows.sort_values("gain", ascending=False).iterrows():
        label = method(str(row["augmenter"]), str(row["loss"]), row.get("by_fallback", 0.0))
        key = outcome(row)
        if key in ("better", "worse") and unit.is_nothing(row["gain"]):
            key = "tiny"
        found[key].append(f"{label} ({unit.signed(row['gain'])})")
    one = {
        "better": "gains",
        "worse": "loses",
        "equal": "makes no practical difference",
        "open": "cannot be told apart",
        "tiny": f"differs by {unit.size(0.0)}",
    }
    several = {
        **one,
        "better": "gain",
        "worse": "lose",
        "equal": "make no practical difference",
        "tiny": f"differ by {unit.size(0.0)}",
    }
    said = []
    for key, names in found.items():
        if len(names) > MOST_NAMED:
            said.append(f"{len(names)} methods, from {names[0]} to {names[-1]}, {several[key]}")
        elif names:
            said.append(f"{', '.join(names)} {one[key] if len(names) == 1 else several[key]}")
    return "; ".join(said)


def said(counts: Mapping[str, int]) -> str:
    """Count blocks by outcome."""
    words = {"better": "better", "worse": "worse", "equal": "practically equal", "open": "not told apart"}
    return ", ".join(f"{words[key]} in {n}" for key, n in counts.items() if n)


def counted(n: int, noun: str) -> str:
    """Write ``1 block``, ``3 blocks``."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def first_of(sentences: Sequence[str]) -> str:
    """What follows what was counted: ``: …``, or ``; the first: …``."""
    return f"{': ' if len(sentences) == 1 else '; the first: '}{sentences[0]}"
