"""What every source of labelled texts shares: the value, and the cleaning before any split."""

import logging
import re
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaug import names, settings
from synaug.errors import UserError
from synaug.files.digest import json_sha256, text_sha256
from synaug.seeding import derive_seed

log = logging.getLogger(__name__)

LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# Texts, their labels (None where a row has none) and the class names.
Rows = tuple[Sequence[str], Sequence[int | None], tuple[str, ...]]


@dataclass(frozen=True)
class LabelledTexts:
    """Distinct texts with one label each.

    Attributes
    ----------
    name
        The name that enters the seeds of splits and thinning.
    texts
        `n` distinct texts, stripped of surrounding white space.
    labels
        int64 `[n]`, indices into `class_names`.
    class_names
        One name for each class.
    report
        Counts of what was read, merged, dropped and capped.
    shown_as
        What the data set is called before readers; None: its name.
    """

    name: str
    texts: list[str]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    report: dict[str, Any] = field(default_factory=dict)
    shown_as: str | None = None

    @property
    def title(self) -> str:
        """What the data set is called before readers."""
        return self.name if self.shown_as is None else self.shown_as

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
    max_rows
        At most this many distinct texts in all, of each class in proportion; None for all.
    min_per_class
        Classes with fewer distinct texts are dropped; None drops none.
    drop_empty
        Drop rows without a text or a label, instead of refusing them.
    seed
        Draws the texts that the caps keep. A smaller cap keeps a part of a larger one.
    licence, paper
        For the reader; nothing depends on them.
    """

    text: Any = None  # the columns, where a source has any
    label: Any = None

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
        if not isinstance(name, str) or not name.strip():
            raise UserError(f"dataset.name={name!r} must be text: leave it out, or write it in quotes, '\"my name\"'")
        caps = {"max_per_class": max_per_class, "max_rows": max_rows, "min_per_class": min_per_class}
        settings.require("dataset", settings.DATASET, {**caps, "drop_empty": drop_empty, "seed": seed})
        self.name = name
        self.title = name
        self.where = name  # where rows with a fault are, in sentences
        self.max_per_class = max_per_class
        self.max_rows = max_rows
        self.min_per_class = min_per_class
        self.drop_empty = drop_empty
        self.seed = seed
        self.licence = licence
        self.paper = paper

    @abstractmethod
    def source(self) -> str:
        """Name the content cheaply (a digest or a pinned revision): it enters a run's identity."""

    @abstractmethod
    def read(self) -> Rows:
        """Read all texts, their labels (indices; None where a row has none) and the class names."""

    def look(self) -> None:
        """Find, without reading all of the data and with no library that is slow to import, what would keep it unread.

        Raises
        ------
        UserError
            If there is no such data.
        """
        self.source()

    def load(self, *, proportional: bool = False, at_least: int = 1) -> LabelledTexts:
        """Read, check, merge identical texts, drop contradictions and small classes, cap.

        Parameters
        ----------
        proportional
            Let `max_per_class` cap the largest class, and thin the others in proportion to it.
        at_least
            Rows that a cap leaves each class (all, where it has fewer), even if out of proportion.

        Raises
        ------
        UserError
            If a text is empty or no Unicode, two classes look like one, fewer than two classes have rows left, or
            `max_rows` is too few for them.
        """
        texts, labels, class_names, report = self._complete_rows()
        label_of: dict[str, int] = {}
        contradicting: set[str] = set()
        for text, label in zip(texts, labels, strict=True):
            if label_of.setdefault(text, label) != label:
                contradicting.add(text)
        distinct = [text for text in label_of if text not in contradicting]
        values = np.array([label_of[text] for text in distinct], dtype=np.int64)
        report |= {
            "distinct_texts": len(label_of),
            "rows_merged": len(texts) - len(label_of),
            "contradicting_texts_dropped": len(contradicting),
        }
        if contradicting or report["rows_merged"]:
            log.info(
                "%s: %d rows repeat another's text and were merged; %d texts stand under two labels and were dropped",
                self.title,
                report["rows_merged"],
                len(contradicting),
            )
        large = self._large_classes(values, class_names, report)
        if len(np.intersect1d(values, large)) < 2:
            left = [class_names[label] for label in np.intersect1d(values, large).tolist()]
            n = len(contradicting)
            lost = [f"{n} text{'' if n == 1 else 's'} with two labels"] if n else []
            lost += [f"classes of fewer than {self.min_per_class} rows"] if len(large) < len(class_names) else []
            verb = "is" if n == 1 and len(lost) == 1 else "are"
            dropped = f" once {' and '.join(lost)} {verb} dropped" if lost else ""
            few = f"1 class ({names.listed(left)})" if left else "no class"
            check = "check the label column" if len(large) == len(class_names) else "lower dataset.min_per_class"
            raise UserError(
                f"{self.title} has rows of {few}{dropped}, but classification needs two or more classes: {check}"
            )
        if len(large) < len(class_names):
            rows = np.flatnonzero(np.isin(values, large))
            distinct = [distinct[row] for row in rows]
            values = np.searchsorted(large, values[rows])
            class_names = tuple(class_names[label] for label in large.tolist())
        kept = self._capped(values, class_names, report, at_least, proportional=proportional)
        report |= {"rows_over_cap": len(distinct) - len(kept), "rows": len(kept)}
        return LabelledTexts(
            self.name, [distinct[row] for row in kept], values[kept], class_names, report, shown_as=self.title
        )

    def _complete_rows(self) -> tuple[list[str], list[int], tuple[str, ...], dict[str, Any]]:
        """Rows with a text and a label, stripped; what is wrong with others is said of all at once."""
        read_texts, read_labels, class_names = self.read()
        texts = [text.strip() for text in read_texts]
        report = {"rows_read": len(texts)}
        _refuse_look_alikes(class_names, self.where)
        no_text = [row for row, text in enumerate(texts) if not text or not (text.isascii() or names.look_of(text))]
        no_label = [row for row, label in enumerate(read_labels) if label is None]
        empty = {*no_text, *no_label}
        if empty and not self.drop_empty:
            raise UserError(self._empty_rows(no_text, no_label, len(texts)))
        if empty:
            report["empty_rows_dropped"] = len(empty)
            log.info("%s: %d of %d rows have no text or no label; dropped", self.title, len(empty), len(texts))
        broken = [row for row, text in enumerate(texts) if row not in empty and LONE_SURROGATE.search(text)]
        if broken:
            one = len(broken) == 1
            raise UserError(
                f"{_rows(broken)} of {self.where} {'holds' if one else 'hold'} half a surrogate pair, which is no "
                f"Unicode text: mend or remove {'it' if one else 'them'}"
            )
        complete = [
            (text, label)
            for row, (text, label) in enumerate(zip(texts, read_labels, strict=True))
            if label is not None and row not in empty
        ]
        return [text for text, _ in complete], [label for _, label in complete], class_names, report

    def _empty_rows(self, no_text: list[int], no_label: list[int], n_rows: int) -> str:
        parts = [
            f"no {what}{'' if column is None else f' in column {column!r}'}"
            for what, column in (("text", self.text), ("label", self.label))
        ]
        drop = "or set dataset.drop_empty=true to drop"
        if len(no_text) + len(no_label) == 1:
            what, mend = (parts[0], "fill") if no_text else (parts[1], "label")
            return f"{_rows(no_text or no_label)} of {self.where} has {what}: {mend} or remove it, {drop} it"
        said = [
            f"{len(rows):,} of the {n_rows:,} rows of {self.where} {'has' if len(rows) == 1 else 'have'} {part} "
            f"({_rows(rows)})"
            for rows, part in ((no_text, parts[0]), (no_label, parts[1]))
            if rows
        ]
        return f"{' and '.join(said)}: fill or remove them, {drop} them"

    def _large_classes(
        self, labels: NDArray[np.int64], class_names: Sequence[str], report: dict[str, Any]
    ) -> NDArray[np.int64]:
        """Labels of the classes that are not dropped for their few rows."""
        if self.min_per_class is None:
            return np.arange(len(class_names))
        counts = np.bincount(labels, minlength=len(class_names))
        small = np.flatnonzero(counts < self.min_per_class).tolist()
        if small:
            report["classes_dropped"] = {class_names[label]: int(counts[label]) for label in small}
            report["rows_of_dropped_classes"] = int(counts[small].sum())
            log.info(
                "%s: %s of fewer than %d rows %s dropped, %d rows in all: %s",
                self.title,
                "1 class" if len(small) == 1 else f"{len(small)} classes",
                self.min_per_class,
                "was" if len(small) == 1 else "were",
                report["rows_of_dropped_classes"],
                names.listed([class_names[label] for label in small]),
            )
        return np.flatnonzero(counts >= self.min_per_class)

    def _capped(
        self,
        labels: NDArray[np.int64],
        class_names: Sequence[str],
        report: dict[str, Any],
        at_least: int,
        *,
        proportional: bool,
    ) -> NDArray[np.int64]:
        counts = np.bincount(labels, minlength=len(class_names))
        keep, floor = counts, np.minimum(counts, at_least)
        if self.max_per_class is not None:
            needed = min(at_least, int(counts.max()))
            if self.max_per_class < needed:
                raise UserError(
                    f"dataset.max_per_class={self.max_per_class} leaves no class the {needed} rows that each needs: "
                    f"raise it to {needed} or more, or lower n_folds"
                )
            cap = min(self.max_per_class, int(counts.max()))
            keep = np.minimum(counts, cap)
            if proportional:
                in_proportion = np.rint(counts * (cap / counts.max())).astype(np.int64)
                keep = np.minimum(np.maximum(in_proportion, floor), keep)
        if self.max_rows is not None and self.max_rows < keep.sum():
            if self.max_rows < np.minimum(floor, keep).sum():
                raise UserError(
                    f"dataset.max_rows={self.max_rows} is too few for {np.count_nonzero(counts)} classes that need "
                    f"{at_least} rows each: raise it to {np.minimum(floor, keep).sum()} or more"
                )
            keep = _in_proportion(keep, self.max_rows, np.minimum(floor, keep))
        if (keep == counts).all():
            return np.arange(len(labels))
        if proportional:
            report["rows_per_class_before_caps"] = counts.tolist()
            self._tell_proportions(counts, keep, floor, class_names, report)
        kept = []
        for label in np.unique(labels):
            # Named after the older of the caps, whose draws are those of all.
            draw = np.random.RandomState(derive_seed("max_per_class", self.name, self.seed, int(label)))
            kept.append(draw.permutation(np.flatnonzero(labels == label))[: keep[label]])
        return np.sort(np.concatenate(kept))

    def _tell_proportions(
        self,
        counts: NDArray[np.int64],
        keep: NDArray[np.int64],
        floor: NDArray[np.int64],
        class_names: Sequence[str],
        report: dict[str, Any],
    ) -> None:
        """Say where a class kept more than its share, because the share was too few rows."""
        share = keep.max() / counts.max()
        raised = [
            f"{class_names[label]!r} {keep[label]} of {counts[label]}"
            for label in np.flatnonzero((keep == floor) & (counts * share < floor - 0.5)).tolist()
        ]
        if raised:
            report["proportions_changed"] = True
            more = f" and {len(raised) - 12} more" if len(raised) > 12 else ""
            log.warning(
                "%s: the caps changed the proportions of the classes, as each needs some rows: of the largest %d of %d "
                "are kept, of %s%s",
                self.title,
                keep.max(),
                counts.max(),
                ", ".join(raised[:12]),
                more,
            )
        else:
            log.info("%s: the caps kept %d of %d rows, in proportion", self.title, keep.sum(), counts.sum())


