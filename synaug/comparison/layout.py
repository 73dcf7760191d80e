"""The verdict as the console shows it: a headline, a table, advice and cautions, in so many lines."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from synaug.comparison.formatting import counted
from synaug.files.escaping import WIDTH, shown

# Of the verdict on one scenario.
MOST_LINES = 20
# Lines of it that cautions have, if there are as many, and if the table has room for its first rows all the same: the
# baseline and the two that the headline is about.
OF_CAUTIONS = 3
ALWAYS_SHOWN = 3
MOST_SCENARIOS = 24
LEAST_OF_A_NAME = 24
LONG_HEADING = 10  # characters; a longer one may be broken


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes
    ----------
    columns
        Headings; the first column holds names, the others numbers or a word.
    rows
        Of as many cells.
    note
        What is to be said below it, or nothing.
    """

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    note: str = ""

    def note_lines(self) -> list[str]:
        """The note as it stands below the table."""
        return textwrap.wrap(shown(self.note), WIDTH, initial_indent="  ", subsequent_indent="  ")

    def _headings(self) -> list[list[str]]:
        """The heading, in two lines where the table would be too wide with one."""
        whole = [list(self.columns)]
        if _width(_widths([*whole, *self.rows])) <= WIDTH:
            return whole
        parts = [name.partition(" ") if len(name) > LONG_HEADING else (name, "", "") for name in self.columns]
        return [[first if last else "" for first, _, last in parts], [last or first for first, _, last in parts]]

    def least(self) -> int:
        """Lines that show its first rows at least: with a heading, a line that counts the others, and the note."""
        return len(self._headings()) + ALWAYS_SHOWN + 1 + len(self.note_lines())

    def lines(self, most: int) -> list[str]:
        """The table in at most so many lines, with a heading; what is cut is counted."""
        if not self.rows:
            return []
        note = self.note_lines()
        headings = self._headings()
        room = max(most - len(headings) - len(note), 1)
        rows = self.rows if len(self.rows) <= room else self.rows[: room - 1]
        cells = [[shown(cell) for cell in row] for row in (*headings, *rows)]
        widths = _widths(cells)
        widths[0] = max(widths[0] - max(_width(widths) - WIDTH, 0), min(widths[0], LEAST_OF_A_NAME))
        names = _cut([row[0] for row in cells], widths[0])
        lines = [
            "  " + "  ".join([name, *map(str.rjust, row[1:], widths[1:])]).rstrip()
            for name, row in zip(names, cells, strict=True)
        ]
        cut = len(self.rows) - len(rows)
        return [*lines, *([f"  … and {cut} more in the report"] if cut else []), *note]


@dataclass(frozen=True)
class Verdict:
    """What is to be said.

    Attributes
    ----------
    headline
        The sentence that decides.
    table
        Of one scenario, its methods; of several, the scenarios.
    advice
        What to do, in a sentence or two.
    datasets
        By data set, all sentences on its scenarios, for a page that has room; the first sums up the others.
    overall
        Sentences about all scenarios, for such a page, too.
    cautions
        What a reader must know before believing any of it, the gravest first.
    n_scenarios
        That have a verdict.
    """

    headline: str
    table: Table
    advice: list[str]
    datasets: dict[str, list[str]]
    overall: list[str]
    cautions: list[str]
    n_scenarios: int

    def __str__(self) -> str:
        """As the console shows it: of one scenario at most `MOST_LINES` lines."""
        lines = _filled(self.headline)
        advice = [line for sentence in self.advice for line in _filled(sentence)]
        warned = [_filled(caution, "! ") for caution in self.cautions]
        if self.n_scenarios != 1:
            return "\n".join([*lines, *self.table.lines(MOST_SCENARIOS), *advice, *_joined(warned)])
        left = MOST_LINES - len(lines) - len(advice)
        table = self.table.lines(max(left - min(OF_CAUTIONS, len(_joined(warned))), self.table.least()))
        return "\n".join([*lines, *table, *advice, *_fitted(warned, left - len(table))])


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    """Of each column of a table, the longest cell's."""
    return [max(len(shown(cell)) for cell in column) for column in zip(*rows, strict=True)]


def _width(widths: Sequence[int]) -> int:
    """Of a line of such columns."""
    return sum(widths) + 2 * len(widths)


def _cut(names: Sequence[str], width: int) -> list[str]:
    """The first column: long names lose their ends, or their middles where only the ends tell them apart."""
    cut = [name.ljust(width) if len(name) <= width else f"{name[: width - 1]}…" for name in names]
    if len({*cut}) == len({*names}):
        return cut
    half = (width - 1) // 2
    return [name.ljust(width) if len(name) <= width else f"{name[: width - 1 - half]}…{name[-half:]}" for name in names]


def _filled(sentence: str, bullet: str = "") -> list[str]:
    return textwrap.wrap(shown(sentence), WIDTH, initial_indent=bullet, subsequent_indent=" " * len(bullet))


def _joined(paragraphs: Sequence[Sequence[str]]) -> list[str]:
    return [line for paragraph in paragraphs for line in paragraph]


def _fitted(paragraphs: Sequence[Sequence[str]], most: int) -> list[str]:
    """As many cautions as there is room for, the gravest first; the others are counted."""
    if len(_joined(paragraphs)) <= most:
        return _joined(paragraphs)
    kept: list[str] = []
    for number, paragraph in enumerate(paragraphs):
        if len(kept) + len(paragraph) > most - 1:
            named = "more caution" if number else "caution"
            return [*kept, f"! {counted(len(paragraphs) - number, named)} in the report"]
        kept += paragraph
    return kept
