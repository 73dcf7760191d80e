"""What every source of labelled texts shares: the value, and what is done to it before any split."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synaug import settings
from synaug.dataset.caps import Caps
from synaug.dataset.class_names import refuse_look_alikes
from synaug.dataset.complete import LONE_SURROGATE, cleaned, is_blank, said_of_empty, said_of_surrogates
from synaug.dataset.groups import connected, containing, numbered
from synaug.dataset.vectors import RowVectors, refuse_texts_of_several_vectors
from synaug.errors import UserError, raise_problems
from synaug.files.digest import json_sha256, text_sha256
from synaug.settings import names

log = logging.getLogger(__name__)

TooFew = Callable[[NDArray[np.int64], Sequence[str]], str | None]


class Rows(NamedTuple):
    """What a source reads, row by row.

    Attributes
    ----------
    texts
        `n` texts, as they are.
    labels
        `n` indices into `class_names`; None where a row has no label.
    class_names
        One name for each class.
    groups
        `n` names of groups, None where a row has none; None where no column groups the rows.
    """

    texts: Sequence[str]
    labels: Sequence[int | None]
    class_names: tuple[str, ...]
    groups: Sequence[str | None] | None = None


class Complete(NamedTuple):
    """Rows that have all they need, stripped of surrounding white space.

    `keys` tells which of them are one: their texts or, of rows without texts, their vectors' digests. `numbers` are
    those of the rows as they were read.
    """

    texts: list[str]
    labels: list[int]
    class_names: tuple[str, ...]
    groups: list[str] | None
    keys: list[str]
    numbers: list[int]


class Distinct(NamedTuple):
    """Texts that differ, with one label each, their groups, where there are any, and the first row of each as read."""

    texts: list[str]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64] | None
    numbers: NDArray[np.int64]


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
    groups
        int64 `[n]`: texts of one group must not be parted; None: every text stands for itself.
    vectors
        float32 `[n, d]`, read-only: the texts' embeddings, where the user brought them; None: an encoder makes them.
        A row without a text is called by its id, or by its vector's digest.
    """

    name: str
    texts: list[str]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    report: dict[str, Any] = field(default_factory=dict)
    shown_as: str | None = None
    groups: NDArray[np.int64] | None = None
    vectors: NDArray[np.float32] | None = None

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
        """Digest of texts, labels, class names and groups, in order."""
        rows = [text_sha256(text) for text in self.texts]
        groups = [] if self.groups is None else [self.groups.tolist()]
        return json_sha256([rows, self.labels.tolist(), self.class_names, *groups])


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
        Drop rows without a text, a label or, where there are groups, a group, instead of refusing them.
    group
        The column by which rows are grouped: rows of one value stand on one side of every split and inner fold.
        Groups that share a text are one, as equal texts are. None: there is no such column.
    group_phrases
        Group each text with the shortest text that contains it word for word, and so with that one's group.
    seed
        Draws the texts that the caps keep. A smaller cap keeps a part of a larger one.
    licence, paper
        For the reader; nothing depends on them.
    """

    text: Any = None  # the columns, where a source has any
    label: Any = None
    has_texts = True  # otherwise rows are known by the vectors that they have of their own

    def __init__(
        self,
        *,
        name: str,
        max_per_class: int | None = None,
        max_rows: int | None = None,
        min_per_class: int | None = None,
        drop_empty: bool = False,
        group: str | float | None = None,
        group_phrases: bool = False,
        seed: int = 0,
        licence: str | None = None,
        paper: str | None = None,
    ) -> None:
        if not isinstance(name, str) or not name.strip():
            raise UserError(f"dataset.name={name!r} must be text: leave it out, or write it in quotes, '\"my name\"'")
        caps = {"max_per_class": max_per_class, "max_rows": max_rows, "min_per_class": min_per_class}
        truths = {"drop_empty": drop_empty, "group_phrases": group_phrases}
        settings.require("dataset", settings.DATASET, {**caps, **truths, "seed": seed})
        if not names.is_written(group):
            raise UserError(f"dataset.group={group} must be the name of one column, or null")
        self.name = name
        self.title = name
        self.where = name  # where rows with a fault are, in sentences
        self.max_per_class = max_per_class
        self.max_rows = max_rows
        self.min_per_class = min_per_class
        self.drop_empty = drop_empty
        self.group = group
        self.group_phrases = group_phrases
        self.seed = seed
        self.licence = licence
        self.paper = paper

    @abstractmethod
    def source(self) -> str:
        """Name the content cheaply (a digest or a pinned revision): it enters a run's identity."""

    @abstractmethod
    def read(self) -> Rows:
        """Read all texts, their labels, the class names, and the groups where `group` names a column."""

    def look(self) -> None:
        """Find, without reading all of the data and with no library that is slow to import, what would keep it unread.

        Raises
        ------
        UserError
            If there is no such data.
        """
        self.source()

    def count(self) -> int | None:
        """How many rows there are to read, where that is soon told; None where it is not."""
        return None

    def load(
        self,
        *,
        proportional: bool = False,
        at_least: int = 1,
        vectors: RowVectors | None = None,
        too_few: TooFew = lambda counts, class_names: None,
    ) -> LabelledTexts:
        """Read, check, merge identical texts, drop contradictions and small classes, cap.

        Of rows with vectors of their own, those that share a text are one row all the same, with the vector of the
        first. Where there are no texts, rows of one vector are one row.

        Parameters
        ----------
        proportional
            Let `max_per_class` cap the largest class, and thin the others in proportion to it.
        at_least
            Rows that a cap leaves each class (all, where it has fewer), even if out of proportion.
        vectors
            Those of the rows that `read` returns, in their order; None: an encoder is to make them of the texts.
        too_few
            Says what is wrong with so many rows of each class, before the caps; None: nothing.

        Raises
        ------
        UserError
            All at once: if texts are empty or no Unicode, two classes look like one, fewer than two classes have rows
            left, `max_rows` is too few for them, vectors of one text differ, or `too_few` finds something. Classes are
            counted as if empty rows were dropped.
        UserError
            If there are neither texts nor vectors, or not one vector for each row.
        """
        self.refuse_rows_without_content(has_vectors=vectors is not None)
        problems: list[str] = []
        complete, report = self._complete_rows(vectors, problems)
        class_names = complete.class_names
        are_left_out = bool(problems) and len(complete.numbers) < report["rows_read"]
        distinct = self._merged(complete, report, vectors, problems)
        large = self._large_classes(distinct.labels, class_names, report)
        rows = np.flatnonzero(np.isin(distinct.labels, large))
        labels = np.searchsorted(large, distinct.labels[rows])
        few = self._too_few_classes(distinct.labels, large, class_names, report)
        if few is not None:  # unless rows that are left out may be of other classes
            raise_problems([*problems, *([] if are_left_out else [few])], self.where)
        class_names = tuple(class_names[label] for label in large.tolist())
        counts = np.bincount(labels, minlength=len(class_names))
        caps = Caps(self.max_per_class, self.max_rows, proportional, at_least)
        small = too_few(counts, class_names)
        if small is not None and are_left_out:
            small = f"without these rows, {small}"
        problems += [said for said in (caps.problem(counts), small) if said is not None]
        raise_problems(problems, self.where)
        report |= caps.tell_proportions(counts, class_names, self.title)
        kept = caps.kept(labels, (self.name, self.seed))
        report |= {"rows_over_cap": len(labels) - len(kept), "rows": len(kept)}
        groups = None if distinct.groups is None else self._tell_groups(distinct.groups[rows[kept]], report)
        texts = [distinct.texts[row] for row in rows[kept]]
        own = None if vectors is None else vectors.rows[distinct.numbers[rows[kept]]]
        if own is not None:
            own.flags.writeable = False
        return LabelledTexts(
            self.name, texts, labels[kept], class_names, report, shown_as=self.title, groups=groups, vectors=own
        )

    def refuse_rows_without_content(self, *, has_vectors: bool) -> None:
        """Refuse rows that have no texts where texts are needed.

        Raises
        ------
        UserError
            If the rows have neither texts nor vectors, or texts are to be grouped and there are none.
        """
        if self.has_texts:
            return
        if not has_vectors:
            raise UserError(
                "dataset.text=null says that rows have no text, which an encoder needs: name the column of the texts, "
                "or bring vectors with encoder=precomputed"
            )
        if self.group_phrases:
            raise UserError("dataset.group_phrases=true compares texts, and with dataset.text=null there are none")

    def _merged(
        self, rows: Complete, report: dict[str, Any], vectors: RowVectors | None, problems: list[str]
    ) -> Distinct:
        """One row for each text; a text with two labels is dropped."""
        label_of: dict[str, int] = {}
        first: dict[str, int] = {}
        contradicting: set[str] = set()
        for place, (key, label) in enumerate(zip(rows.keys, rows.labels, strict=True)):
            first.setdefault(key, place)
            if label_of.setdefault(key, label) != label:
                contradicting.add(key)
        distinct = [key for key in label_of if key not in contradicting]
        numbers = np.array(rows.numbers, dtype=np.int64)
        if vectors is not None and self.has_texts:
            first_of = numbers[[first[key] for key in rows.keys]] if rows.keys else numbers
            try:
                report |= refuse_texts_of_several_vectors(vectors, numbers, first_of, self.where)
            except UserError as error:
                problems.append(str(error))
        report |= {
            "distinct_texts": len(label_of),
            "rows_merged": len(rows.texts) - len(label_of),
            "contradicting_texts_dropped": len(contradicting),
        }
        if contradicting or report["rows_merged"]:
            what = "text" if self.has_texts else "vector"
            log.info(
                "%s: %d rows repeat another's %s and were merged; %d %ss stand under two labels and were dropped",
                self.title,
                report["rows_merged"],
                what,
                len(contradicting),
                what,
            )
        labels = np.array([label_of[key] for key in distinct], dtype=np.int64)
        places = [first[key] for key in distinct]
        groups = self._grouped(distinct, rows, report)
        return Distinct([rows.texts[place] for place in places], labels, groups, numbers[places])

    def _grouped(self, distinct: list[str], rows: Complete, report: dict[str, Any]) -> NDArray[np.int64] | None:
        """Groups of the distinct texts (their keys), by the column and by the texts that contain them."""
        links = []
        if rows.groups is not None:
            place = {key: position for position, key in enumerate(distinct)}
            kept = [(place[key], group) for key, group in zip(rows.keys, rows.groups, strict=True) if key in place]
            groups, group_of_row = np.unique([group for _, group in kept], return_inverse=True)
            links.append((np.array([text for text, _ in kept], dtype=np.int64), group_of_row))
            joined = len(groups) - len(np.unique(connected(len(distinct), links)))
            if joined:
                report["groups_joined"] = joined
                what = "text" if self.has_texts else "vector"
                log.info("%s: %d groups share a %s with another and were joined with it", self.title, joined, what)
        if self.group_phrases:
            links.append((np.arange(len(distinct)), containing(distinct)))
        return connected(len(distinct), links) if links else None

    def _tell_groups(self, groups: NDArray[np.int64], report: dict[str, Any]) -> NDArray[np.int64]:
        groups = numbered(groups)
        sizes = np.bincount(groups)
        report |= {"groups": len(sizes), "rows_of_largest_group": int(sizes.max())}
        log.info("%s: %d rows in %d groups, %d in the largest", self.title, len(groups), len(sizes), sizes.max())
        return groups

    def _too_few_classes(
        self, labels: NDArray[np.int64], large: NDArray[np.int64], class_names: Sequence[str], report: dict[str, Any]
    ) -> str | None:
        """The sentence for a data set of which no two classes are left; None where they are."""
        left = [class_names[label] for label in np.intersect1d(labels, large).tolist()]
        if len(left) >= 2:
            return None
        n = report["contradicting_texts_dropped"]
        what = "text" if self.has_texts else "vector"
        lost = [f"{n} {what}{'' if n == 1 else 's'} with two labels"] if n else []
        lost += [f"classes of fewer than {self.min_per_class} rows"] if len(large) < len(class_names) else []
        verb = "is" if n == 1 and len(lost) == 1 else "are"
        dropped = f" once {' and '.join(lost)} {verb} dropped" if lost else ""
        few = f"1 class ({names.listed(left)})" if left else "no class"
        check = "check the label column" if len(large) == len(class_names) else "lower dataset.min_per_class"
        return f"{self.title} has rows of {few}{dropped}, but classification needs two or more classes: {check}"

    def _complete_rows(self, vectors: RowVectors | None, problems: list[str]) -> tuple[Complete, dict[str, Any]]:
        """Rows with all they need, stripped; what is wrong with the others is added to the problems."""
        read = self.read()
        if vectors is not None and len(vectors.rows) != len(read.labels):
            raise UserError(
                f"{vectors.where} has {len(vectors.rows):,} vectors for the {len(read.labels):,} rows of {self.where}, "
                "but each row needs one: give the vectors of these rows"
            )
        if self.has_texts or vectors is None:
            keys = texts = list(map(cleaned, read.texts))
        else:
            keys, texts = vectors.digests, vectors.names()
        report = {"rows_read": len(texts)}
        try:
            refuse_look_alikes(read.class_names, self.where)
        except UserError as error:
            problems.append(str(error))
        lacking = {
            "text": [row for row, text in enumerate(texts) if self.has_texts and is_blank(text)],
            "label": [row for row, label in enumerate(read.labels) if label is None],
            "group": [row for row, group in enumerate(read.groups or ()) if group is None],
            "vector": [] if vectors is None else np.flatnonzero(vectors.lacking).tolist(),
        }
        empty = set().union(*lacking.values())
        if empty and not self.drop_empty:
            columns = {"text": self.text, "label": self.label, "group": self.group}
            problems.append(said_of_empty(lacking, len(texts), self.where, columns))
        elif empty:
            report["empty_rows_dropped"] = len(empty)
            parts = ["text"] * self.has_texts + ["label"] + ["group"] * (read.groups is not None)
            *others, last = [f"no {part}" for part in parts + ["vector"] * (vectors is not None)]
            what = f"{', '.join(others)} or {last}" if others else last
            log.info("%s: %d of %d rows have %s; dropped", self.title, len(empty), len(texts), what)
        broken = [row for row, text in enumerate(texts) if row not in empty and LONE_SURROGATE.search(text)]
        if broken:
            problems.append(said_of_surrogates(broken, self.where))
            empty.update(broken)
        kept = [row for row in range(len(texts)) if row not in empty]
        labels = [label for row in kept if (label := read.labels[row]) is not None]
        given = read.groups
        groups = None if given is None else [group for row in kept if (group := given[row]) is not None]
        keys_kept = [keys[row] for row in kept]
        return Complete([texts[row] for row in kept], labels, read.class_names, groups, keys_kept, kept), report

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
