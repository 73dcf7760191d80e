"""What scores are of: a method, judged in a scenario. Both are values, with labels for readers.

Frames hold scenarios in a column `scenario`, and methods in the columns `augmenter`, `loss` and `decision`, from which
`methods_of` makes them. `as_text` prepares a frame for a file.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pandas as pd

from synaug.scores.decision import ARGMAX as ARGMAX
from synaug.scores.decision import ARGMAX_CHOSEN_STEP, RULES, TAU_NORM

SEPARATOR = " · "
NO_AUGMENTER = "none"
# In the place of an augmenter, what is picked for each split; no option and no settings read so.
PICKED = WITHOUT, WITH = ("best without synthesis", "best with synthesis")
PLAIN_LOSS = ""
CHOSEN = "chosen"
METHOD = ["augmenter", "loss", "decision"]
DECISIONS = {
    **{rule: rule.replace("_", " ") for rule in RULES},
    ARGMAX_CHOSEN_STEP: "argmax at the chosen step",
    TAU_NORM: "tau-normalised",
    CHOSEN: "rule chosen",
}
MOST_BY_FALLBACK = 0.5
MOSTLY_BY_FALLBACK = "mostly by fallback"

Share = TypeVar("Share", float, "pd.Series[float]")


@dataclass(frozen=True, order=True)
class Scenario:
    """What methods are compared within.

    Attributes
    ----------
    dataset, encoder, imbalance_ratio, classifier
        Names of the options; of a user's own file, its name.
    settings
        Whatever else differs between runs of the same options, each as a reader wants it, e.g. ``max_steps=500``.
    ratio
        The number that `imbalance_ratio` stands for; NaN is the natural imbalance.
    profile
        How class sizes fall, where it is not in one step: ``linear`` or ``exponential``.
    """

    dataset: str
    encoder: str
    imbalance_ratio: str
    classifier: str
    settings: tuple[str, ...] = ()
    ratio: float = field(default=math.nan, compare=False)
    profile: str = field(default="", compare=False)

    @property
    def place(self) -> tuple[bool, float, str]:
        """Sorts scenarios by ratio, natural imbalance last."""
        return self.is_natural, 0.0 if self.is_natural else self.ratio, self.at

    @property
    def label(self) -> str:
        """All of it in one line."""
        return SEPARATOR.join((self.dataset, self.encoder, self.imbalance_ratio, self.classifier, *self.settings))

    @property
    def is_natural(self) -> bool:
        """Whether the classes are as large as they came."""
        return math.isnan(self.ratio)

    @property
    def at(self) -> str:
        """The imbalance ratio in words: ``natural``, ``1:10``, ``1:10 linear``."""
        ratio = "natural" if self.is_natural else f"1:{self.ratio:g}"
        return " ".join(filter(None, (ratio, self.profile)))

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True, order=True)
class Method:
    """What is compared.

    Attributes
    ----------
    augmenter
        The option, with its settings where they differ between runs; or one of `PICKED`: the best of all methods
        without synthesis, or with it, on the out-of-fold rows of each split.
    loss
        The option, with its settings where they differ between runs; the plain loss is ``""``.
    decision
        The rule; `CHOSEN` is the best on the out-of-fold rows of each split.
    """

    augmenter: str
    loss: str = PLAIN_LOSS
    decision: str = ARGMAX

    @property
    def label(self) -> str:
        """The method by name; argmax goes without saying."""
        if self.augmenter in PICKED:
            return self.augmenter
        rule = "" if self.decision == ARGMAX else DECISIONS.get(self.decision, self.decision)
        return ", ".join(filter(None, (self.label_without_rule, rule)))

    @property
    def label_without_rule(self) -> str:
        """What trained, for lists of methods under one decision rule."""
        return " ".join(filter(None, (self.augmenter, self.loss)))

    def __str__(self) -> str:
        return self.label


BASELINE = Method(NO_AUGMENTER)
BEST_WITHOUT_SYNTHESIS, BEST_WITH_SYNTHESIS = (Method(augmenter, decision=CHOSEN) for augmenter in PICKED)
# What every method is compared with, by its name in the column `reference`.
REFERENCES = {"baseline": BASELINE, "best_without_synthesis": BEST_WITHOUT_SYNTHESIS}
REFERENCE_LABELS = {"baseline": "the baseline", "best_without_synthesis": "the best without synthesis"}


def methods_of(frame: pd.DataFrame, decision: str | None = None) -> "pd.Series[Any]":
    """The method of each row `[n]`, under its own decision rule or under one for all."""
    rules: Sequence[Any] = frame["decision"].tolist() if decision is None else [decision] * len(frame)
    rows = zip(frame["augmenter"].tolist(), frame["loss"].tolist(), rules, strict=True)
    known: dict[tuple[str, str, str], Method] = {}
    methods = [known.setdefault(row, Method(*row)) for row in rows]
    return pd.Series(methods, index=frame.index, dtype=object)


def is_mostly_by_fallback(share: Share) -> Share:
    """Whether a fallback made more than half of the rows, so that the scores are the fallback's; NaN is no rows."""
    return share > MOST_BY_FALLBACK  # type: ignore[return-value]


def as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame whose scenarios and methods are their labels, as files and readers want them."""
    columns = [name for name in ("scenario", "method", "chosen_from") if name in frame]
    return frame.assign(**{name: _labels(frame[name]) for name in columns})


def _labels(column: "pd.Series[Any]") -> "pd.Series[Any]":
    labels = column.map(str, na_action="ignore")
    return labels.astype("category") if isinstance(column.dtype, pd.CategoricalDtype) else labels
