"""What every source of labelled texts shares: the value, and the cleaning before any split."""

import difflib
import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from synaug.digest import json_sha256, text_sha256
from synaug.errors import UserError
from synaug.seeding import derive_seed

log = logging.getLogger(__name__)

LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class LabelledTexts:
    """Distinct texts with one label each.

    Attributes
    ----------
    name
        The data set's name; it enters the seeds of splits and thinning.
    texts
        `n` distinct texts, stripped of surrounding white space.
    labels
        int64 `[n]`, indices into `class_names`.
    class_names
        One name for each class.
    report
        Counts of what was read, merged, dropped and capped.
    """

    name: str
    texts: list[str]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    report: dict[str, int] = field(default_factory=dict)

    @property
    def rows_per_class(self) -> NDArray[np.int64]:
        """Rows of each class, `[n_classes]`."""
        return np.bincount(self.labels, minlength=len(self.class_names))

    @cached_property
    def fingerprint(self) -> str:
        """Digest of texts, labels and class names, in order."""
        rows = [text_sha256(text) for text in self.texts]
        return json_sha256([rows, self.labels.tolist(), self.class_names])


class TextSource(ABC):
    """Where labelled texts come from. A subclass says how they are read; this class cleans them.

    Parameters
    ----------
    name
        The data set's name.
    max_per_class
        At most this many distinct texts of each class; None for all.
    seed
        Draws the texts that `max_per_class` keeps. A smaller cap keeps a part of a larger one.
    licence, paper
        For the reader; nothing depends on them.
    """

    def __init__(
        self,
        *,
        name: str,
        max_per_class: int | None = None,
        max_rows: int | None = None,
        min_per_class: int | None = None,
        drop_empty: bool = False,
        seed: int = 0,
        licence: str | None = None,
        paper: str | None = None,
    ) -> None:
        if max_per_class is not None and (not isinstance(max_per_class, int) or max_per_class < 2):
            raise UserError(
                f"dataset.max_per_class={max_per_class} must be a whole number of at least 2, or null for all rows"
            )
        self.name = name
        self.max_per_class = max_per_class
        self.seed = seed
        self.licence = licence
        self.paper = paper

    @abstractmethod
    def source(self) -> str:
        """Name the content cheaply (a digest or a pinned revision): it enters a run's identity."""

    @abstractmethod
    def read(self) -> tuple[list[str], list[int], tuple[str, ...]]:
        """Read all texts, their labels (indices) and the class names."""

    def load(self) -> LabelledTexts:
        """Read, check, merge identical texts, drop contradictions, cap.

        Raises
        ------
        UserError
            If a text is empty or no Unicode, or fewer than two classes have rows left.
        """
        texts, labels, class_names = self.read()
        texts = [text.strip() for text in texts]
        for row, text in enumerate(texts, start=1):
            if not text:
                raise UserError(f"row {row} of {self.name} has an empty text; every row needs one: remove or fill it")
            if LONE_SURROGATE.search(text):
                raise UserError(
                    f"row {row} of {self.name} holds half a surrogate pair, which is no Unicode text: mend or remove it"
                )
        label_of: dict[str, int] = {}
        contradicting: set[str] = set()
        for text, label in zip(texts, labels, strict=True):
            if label_of.setdefault(text, label) != label:
                contradicting.add(text)
        distinct = [text for text in label_of if text not in contradicting]
        values = np.array([label_of[text] for text in distinct], dtype=np.int64)
        present = np.unique(values)
        if len(present) < 2:
            names = ", ".join(repr(class_names[label]) for label in present) or "none"
            dropped = f" once {len(contradicting)} texts under two labels are dropped" if contradicting else ""
            raise UserError(
                f"{self.name} has rows of {len(present)} class ({names}){dropped}, but classification needs two or "
                "more: check the label column"
            )
        kept = self._capped(values)
        report = {
            "rows_read": len(texts),
            "distinct_texts": len(label_of),
            "rows_merged": len(texts) - len(label_of),
            "contradicting_texts_dropped": len(contradicting),
            "rows_over_cap": len(distinct) - len(kept),
            "rows": len(kept),
        }
        if report["rows_merged"] or report["contradicting_texts_dropped"]:
            log.info(
                "%s: %d rows repeat another's text and were merged; %d texts stand under two labels and were dropped",
                self.name,
                report["rows_merged"],
                report["contradicting_texts_dropped"],
            )
        return LabelledTexts(self.name, [distinct[row] for row in kept], values[kept], class_names, report)

    def _capped(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        if self.max_per_class is None:
            return np.arange(len(labels))
        kept = []
        for label in np.unique(labels):
            draw = np.random.RandomState(derive_seed("max_per_class", self.name, self.seed, int(label)))
            kept.append(draw.permutation(np.flatnonzero(labels == label))[: self.max_per_class])
        return np.sort(np.concatenate(kept))


def require_column(column: str, columns: Sequence[str], where: str) -> None:
    """Raise ValueError with near misses where `column` is absent."""
    if column not in columns:
        near = difflib.get_close_matches(column, columns, n=1)
        hint = (
            f": did you mean {near[0]!r}?"
            if near
            else f"; it has {', '.join(map(repr, columns)) or 'none'}: set dataset.text and dataset.label"
        )
        raise UserError(f"{where} has no column {column!r}{hint}")
