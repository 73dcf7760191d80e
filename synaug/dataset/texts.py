"""What every source of labelled texts shares: the value, and the cleaning before any split."""

import logging
import re
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synaug import settings
from synaug.dataset.groups import connected, containing, numbered
from synaug.dataset.vectors import RowVectors, refuse_texts_of_several_vectors
from synaug.errors import UserError
from synaug.files.digest import json_sha256, text_sha256
from synaug.seeding import derive_seed
from synaug.settings import names

log = logging.getLogger(__name__)

LONE_SURROGATE = re.compile("[\ud800-\udfff]")


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
        self, *, proportional: bool = False, at_least: int = 1, vectors: RowVectors | None = None
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

        Raises
        ------
        UserError
            If a text is empty or no Unicode, two classes look like one, fewer than two classes have rows left, or
            `max_rows` is too few for them.
        UserError
            If there are neither texts nor vectors, not one vector for each row, or vectors of one text that differ.
        """
        self.refuse_rows_without_content(has_vectors=vectors is not None)
        complete, report = self._complete_rows(vectors)
        class_names = complete.class_names
        distinct = self._merged(complete, report, vectors)
        large = self._large_classes(distinct.labels, class_names, report)
        self._refuse_too_few_classes(distinct.labels, large, class_names, report)
        rows = np.flatnonzero(np.isin(distinct.labels, large))
        labels = np.searchsorted(large, distinct.labels[rows])
        class_names = tuple(class_names[label] for label in large.tolist())
        kept = self._capped(labels, class_names, report, at_least, proportional=proportional)
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

    def _merged(self, rows: Complete, report: dict[str, Any], vectors: RowVectors | None) -> Distinct:
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
            report |= refuse_texts_of_several_vectors(vectors, numbers, first_of, self.where)
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

    def _refuse_too_few_classes(
        self, labels: NDArray[np.int64], large: NDArray[np.int64], class_names: Sequence[str], report: dict[str, Any]
    ) -> None:
        left = [class_names[label] for label in np.intersect1d(labels, large).tolist()]
        if len(left) >= 2:
            return
        n = report["contradicting_texts_dropped"]
        what = "text" if self.has_texts else "vector"
        lost = [f"{n} {what}{'' if n == 1 else 's'} with two labels"] if n else []
        lost += [f"classes of fewer than {self.min_per_class} rows"] if len(large) < len(class_names) else []
        verb = "is" if n == 1 and len(lost) == 1 else "are"
        dropped = f" once {' and '.join(lost)} {verb} dropped" if lost else ""
        few = f"1 class ({names.listed(left)})" if left else "no class"
        check = "check the label column" if len(large) == len(class_names) else "lower dataset.min_per_class"
        raise UserError(
            f"{self.title} has rows of {few}{dropped}, but classification needs two or more classes: {check}"
        )

    def _complete_rows(self, vectors: RowVectors | None) -> tuple[Complete, dict[str, Any]]:
        """Rows with all they need, stripped; what is wrong with others is said of all at once."""
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
        _refuse_look_alikes(read.class_names, self.where)
        lacking = {
            "text": [row for row, text in enumerate(texts) if self.has_texts and is_blank(text)],
            "label": [row for row, label in enumerate(read.labels) if label is None],
            "group": [row for row, group in enumerate(read.groups or ()) if group is None],
            "vector": [] if vectors is None else np.flatnonzero(vectors.lacking).tolist(),
        }
        empty = set().union(*lacking.values())
        if empty and not self.drop_empty:
            raise UserError(self._empty_rows(lacking, len(texts)))
        if empty:
            report["empty_rows_dropped"] = len(empty)
            parts = ["text"] * self.has_texts + ["label"] + ["group"] * (read.groups is not None)
            *others, last = [f"no {part}" for part in parts + ["vector"] * (vectors is not None)]
            what = f"{', '.join(others)} or {last}" if others else last
            log.info("%s: %d of %d rows have %s; dropped", self.title, len(empty), len(texts), what)
        broken = [row for row, text in enumerate(texts) if row not in empty and LONE_SURROGATE.search(text)]
        if broken:
            one = len(broken) == 1
            raise UserError(
                f"{rows_said(broken)} of {self.where} {'holds' if one else 'hold'} half a surrogate pair, which is no "
                f"Unicode text: mend or remove {'it' if one else 'them'}"
            )
        kept = [row for row in range(len(texts)) if row not in empty]
        labels = [label for row in kept if (label := read.labels[row]) is not None]
        given = read.groups
        groups = None if given is None else [group for row in kept if (group := given[row]) is not None]
        keys_kept = [keys[row] for row in kept]
        return Complete([texts[row] for row in kept], labels, read.class_names, groups, keys_kept, kept), report

    def _empty_rows(self, lacking: Mapping[str, list[int]], n_rows: int) -> str:
        columns = {"text": self.text, "label": self.label, "group": self.group, "vector": None}
        parts = {
            what: f"no {what}{'' if column is None else f' in column {column!r}'}" for what, column in columns.items()
        }
        parts["vector"] = "no vector, or one of zeros"
        drop = "or set dataset.drop_empty=true to drop"
        if sum(map(len, lacking.values())) == 1:
            what, rows = next((what, rows) for what, rows in lacking.items() if rows)
            mend = "label" if what == "label" else "fill"
            return f"{rows_said(rows)} of {self.where} has {parts[what]}: {mend} or remove it, {drop} it"
        said = [
            f"{len(rows):,} of the {n_rows:,} rows of {self.where} {'has' if len(rows) == 1 else 'have'} {parts[what]} "
            f"({rows_said(rows)})"
            for what, rows in lacking.items()
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


def cleaned(text: str) -> str:
    """A text as texts are compared: equal ones are one row."""
    return text.strip()


def is_blank(text: str) -> bool:
    """Whether a reader sees nothing of a cleaned text."""
    return not text or not (text.isascii() or names.look_of(text))


def rows_said(rows: Sequence[int], most: int = 5) -> str:
    """``row 3`` or ``rows 3, 4, 9, …``, counted from 1."""
    first = ", ".join(str(row + 1) for row in rows[:most])
    return f"row{'s' if len(rows) > 1 else ''} {first}{', …' if len(rows) > most else ''}"


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


def find_column(
    column: object, columns: Sequence[str], where: str, setting: str, note: str = "", otherwise: str = ""
) -> str:
    """The one column that a setting means.

    Parameters
    ----------
    column
        The setting's value, as of `synaug.settings.names.called`.
    setting
        Its name, for the remedy.
    note
        Where the columns' names were found.
    otherwise
        What else can be done where none is called so, e.g. ``, or …``.

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
    both = ("dataset.text", "dataset.label")
    remedy = f"set {' and '.join(both) if setting in both else setting}"
    hint = names.nearest(word, columns) or f"; it has {names.listed(columns) or 'none'}{note}: {remedy}"
    raise UserError(f"{where} has no column {word!r}{hint}{otherwise}")
