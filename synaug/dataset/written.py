"""Texts that somebody else wrote for a data set: read, cleaned, and matched with its rows."""

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synaug import settings
from synaug.dataset.complete import LONE_SURROGATE, cleaned, is_blank, rows_said, said_of_surrogates
from synaug.dataset.table_file import TableFile
from synaug.dataset.texts import LabelledTexts
from synaug.errors import UserError, raise_problems
from synaug.settings import names

log = logging.getLogger(__name__)

TARGET = "synaug.augmenter.Texts"  # whose settings these are
Numbers = NDArray[np.int64]


class Written(NamedTuple):
    """One row of the file: its text, its label as it stands there, and the texts that it was derived from."""

    text: str
    label: str
    sources: tuple[str, ...]
    row: int  # from 1; of rows that were merged, the first


@dataclass(frozen=True)
class MatchedTexts:
    """Written texts that a data set has a use for.

    Attributes
    ----------
    texts
        `w` distinct texts, none of which is a text of the data set.
    labels
        int64 `[w]`, as those of the data set.
    derived
        int64 `[p, 2]`: which text was derived from which row of the data set, ascending; of a text there may be
        several, or, if nobody says where texts come from, none.
    report
        Counts of what was read, merged and left out.
    """

    texts: list[str]
    labels: Numbers
    derived: Numbers
    report: dict[str, Any]


