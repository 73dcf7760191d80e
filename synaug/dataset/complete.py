"""Rows that have all they need: a text or a vector, a label, a group; what is wrong with the others, in words."""

import re
from collections.abc import Mapping, Sequence

from synaug.settings import names

LONE_SURROGATE = re.compile("[\ud800-\udfff]")


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


def said_of_empty(lacking: Mapping[str, Sequence[int]], n_rows: int, where: str, columns: Mapping[str, object]) -> str:
    """The sentence for rows that lack something.

    Parameters
    ----------
    lacking
        What is lacking (``text``, ``label``, ``group`` or ``vector``) -> rows that lack it.
    n_rows
        How many rows there are.
    where
        What they were read from.
    columns
        The column of each that has one.
    """
    parts = {
        what: f"no {what}{'' if columns.get(what) is None else f' in column {columns[what]!r}'}" for what in lacking
    }
    parts["vector"] = "no vector, or one of zeros"
    drop = "or set dataset.drop_empty=true to drop"
    if sum(map(len, lacking.values())) == 1:
        what, rows = next((what, rows) for what, rows in lacking.items() if rows)
        mend = "label" if what == "label" else "fill"
        return f"{rows_said(rows)} of {where} has {parts[what]}: {mend} or remove it, {drop} it"
    said = [
        f"{len(rows):,} of the {n_rows:,} rows of {where} {'has' if len(rows) == 1 else 'have'} {parts[what]} "
        f"({rows_said(rows)})"
        for what, rows in lacking.items()
        if rows
    ]
    return f"{' and '.join(said)}: fill or remove them, {drop} them"


def said_of_surrogates(rows: Sequence[int], where: str) -> str:
    """The sentence for rows whose texts are no Unicode."""
    one = len(rows) == 1
    return (
        f"{rows_said(rows)} of {where} {'holds' if one else 'hold'} half a surrogate pair, which is no "
        f"Unicode text: mend or remove {'it' if one else 'them'}"
    )
