"""What all parts of the report ask of the evidence: blocks in order, and which methods are shown."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from synaug.comparison.compare import Comparison
from synaug.comparison.evidence import Evidence
from synaug.report import words
from synaug.report.figures import style

SEPARATOR = " · "  # between the parts of a block's label: data set, encoder, ratio, classifier, settings


@dataclass(frozen=True)
class Drawing:
    """A figure and what is said of it.

    Attributes
    ----------
    name
        Of its files.
    section
        Of the page, where it stands.
    title, alt, note
        `alt` says in words and numbers what the figure shows; `note` how to read it, and what was left out.
    metric
        None for a figure that goes with every metric.
    """

    name: str
    section: str
    title: str
    alt: str
    figure: Figure
    note: str = ""
    metric: str | None = None


@dataclass(frozen=True)
class Failed:
    """A figure that could not be drawn, in the place where it would stand.

    Attributes
    ----------
    name
        Of the figure, as far as it was known.
    error
        Why; a fault of the program.
    """

    name: str
    section: str
    error: Exception

    @property
    def reason(self) -> str:
        """The error in one line."""
        return f"{type(self.error).__name__}: {self.error}"


# Makes one figure, when it is called: so that each can fail by itself.
Plan = Callable[[], Drawing | Failed | None]


@dataclass(frozen=True)
class Material:
    """Evidence and comparison, with what is derived from both."""

    evidence: Evidence
    comparison: Comparison

    @property
    def metric(self) -> str:
        """The primary metric."""
        return self.comparison.metrics[0]

    @cached_property
    def blocks(self) -> pd.DataFrame:
        """Blocks by label, in order: `dataset`, `ratio`, `panel` (all but the ratio), `at` (the ratio in words)."""
        runs = self.evidence.runs
        found = runs.drop_duplicates("block").set_index("block")[
            ["dataset", "encoder", "imbalance_ratio", "ratio", "classifier"]
        ]
        several = [column for column in ("encoder", "classifier") if len(found[column].unique()) > 1]
        panels, ats = [], []
        for block, row in found.iterrows():
            named = SEPARATOR.join(row[column] for column in ("dataset", "encoder", "imbalance_ratio", "classifier"))
            settings = str(block).removeprefix(named).removeprefix(SEPARATOR)
            panels.append(SEPARATOR.join(filter(None, [row["dataset"], *(row[each] for each in several), settings])))
            profile = str(row["imbalance_ratio"]).rpartition("_")[2]
            shape = f" {profile}" if profile in ("linear", "exponential") else ""
            ats.append(words.ratio(row["ratio"]) + shape)
        order = {name: index for index, name in enumerate(runs["dataset"].drop_duplicates())}
        found = found.assign(panel=panels, at=ats, order=found["dataset"].map(order))
        return found.sort_values(["order", "panel", "ratio", "at"], na_position="last", kind="stable")

    @cached_property
    def order(self) -> dict[str, int]:
        """Where each block stands among all."""
        return {str(block): index for index, block in enumerate(self.blocks.index)}

    @cached_property
    def panels(self) -> list[str]:
        """Data sets, with the encoder, classifier and settings where there are several."""
        return list(self.blocks["panel"].drop_duplicates())

    def blocks_of(self, panel: str) -> pd.DataFrame:
        """The blocks of a panel, by ratio."""
        return self.blocks[self.blocks["panel"] == panel]

    @cached_property
    def augmenters(self) -> list[str]:
        """Labels: none first, then those that ship, then others by name and amount."""
        runs = self.evidence.runs.drop_duplicates("augmenter")
        bases = [str(label).split(" ")[0] for label in runs["augmenter"]]
        keys = [
            (base != "none", style.OF_AUGMENTER.get(base, len(style.OF_AUGMENTER)), base, len(str(label)), str(label))
            for base, label in zip(bases, runs["augmenter"], strict=True)
        ]
        return [key[-1] for key in sorted(keys)]

    @cached_property
    def main_augmenters(self) -> list[str]:
        """None and those that fill the whole gap, where a sweep of amounts makes a dozen of a few."""
        runs = self.evidence.runs
        whole = set(runs["augmenter"][runs["amount"].isin((0, 1))])
        found = [name for name in self.augmenters if name in whole or name == "none"]
        return found if set(found) - {"none"} else self.augmenters

    @cached_property
    def losses(self) -> list[str]:
        """Labels of the losses, the plain one first."""
        return sorted(self.evidence.runs["loss"].unique())

    def table(self, metric: str, reference: str | None = None) -> pd.DataFrame:
        """The comparisons of one metric, of blocks in order."""
        found = self.comparison.tables[metric]
        return found if reference is None else found[found["reference"] == reference]

    def means(self, metric: str) -> pd.Series:
        """Mean score by block, augmenter, loss and decision."""
        return self._means[metric]

    @cached_property
    def _means(self) -> dict[str, pd.Series]:
        keys = ["block", "augmenter", "loss", "decision"]
        return {
            metric: frame.groupby(keys, observed=True, sort=False)["value"].mean()
            for metric, frame in self.comparison.values.items()
        }

    def example_block(self, panel: str) -> str:
        """Pick the block that stands for a panel where only one is shown: the harshest ratio with most augmenters."""
        own = self.blocks_of(panel)
        counts = self.evidence.runs.groupby("block")["augmenter"].nunique().reindex(own.index)
        complete = own[counts == counts.max()]
        return str(complete["ratio"].fillna(-1).idxmax() if len(complete) > 1 else complete.index[0])

    def records_of(self, block: str, loss: str | None = None) -> dict[str, dict[str, Any]]:
        """Records of a block by augmenter, in order; of the plain loss or the first there is."""
        runs = self.evidence.runs
        own = runs[runs["block"] == block]
        wanted = loss if loss is not None else min(own["loss"])
        own = own[own["loss"] == wanted]
        identities = dict(zip(own["augmenter"], own["identity"], strict=True))
        return {name: self.evidence.records[identities[name]] for name in self.augmenters if name in identities}

    def main_records(self, block: str, most: int) -> dict[str, dict[str, Any]]:
        """Those of `records_of` that are of `main_augmenters`, as many as a figure can hold."""
        found = self.records_of(block)
        return {name: found[name] for name in [each for each in self.main_augmenters if each in found][:most]}

    def best_on_validation(self, block: str) -> str | None:
        """The augmenter other than none with the best mean validation score under argmax."""
        from synaug.scores.metrics import LOSSES

        frame = self.evidence.members(self.metric)[1]
        own = frame[(frame["block"] == block) & (frame["decision"] == "argmax") & (frame["augmenter"] != "none")]
        means = own.groupby("augmenter", observed=True)["value"].mean().dropna()
        if means.empty:
            return None
        return str(means.idxmin() if self.metric in LOSSES else means.idxmax())

    @cached_property
    def without_minority(self) -> list[str]:
        """Panels, or some of their ratios, of which no class is a minority, so that there is nothing to augment."""
        runs = self.evidence.runs
        bare = {
            block
            for block, identity in zip(runs["block"], runs["identity"], strict=True)
            if not self.evidence.records[identity]["data"]["minority"]
        }
        found: list[str] = []
        for panel in self.panels:
            blocks = self.blocks_of(panel)
            own = blocks[blocks.index.isin(bare)]
            found += [panel] if len(own) == len(blocks) else [f"{panel} ({at})" for at in own["at"]]
        return found

    def over_members(self, block: str) -> str:
        """Say what the numbers of a block are means of."""
        records = self.records_of(block).values()
        most = max((len(each["config"]["seeds"]) * each["config"]["n_folds"] for each in records), default=0)
        return "one member" if most == 1 else "means over members"

    def label(self, block: str) -> str:
        """A block as `data set at 1:10`."""
        row = self.blocks.loc[block]
        return f"{row['panel']} at {row['at']}"


def is_significant(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Whether Holm's p says so."""
    return rows["p_holm"].lt(0.05)


def extent(values: np.ndarray[Any, Any]) -> float:
    """Largest absolute value, for limits that are symmetric; never 0."""
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if finite.size and finite.max() > 0 else 1.0