class WrittenTexts:
    """A file of texts that somebody else wrote: a large language model, a translator, a colleague.

    Parameters
    ----------
    path, separator, quoting
        As of `synaug.dataset.table_file.TableFile`.
    text, label
        Columns of the texts, and of the names of their classes.
    source
        Column of the text that each was derived from, word for word as in the data set; white space around it does
        not count. In jsonl and parquet it may be a list: what several texts gave rise to.
    sources
        ``required``; or ``none``, if nobody can tell what the texts were derived from. The column is not read then.
    drop_empty
        Drop rows without a text, a label or a source, instead of refusing them.

    Raises
    ------
    UserError
        If a value can be none of these; the file is not looked at.
    """

    def __init__(
        self,
        *,
        path: Any,
        text: Any = "text",
        label: Any = "label",
        source: Any = "source",
        sources: str = settings.REQUIRED,
        separator: str | None = None,
        quoting: str | None = None,
        drop_empty: bool = False,
    ) -> None:
        table = settings.OF_A_TARGET[TARGET]
        settings.require("augmenter", table, {"sources": sources, "drop_empty": drop_empty})
        columns = {"text": text, "label": label}
        if sources == settings.REQUIRED:
            columns["source"] = source
        self.sources = sources
        self.drop_empty = drop_empty
        self.file = TableFile(
            path,
            columns,
            separator=separator,
            quoting=quoting,
            group="augmenter",
            otherwise={"source": ", or augmenter.sources=none if nobody knows which rows the texts were derived from"},
        )

    def digest(self) -> str:
        """Name the content: it enters a run's identity; raises as `TableFile.digest` does."""
        return self.file.digest()

    def look(self) -> None:
        """Find the file and its columns, without reading all of it; raises as `TableFile.look` does."""
        self.file.look()

    def matched(self, dataset: LabelledTexts) -> MatchedTexts:
        """Read the file, clean it as a data set is cleaned, and find the rows that its texts were derived from.

        Left out and counted are texts of two labels, texts of the data set itself, those of a class that the data set
        was to drop, and those of whose sources one is no text of the data set (a cap has taken it, say).

        Raises
        ------
        UserError
            If the file cannot be read, a row lacks what it needs, a label is no class of the data set, or no text is
            left.
        """
        report: dict[str, Any] = {"content": self.digest()}
        complete = self._complete(list(self._read()), report)
        merged = self._merged(self._of_known_classes(complete, dataset, report), report)
        row_of = {text: row for row, text in enumerate(dataset.texts)}
        label_of = {name: label for label, name in enumerate(dataset.class_names)}
        new = [each for each in merged if each.text not in row_of]
        known = [each for each in new if all(source in row_of for source in each.sources)]
        report |= {"texts_of_the_data_set": len(merged) - len(new), "sources_unknown": len(new) - len(known)}
        if not known:
            raise UserError(self._nothing_left(report, new, dataset))
        labels = np.array([label_of[each.label] for each in known], dtype=np.int64)
        pairs = [(place, row_of[source]) for place, each in enumerate(known) for source in each.sources]
        derived = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
        of_another_class = labels[derived[:, 0]] != dataset.labels[derived[:, 1]]
        report |= {
            "derived_from_another_class": len(np.unique(derived[of_another_class, 0])),
            "texts": len(known),
            "texts_per_class": np.bincount(labels, minlength=len(dataset.class_names)).tolist(),
        }
        self._tell(report, dataset.title)
        return MatchedTexts([each.text for each in known], labels, derived, report)

    def _read(self) -> Iterator[Written]:
        columns = self.file.columns
        for row, (text, label, *source) in enumerate(self.file.rows(), start=1):
            if not isinstance(text, str | None):
                raise self._no_text(row, text, columns["text"])
            if not isinstance(label, str | int | float | None):
                raise self._no_text(row, label, columns["label"])
            given = source[0] if source else None
            sources = given if isinstance(given, list) else [] if given is None else [given]
            for each in sources:
                if not isinstance(each, str):
                    raise self._no_text(row, each, columns["source"])
            name = "" if label is None or label != label else str(label).strip()
            yield Written(cleaned(text or ""), name, tuple(dict.fromkeys(map(cleaned, sources))), row)

    def _no_text(self, row: int, value: object, column: object) -> UserError:
        return UserError(
            f"row {row} of {self.file} has {names.described(value)} in column {column!r}, which must hold text: "
            "write it as a string"
        )

    def _complete(self, rows: list[Written], report: dict[str, Any]) -> list[Written]:
        report["rows_read"] = len(rows)
        if not rows:
            raise UserError(f"{self.file} has no rows, only columns: add texts and labels")
        needs_source = self.sources == settings.REQUIRED
        lacking = {
            "text": [row for row, each in enumerate(rows) if is_blank(each.text)],
            "label": [row for row, each in enumerate(rows) if not names.look_of(each.label)],
            "source": [
                row
                for row, each in enumerate(rows)
                if needs_source and (not each.sources or any(map(is_blank, each.sources)))
            ],
        }
        empty = set().union(*lacking.values())
        problems = [self._empty_rows(lacking, len(rows))] if empty and not self.drop_empty else []
        report["empty_rows_dropped"] = len(empty)
        if empty and not problems:
            log.info("%s: %d of %d rows have no text, label or source; dropped", self.file, len(empty), len(rows))
        kept = [(row, each) for row, each in enumerate(rows) if row not in empty]
        broken = [row for row, each in kept if LONE_SURROGATE.search(each.text)]
        if broken:
            problems.append(said_of_surrogates(broken, str(self.file)))
        raise_problems(problems, str(self.file))
        if not kept:
            raise UserError(f"{self.file} has no row with all that is needed: add texts with labels and sources")
        return [each for _, each in kept]

    def _empty_rows(self, lacking: dict[str, list[int]], n_rows: int) -> str:
        said = [
            f"{len(rows):,} of the {n_rows:,} rows of {self.file} {'has' if len(rows) == 1 else 'have'} no {what} "
            f"({rows_said(rows)})"
            for what, rows in lacking.items()
            if rows
        ]
        others = ""
        if lacking["source"]:
            others = (
                ". A text may train only where the row that it was derived from trains: name it in the column "
                f"{self.file.columns['source']!r}, or set augmenter.sources=none if nobody knows it"
            )
        return f"{' and '.join(said)}: fill or remove them, or set augmenter.drop_empty=true to drop them{others}"

    def _of_known_classes(
        self, rows: Sequence[Written], dataset: LabelledTexts, report: dict[str, Any]
    ) -> list[Written]:
        """Those whose label is a class of the data set, named as there."""
        dropped = dataset.report.get("classes_dropped", {})
        found: list[Written] = []
        unknown = Counter[str]()
        for each in rows:
            name = self._class_meant(each.label, dataset.class_names)
            if name is not None:
                found.append(each._replace(label=name))
            elif each.label not in dropped:
                unknown[each.label] += 1
        if unknown:
            first, *others = unknown
            hint = names.nearest(first, dataset.class_names) or f": it has {names.listed(dataset.class_names)}"
            more = f" (and {names.listed(others, 5)})" if others else ""
            n = unknown.total()
            raise UserError(
                f"{n:,} row{' has' if n == 1 else 's have'} a label in column {self.file.columns['label']!r} of "
                f"{self.file} that is no class of {dataset.title}: {names.cut(first)}{more}{hint}"
            )
        report["rows_of_dropped_classes"] = len(rows) - len(found)
        return found

    @staticmethod
    def _class_meant(label: str, class_names: Sequence[str]) -> str | None:
        """The class of that name; whole numbers are the same with and without ``.0``, as tables write them."""
        whole = label.removesuffix(".0")
        return label if label in class_names else whole if whole in class_names else None

    @staticmethod
    def _merged(rows: Sequence[Written], report: dict[str, Any]) -> list[Written]:
        """One row for each text, derived from all that any of its rows was derived from; none of two labels."""
        merged: dict[str, Written] = {}
        contradicting: set[str] = set()
        for each in rows:
            known = merged.setdefault(each.text, each)
            if known.label != each.label:
                contradicting.add(each.text)
            merged[each.text] = known._replace(sources=tuple(dict.fromkeys((*known.sources, *each.sources))))
        report |= {
            "distinct_texts": len(merged),
            "rows_merged": len(rows) - len(merged),
            "contradicting_texts_dropped": len(contradicting),
        }
        return [each for text, each in merged.items() if text not in contradicting]

    def _nothing_left(self, report: dict[str, Any], new: Sequence[Written], dataset: LabelledTexts) -> str:
        if new:
            known = set(dataset.texts)
            # By its row, not by its text: failures stand on the page, and a user's texts do not.
            row = next(each.row for each in new if not known.issuperset(each.sources))
            return (
                f"no text of {self.file} was derived from a text of {dataset.title}; for example, a source of "
                f"the text in row {row} is not in it (a cap may have removed it): column "
                f"{self.file.columns['source']!r} must hold texts of the data set word for word, or augmenter.source "
                "must name another column"
            )
        return (
            f"{self.file} has no text that {dataset.title} could use, because of its {report['distinct_texts']:,} "
            f"distinct texts {report['texts_of_the_data_set']:,} are in the data set already and "
            f"{report['contradicting_texts_dropped']:,} have two labels: add other texts"
        )

    def _tell(self, report: dict[str, Any], title: str) -> None:
        log.info(
            "%s: %d texts for %s; left out: %d that repeat another, %d under two labels, %d that are texts of the data "
            "set, %d whose source is none",
            self.file,
            report["texts"],
            title,
            report["rows_merged"],
            report["contradicting_texts_dropped"],
            report["texts_of_the_data_set"],
            report["sources_unknown"],
        )
