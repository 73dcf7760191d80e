"""The verdict as the console shows it: a headline, a table, advice and cautions, in so many lines."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from synaug.comparison.formatting import counted
from synaug.files.escaping import shown

WIDTH = 110
# Of the verdict on one scenario.
MOST_LINES = 15
# Lines of it that cautions have, if there are as many, and if the table has room for its first rows all the same: the
# baseline and the two that the headline is about.
OF_CAUTIONS = 3
ALWAYS_SHOWN = 3
MOST_SCENARIOS = 24


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

    def lines(self, most: int) -> list[str]:
        """The table in at most so many lines, with a heading; what is cut is counted."""
        if not self.rows:
            return []
        note = self.note_lines()
        room = max(most - 1 - len(note), 1)
        rows = self.rows if len(self.rows) <= room else self.rows[: room - 1]
        cells = [[shown(cell) for cell in row] for row in (self.columns, *rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  " + "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in cells
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
        # A heading, those rows, a line that counts the others, and the note.
        least = 1 + ALWAYS_SHOWN + 1 + len(self.table.note_lines())
        table = self.table.lines(max(left - min(OF_CAUTIONS, len(_joined(warned))), least))
        return "\n".join([*lines, *table, *advice, *_fitted(warned, left - len(table))])


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
            return [*kept, f"! {counted(len(paragraphs) - number, 'more caution')} in the report"]
        kept += paragraph
    return kept
