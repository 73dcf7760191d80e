"""Rows that a sampler brings from elsewhere, in the place of making them: what such a sampler is told, and answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from synaug.augmenter.rows import FloatRows, Labels, ToAugment
from synaug.dataset import LabelledTexts


@dataclass(frozen=True)
class Drawn:
    """What a sampler has for a training set.

    Attributes
    ----------
    embeddings, labels
        The rows, float32 `[s, d]`, and their labels, int64 `[s]`.
    parents
        int64 `[s, 2]`: places among the given rows that each was derived from, twice the same for one; -1 for none.
    lacking
        By label: why there are fewer rows of it than were asked for.
    diagnostics
        What a reader should know, for the record.
    """

    embeddings: FloatRows
    labels: Labels
    parents: Labels
    lacking: Mapping[int, str]
    diagnostics: list[dict[str, Any]]


class BringsTexts(Protocol):
    """A sampler with texts of its own.

    It learns twice what it is used with, and never changes for that: first the data set, before anything is embedded,
    then the vectors. It is not cloned, and not handed numbers alone: which rows they are decides what it may give.
    """

    def digest(self) -> str:
        """Name the content: it enters a run's identity."""

    def matched(self, dataset: LabelledTexts) -> "BringsTexts":
        """The same with what the data set has a use for; raises a UserError if that is nothing."""

    @property
    def texts(self) -> Sequence[str]:
        """Those that are to be embedded, as `matched` found them."""

    @property
    def report(self) -> dict[str, Any]:
        """What became of its texts, for the record."""

    def embedded(self, own: FloatRows, of_data_set: FloatRows) -> "BringsTexts":
        """The same with the vectors of its texts, and of the data set's."""

    def draw(self, task: ToAugment, asked: Mapping[int, int]) -> Drawn:
        """Rows for a training set: at most so many of each label as are asked for."""


def brings_texts(sampler: Any) -> bool:
    """Whether a sampler has texts of its own."""
    return all(hasattr(sampler, name) for name in ("matched", "embedded", "draw"))
