"""The words of a verdict: sizes, outcomes and p-values as a reader wants them, none stronger than its test."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from synaug.metrics import LOSSES

LEVEL = 0.05
# Of the posterior: as sure as the tests are asked to be.
SURE = 0.95
MOST_NAMED = 8
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
    """Write a difference with its sign."""
    text = difference(value, name)
    return text if text[0] in "−–" else f"+{text}"


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

    def change(self, gain: float, other: str) -> str:
        """Say that something gains over or loses to another."""
        size = f"{self.of(abs(gain))}{self.points}"
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
        return f"cannot be compared with {other} by a test, as there are {row['n_members']} common members"
    evidence = f"95 % {unit.of(row['low'])} to {unit.of(row['high'])}, corrected {words_for_p(row['p_holm'])}"
    found = outcome(row)
    if found in ("better", "worse"):
        return f"{unit.change(row['gain'], other)} ({evidence})"
    if found == "equal":
        sure = f"within ±{unit.of(unit.rope)}{unit.points} with probability {row['p_equivalent']:.2f}"
        return f"is practically equal in {unit.name} to {other} ({unit.signed(row['gain'])}, {sure})"
    return f"is not shown to differ in {unit.name} from {other} ({unit.signed(row['gain'])}{unit.points}, {evidence})"


def split(rows: pd.DataFrame, unit: Unit) -> str:
    """Name the methods by outcome with their gains, of many only the first and the last."""
    if rows.empty:
        return "there is nothing to compare"
    found: dict[str, list[str]] = {name: [] for name in OUTCOMES}
    for _, row in rows.sort_values("gain", ascending=False).iterrows():
        label = " ".join(filter(None, (str(row["augmenter"]), str(row["loss"]))))
        found[outcome(row)].append(f"{label} ({unit.signed(row['gain'])})")
    one = {
        "better": "gains",
        "worse": "loses",
        "equal": "makes no practical difference",
        "open": "cannot be told apart",
    }
    several = {**one, "better": "gain", "worse": "lose", "equal": "make no practical difference"}
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


def counted_blocks(n: int) -> str:
    """Write ``1 block``, ``3 blocks``."""
    return "1 block" if n == 1 else f"{n} blocks"