def _in_proportion(counts: NDArray[np.int64], total: int, floor: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of each class, `total` in all, by Webster's method: with a larger total no class has fewer.

    Balinski and Young, "Fair Representation", 1982, chapter 9: the k-th row of a class of n has the claim
    n / (2k − 1), and the greatest claims are met; the first `floor` rows of a class go before all others.
    """
    label = np.repeat(np.arange(len(counts)), counts)
    place = np.concatenate([np.arange(count) for count in counts])
    claim = np.where(place < floor[label], np.inf, counts[label] / (2 * place + 1))
    kept = np.argsort(-claim, kind="stable")[:total]
    shares: NDArray[np.int64] = np.bincount(label[kept], minlength=len(counts))
    return shares


def _refuse_look_alikes(class_names: Sequence[str], where: str) -> None:
    """Refuse two classes that a reader takes for one; warn of those that differ in capitals alone."""
    looks: dict[str, list[str]] = defaultdict(list)
    capitals: dict[str, list[str]] = defaultdict(list)
    for name in class_names:
        if LONE_SURROGATE.search(name):
            raise UserError(
                f"the class {name!a} of {where} holds half a surrogate pair, which is no Unicode text: rename it"
            )
        looks[names.look_of(name)].append(name)
        capitals[name.casefold()].append(name)
    alike = [" and ".join(map(ascii, spellings)) for spellings in looks.values() if len(spellings) > 1]
    if alike:
        n = len(alike) - 1
        more = f", and so {'does 1 more pair' if n == 1 else f'do {n} more pairs'}" if n else ""
        raise UserError(
            f"the classes {alike[0]} of {where} look alike but are made of different characters{more}: write them alike"
        )
    differing = [" and ".join(map(repr, spellings)) for spellings in capitals.values() if len(spellings) > 1]
    if differing:
        log.warning(
            "%s: classes that differ in capitals alone are classes of their own: %s", where, "; ".join(differing[:12])
        )


def _rows(rows: Sequence[int], most: int = 5) -> str:
    """``row 3`` or ``rows 3, 4, 9, …``, counted from 1."""
    first = ", ".join(str(row + 1) for row in rows[:most])
    return f"row{'s' if len(rows) > 1 else ''} {first}{', …' if len(rows) > most else ''}"


def names_of_classes(given: object) -> tuple[str, ...]:
    """Check the setting `class_names`.

    Raises
    ------
    UserError
        If it is no list of two different names or more, or YAML has made a value of one that cannot be told back.
    """
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise UserError(f"dataset.class_names={given} must be a list of class names, e.g. [no, yes]")
    for name in given:
        if not isinstance(name, str) and not settings.is_whole(name):
            value = names.as_yaml(name) if names.is_written(name) else name
            raise UserError(
                f"dataset.class_names holds {value}, which YAML takes for a value: write each name in quotes"
            )
    class_names = tuple(map(str, given))
    if len(class_names) < 2 or len(set(class_names)) < len(class_names):
        raise UserError(f"dataset.class_names={list(given)} must be two or more names that differ")
    return class_names


def find_column(column: object, columns: Sequence[str], where: str, setting: str, note: str = "") -> str:
    """The one column that a setting means.

    Parameters
    ----------
    column
        The setting's value, as of `synaug.names.called`.
    setting
        Its name, for the remedy.
    note
        Where the columns' names were found.

    Raises
    ------
    UserError
        If no column is called so (with near misses), or several.
    """
    called = names.called(column, columns)
    if len(called) == 1:
        return called[0]
    if len(set(called)) > 1:
        raise UserError(
            f"{setting}={names.as_yaml(column)} stands for several columns of {where} ({names.listed(called)}): quote "
            f"the one you mean, '{setting}=\"{called[0]}\"'"
        )
    if called:
        raise UserError(f"{where} has {len(called)} columns called {called[0]!r}: rename all but one")
    word = names.as_yaml(column)
    hint = names.nearest(word, columns) or (
        f"; it has {names.listed(columns) or 'none'}{note}: set dataset.text and dataset.label"
    )
    raise UserError(f"{where} has no column {word!r}{hint}")
