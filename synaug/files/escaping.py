r"""Text that others chose (classes, columns, files, runs, errors) on its way out: one escaping for each kind of output.

What cannot be seen is written as Python would write it (``\x1b``, ``\u202e``), so that nothing acts on a terminal,
no text runs backwards, and two names that differ look different. Records and ``scores.parquet`` keep names as they are.
"""

import codecs
import html as markup
import logging
import os
import re
import sys
import textwrap
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # whoever only prints a sentence must not wait for pandas
    from typing import TextIO

    import pandas as pd

log = logging.getLogger(__name__)

WIDTH, COLUMNS = 100, "SYNAUG_COLUMNS"  # of lines on the console, and what says otherwise

# Neither controls nor signs: letters and marks that leave nothing to see.
INVISIBLE = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
# Of Unicode's format characters, those that are drawn: signs over or around Arabic, Syriac and Kaithi numbers.
DRAWN = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
# Persian, the languages of India and composed emoji need these, between signs that are not ASCII.
JOINERS = re.compile("(?<=[^\x00-\x7f])[\u200c\u200d](?=[^\x00-\x7f])")
# Formulas to spreadsheets, full-width signs included (OWASP, "CSV injection"); tabs and line ends are gone by then.
# Behind apostrophes, too, so that two names never become one.
FORMULA = re.compile(r"'*[=+\-@＝＋－＠]")
SIMPLER = {
    "−": "-",
    "–": "-",
    "—": "-",
    "‑": "-",
    "±": "+/-",
    "×": "x",
    "·": "*",
    "≈": "~",
    "≤": "<=",
    "≥": ">=",
    "…": "...",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "▲": "^",
    "▼": "v",
    "→": "->",
    "ρ": "rho",
    "χ": "chi",
    "²": "2",
}
LATEX = str.maketrans(
    {character: f"\\{character}" for character in "_%&#${}"}
    # Behind the end of a row these would be its options.
    | {character: f"{{{character}}}" for character in "[]*"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "`": r"\textasciigrave{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "{''}", "…": r"\ldots{}"}
    | {"·": r"$\cdot$", "−": "$-$", "×": r"$\times$", "±": r"$\pm$", "�": "?"}
)


def shown(text: object) -> str:
    """Text on one line: for the page, figures, labels, and names within sentences."""
    return _visible(" ".join(str(text).split()))


def console(text: object) -> str:
    """Text for a terminal or a log, which keeps its lines and their indentation."""
    return "\n".join(map(_visible, str(text).expandtabs(4).split("\n")))


def wrapped(text: object) -> str:
    """Text for a terminal as `console` has it, lines broken at spaces; what goes on is indented by two more.

    Lines have at most `WIDTH` characters, or as many as the environment's `COLUMNS` says; 0 leaves them whole, for what
    reads them line by line. Paths and names are never broken.
    """
    width = int(said) if (said := os.environ.get(COLUMNS, "")).isdecimal() else WIDTH
    lines: list[str] = []
    for line in console(text).split("\n"):
        if not width or len(line) <= width:
            lines.append(line)
            continue
        indent = line[: len(line) - len(line.lstrip())] + "  "
        lines += textwrap.wrap(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


def html(text: object) -> str:
    """Text on one line within HTML, attributes included."""
    return markup.escape(shown(text))


def latex(text: object) -> str:
    """Text as LaTeX prints it, on one line; letters beyond Latin need LuaLaTeX or XeLaTeX."""
    return re.sub("-(?=-)", "-{}", shown(text).translate(LATEX))  # no dashes of several hyphens


def csv_cell(text: object) -> str:
    """Text for a cell that a spreadsheet may open: what it would take for a formula gets an apostrophe in front."""
    cell = shown(text)
    return f"'{cell}" if FORMULA.match(cell) else cell


def csv_frame(frame: "pd.DataFrame") -> "pd.DataFrame":
    """A frame whose text is `csv_cell`'s, its column names included; numbers stay, negative ones too."""
    return _mapped(frame, csv_cell)


def shown_frame(frame: "pd.DataFrame") -> "pd.DataFrame":
    """A frame whose text is `shown`'s, its column names included: for W&B's tables."""
    return _mapped(frame, shown)


def utf8(text: str) -> str:
    """Text that UTF-8 can hold: halves of surrogates, as in file names of another encoding, are written out."""
    return text.encode("utf-8", "backslashreplace").decode()


def utf8_frame(frame: "pd.DataFrame") -> "pd.DataFrame":
    """A frame whose text is `utf8`'s: for files that keep names exactly, as far as they can be kept."""
    return _mapped(frame, lambda text: utf8(str(text)))


def shown_tree(value: Any) -> Any:
    """Nested dicts and lists whose text is `shown`'s: for W&B's config, which takes no halves of surrogates."""
    if isinstance(value, dict):
        return {shown(key): shown_tree(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [shown_tree(part) for part in value]
    return shown(value) if isinstance(value, str) else value


def make_console_safe() -> None:
    """Let stdout and stderr write simpler signs where their encoding lacks one: raising would come after the work."""
    codecs.register_error("synaug.simpler", _simpler)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by who started the program
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 (as long as the process)
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="synaug.simpler")


def say(text: str, to: "TextIO | None" = None) -> None:
    """Write what is known when the work is done to stdout, or to another stream, as `console` shows it.

    Where it cannot be written (a reader that is gone, a full disk), nothing that was done is undone: that is logged.
    """
    stream = sys.stdout if to is None else to
    try:
        stream.write(console(text))
        stream.flush()
    except OSError as error:
        log.warning("the result could not be written to the console (%s)", error.strerror or error)
        with suppress(OSError):  # what its buffer holds would be written at the exit, and fail again
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def _simpler(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    simple = "".join(SIMPLER.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in lacking)
    return simple, error.end


def _visible(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    joined = {match.start() for match in JOINERS.finditer(text)}
    return "".join(
        _written_out(character) if at not in joined and _is_unseen(character) else character
        for at, character in enumerate(text)
    )


def _is_unseen(character: str) -> bool:
    """Whether it leaves nothing to see, acts on a terminal, turns the direction of text, or is no character at all."""
    code = ord(character)
    is_noncharacter = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    is_control = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in DRAWN
    return is_control or is_noncharacter or character in INVISIBLE


def _written_out(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _mapped(frame: "pd.DataFrame", change: Callable[[object], str]) -> "pd.DataFrame":
    """Change the text of a frame, what is said often only once: a thousand runs make a million rows of a few names."""
    import numpy as np
    import pandas as pd

    columns = {}
    for name, column in frame.items():
        if pd.api.types.is_numeric_dtype(column):  # numbers and truths
            columns[name] = column
            continue
        codes, distinct = pd.factorize(column)
        changed = [change(text) for text in distinct]
        if isinstance(column.dtype, pd.CategoricalDtype) and len(set(changed)) == len(changed):
            columns[name] = pd.Series(pd.Categorical.from_codes(codes, categories=pd.Index(changed)), index=frame.index)
        else:
            values = np.array([*changed, None], dtype=object)[codes]  # -1 is what is missing
            columns[name] = pd.Series(values, index=frame.index)
    mapped = pd.DataFrame(columns, index=frame.index)
    return mapped.set_axis([change(name) for name in frame.columns], axis="columns")
