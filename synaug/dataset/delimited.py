"""Text in rows and columns (csv, tsv): read as a careful reader would, or refused with the line."""

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from synaug.errors import UserError

log = logging.getLogger(__name__)

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
LINE_END = re.compile(r"\r\n|\n|\r")
QUOTED = {
    "double": r'"(?P<quoted>[^"]*+(?:""[^"]*+)*+)"',
    "backslash": r'"(?P<quoted>[^"\\]*+(?:(?:\\.|"")[^"\\]*+)*+)"',
}


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes
    ----------
    start
        Where it starts in the content.
    fields
        Its fields, without their quotes.
    spanning
        Index of the first field that goes over several lines; None where there is none.
    end
        Where its last line ends.
    """

    start: int
    fields: list[str]
    spanning: int | None
    end: int


class QuoteError(Exception):
    """A field opens with a quote, and nothing closes it, or more text stands behind the quote that does.

    Parameters
    ----------
    start
        Where the quote opens.
    end
        Where it closes; None where it never does.
    """

    def __init__(self, start: int, end: int | None) -> None:
        super().__init__(start, end)
        self.start = start
        self.end = end


def rows(content: str, separator: str, quoting: str, start: int = 0) -> Iterator[Row]:
    """Cut text into rows; lines of nothing but white space are none.

    A reader of our own, because Python's and pandas' read on over the ends of lines where a quote is not closed, and
    tell neither where it was opened nor that text stood behind the quote that closed it.

    Parameters
    ----------
    quoting
        ``double``: a field may stand in double quotes, with quotes inside it doubled. ``backslash``: these may stand
        behind a backslash, too. ``none``: quotes are characters like others, and a line is a row.
    start
        Where the first row starts.

    Raises
    ------
    QuoteError
        If a field that opens with a quote does not end with one.
    """
    sign = re.escape(separator)
    plain, ends = rf"(?P<plain>(?!\")[^{sign}\r\n]*+)", rf"(?P<ends>{sign}|\r\n|\n|\r|\Z)"
    quoted = QUOTED.get(quoting, "(?P<quoted>(?!))")
    field = re.compile(rf"(?:{quoted} *|{plain}){ends}", re.DOTALL)
    position = start
    while position < len(content):
        line = LINE_END.search(content, position)
        end, following = (line.start(), line.end()) if line else (len(content), len(content))
        if quoting == "none" or content.find('"', position, end) < 0:
            fields, spanning, begun = content[position:end].split(separator), None, position
        else:
            fields, spanning, begun = [], None, position
            while True:
                match = field.match(content, position)
                if match is None:
                    closed = re.compile(quoted, re.DOTALL).match(content, position)
                    raise QuoteError(position, closed.end() if closed else None)
                inside = match["quoted"]
                if inside is not None and spanning is None and LINE_END.search(inside):
                    spanning = len(fields)
                fields.append(match["plain"] if inside is None else inside.replace('""', '"'))
                position = match.end()
                if match["ends"] != separator:
                    end, following = match.start("ends"), position
                    break
        if quoting == "backslash":
            fields = [re.sub(r'\\(["\\])', r"\1", text) for text in fields]
        if len(fields) > 1 or fields[0].strip():
            yield Row(begun, fields, spanning, end)
        position = following


def line_of(content: str, position: int) -> int:
    """Number of the line in which a position of the content lies, from 1."""
    return 1 + sum(1 for _ in LINE_END.finditer(content, 0, position))


class Table:
    """A csv's or tsv's content, its separator found out where none is given.

    Parameters
    ----------
    content
        The text.
    name, kind
        What the file is called in sentences, and `csv` or `tsv`.
    separator
        One character; None: the first that gives the wanted columns, of the ending's own, comma, semicolon, tab, bar.
    quoting
        As of `rows`; None: double, and what could be read in two ways is refused.
    wanted
        Whether a header has the columns that are looked for.
    group
        Of the settings, for the remedies in sentences.

    Raises
    ------
    UserError
        If the header cannot be read.
    """

    def __init__(
        self,
        content: str,
        name: str,
        kind: str,
        *,
        separator: str | None,
        quoting: str | None,
        wanted: Callable[[Sequence[str]], bool],
        group: str = "dataset",
    ) -> None:
        self.content, self.name, self.kind, self.quoting, self.group = content, name, kind, quoting, group
        self.start = 0
        said = re.match(r'"?sep=([^\r\n"])"?(?:\r\n|\n|\r)', content)  # Excel's own first line
        if said and separator is None:
            separator, self.start = said[1], said.end()
        usual = "\t" if kind == "tsv" else ","
        candidates = [separator] if separator else list(dict.fromkeys([usual, *SEPARATORS.values()]))
        headers: dict[str, list[str]] = {}
        faults: list[QuoteError] = []
        for candidate in candidates:
            try:
                first = next(rows(content, candidate, quoting or "double", self.start), None)
            except QuoteError as fault:  # of another separator, quoted fields have text behind their quotes
                faults.append(fault)
            else:
                headers[candidate] = first.fields if first else []
        fitting = [candidate for candidate, header in headers.items() if wanted(header)]
        if not fitting and faults and usual not in headers:
            raise self._refusal(
                self._where(faults[0]), f"close the quote, or set {self.group}.quoting=none"
            ) from faults[0]
        # If none fits, the sentence names the columns of the separator that would give most.
        self.separator = fitting[0] if fitting else max(headers, key=lambda candidate: len(headers[candidate]))
        if fitting and self.separator != usual and not separator:
            log.info("%s: columns are separated by %r", name, self.separator)
        self.header = headers[self.separator]

    def read(self, columns: Sequence[int], *, label: int) -> list[tuple[str, ...]]:
        """Some fields of each row below the header, the columns by number, in this order.

        Parameters
        ----------
        columns
            The columns to read.
        label
            Which of the file's columns holds the labels: a quote that is left open is told by them.

        Raises
        ------
        UserError
            If quotes do not close, a row has more or fewer fields than the header, or a quote seems to have merged
            rows.
        """
        table_rows: list[Row] = []
        try:
            table_rows += rows(self.content, self.separator, self.quoting or "double", self.start)
        except QuoteError as error:
            raise self._refusal(self._where(error), self._advice() or "close or double the quote there") from error
        wrong = [row for row in table_rows if len(row.fields) != len(self.header)]
        if wrong:
            n_fields, line = len(wrong[0].fields), line_of(self.content, wrong[0].start)
            more = len(wrong) - 1
            others = f", and {more} more row{'s have' if more > 1 else ' has'} too many or too few" if more else ""
            where = (
                f"line {line} has {n_fields} field{'' if n_fields == 1 else 's'}, the header {len(self.header)}{others}"
            )
            sign = "tab" if self.separator == "\t" else f"{self.separator!r}"
            usual = (
                f"put texts that contain a {sign} in double quotes"
                if n_fields > len(self.header)
                else "complete or remove the row"
            )
            raise self._refusal(where, self._advice() or usual)
        if self.quoting is None:
            self._refuse_merged(table_rows, label)
            self._refuse_quoted_twins(table_rows, label)
        return [tuple(row.fields[column] for column in columns) for row in table_rows[1:]]

    def _refuse_merged(self, table_rows: Sequence[Row], label: int) -> None:
        """Refuse a quote that opens in one row and closes in a later one: what it spans looks like whole rows."""
        known = {row.fields[label].strip() for row in table_rows[1:] if not LINE_END.search(row.fields[label])} - {""}
        n_columns = len(self.header)
        for row in table_rows:
            if row.spanning is None:
                continue
            lines = LINE_END.split(self.content[row.start : row.end])
            # A label that stands behind the quote belongs to the last line alone, one before it to the first alone.
            behind = label > row.spanning
            fields = lines[0 if behind else -1].split(self.separator)
            whole = len(fields) >= n_columns > 1
            if row is table_rows[0]:
                below = len(lines[-1].split(self.separator))
                what = "and the last of them looks like a row" if below >= n_columns > 1 else None
            elif label == row.spanning:
                what = "in a label"
            else:
                at = label - n_columns if behind else label
                is_label = whole and fields[at].strip().strip('"') in known
                what = "which look like rows of their own" if is_label else None
            if what:
                raise self._refusal(
                    f"line {line_of(self.content, row.start)} opens a quote that spans {len(lines)} lines, {what}",
                    f"set {self.group}.quoting=none if quotes are plain characters, or {self.group}.quoting=double if "
                    "this is one field",
                )

    def _refuse_quoted_twins(self, table_rows: Sequence[Row], label: int) -> None:
        """Refuse labels that differ by quotes alone, as a space before a quote or a lone one makes them."""
        labels = {row.fields[label].strip() for row in table_rows[1:]}
        for row in table_rows[1:]:
            name = row.fields[label].strip()
            bare = name.strip('"').strip()
            is_behind_a_space = row.fields[label].startswith(" ") and name == f'"{bare}"'
            if is_behind_a_space and bare not in labels:
                raise self._refusal(
                    f"line {line_of(self.content, row.start)} has a space before the quote of the label {name}, so "
                    "that the quotes belong to its name",
                    f"remove the space, or set {self.group}.quoting=double where they do",
                )
            if bare != name and bare in labels:
                raise self._refusal(
                    f"line {line_of(self.content, row.start)} has the label {name}, which others write as {bare}",
                    f"write them alike, with no space before a quote, or set {self.group}.quoting=none or "
                    f"{self.group}.quoting=double if they are two classes",
                )

    def _where(self, error: QuoteError) -> str:
        first = line_of(self.content, error.start)
        if error.end is None:
            return f"line {first} opens a quote that is never closed"
        last = line_of(self.content, error.end)
        where = "in the same line" if first == last else f"in line {last}"
        return f"line {first} opens a quote that closes {where} with more text behind it"

    def _advice(self) -> str | None:
        """Another way of reading that gives every row as many fields as the header."""
        others = {
            "backslash": f"set {self.group}.quoting=backslash, which reads them all",
            "none": f"double or close the quote there, or set {self.group}.quoting=none, which reads quotes as they "
            "are",
            "double": f"set {self.group}.quoting=double, which reads them all",
        }
        for quoting, advice in others.items():
            if quoting == (self.quoting or "double") or (quoting == "backslash" and '\\"' not in self.content):
                continue
            try:
                widths = {len(row.fields) for row in rows(self.content, self.separator, quoting, self.start)}
            except QuoteError:
                continue
            if widths == {len(self.header)}:
                return advice
        return None

    def _refusal(self, reason: str, remedy: str) -> UserError:
        return UserError(f"{self.name} cannot be read as {self.kind} ({reason}): {remedy}")
