"""A file of the user's own."""

import codecs
import itertools
import json
import re
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from synaug import settings
from synaug.dataset import delimited
from synaug.dataset.groups import group_names
from synaug.dataset.texts import Rows, TextSource, find_column
from synaug.errors import UserError
from synaug.files.digest import file_sha256
from synaug.seeding import OWN_FILE
from synaug.settings import names

FILE_ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")
HEADER_BYTES = 1 << 20  # what is looked at before all is read
# Longest first: the mark of UTF-32 in little-endian order begins as that of UTF-16.
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
OTHER_FORMATS = {
    b"PK\x03\x04": "a zip archive, as Excel's workbooks are: export it as csv",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: export it as csv",
    **dict.fromkeys((b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"7z\xbc\xaf"), "compressed: unpack it"),
    **{b"BZh%d1AY&SY" % level: "compressed: unpack it" for level in range(1, 10)},
    b"PAR1": "a parquet file: give it the ending .parquet",
    b"ARROW1": "an Arrow file: save it as parquet",
    b"SQLite format 3": "a data base: export a table as csv",
    b"%PDF-": "a PDF: give a table",
    b"\x89PNG": "a picture: give a table",
    **dict.fromkeys((b"<!DOCTYPE", b"<!doctype", b"<html"), "a web page: download the file itself"),
    **dict.fromkeys((b'{"', b'[{"'), "JSON: save it as jsonl, one object a line"),
}


class FileDataset(TextSource):
    """One file of the user's: csv, tsv, jsonl or parquet, by its ending.

    Classes are the distinct labels, as text, in alphabetical order. In csv and tsv every field is
    text ("NA" is a word, 007 a label), and a field with a line break or a separator stands in double quotes.

    Parameters
    ----------
    name
        What the data set is called, and what enters its seeds; None: it is called by the file's name, which enters
        nothing.
    path
        The file; relative paths are relative to where the program was started.
    text, label
        The columns read.
    separator
        Of csv and tsv: comma, semicolon, tab, bar, or any one character; None: found out.
    quoting
        Of csv and tsv: double (quotes inside a quoted text are doubled), backslash (they stand behind one) or none
        (quotes are plain characters); None: double, and what could be read in two ways is refused.
    """

    def __init__(
        self,
        *,
        path: str,
        text: str | float | None,
        label: str | float | None,
        name: str | None = None,
        separator: str | None = None,
        quoting: str | None = None,
        **common: Any,
    ) -> None:
        self.path = _path(path)
        super().__init__(name=OWN_FILE if name is None else name, **common)
        if name is None:
            called = self.path.stem if self.path.stem.strip() else self.path.name
            self.title = called.encode("utf-8", "backslashreplace").decode()
        self.where = str(self.path)
        self.text = _column("text", text)
        self.label = _column("label", label)
        self._refuse_one_column_twice()
        self.separator = _separator(separator)
        settings.require("dataset", settings.OF_A_TARGET["synaug.dataset.FileDataset"], {"quoting": quoting})
        self.quoting = quoting
        if self._kind not in ("csv", "tsv") and (separator is not None or quoting is not None):
            raise UserError(
                f"dataset.separator and dataset.quoting are for csv and tsv, not for {self.path}: leave them out"
            )

    def _refuse_one_column_twice(self) -> None:
        for (one, column), (other, another) in itertools.combinations(self._columns.items(), 2):
            if (type(column), column) == (type(another), another):
                raise UserError(f"dataset.{one} and dataset.{other} are both {names.as_yaml(column)}: name two columns")

    @property
    def _columns(self) -> dict[str, Any]:
        """What is read, by setting: text, label and, where rows are grouped, group."""
        columns = {"text": self.text, "label": self.label}
        return columns if self.group is None else {**columns, "group": self.group}

    @property
    def _kind(self) -> str:
        return self.path.suffix.lower()[1:]

    def source(self) -> str:
        """Digest of the file.

        Raises
        ------
        UserError
            If there is no such file, or it cannot be read.
        """
        if not self.path.is_file():
            raise UserError(f"dataset.path={self.path} {_what_it_is(self.path)}")
        try:
            return f"file:sha256:{file_sha256(self.path)}"
        except OSError as error:
            raise self._unreadable(error) from error

    def look(self) -> None:
        """Find the file and its columns, without reading all of it.

        Raises
        ------
        UserError
            If there is no such file, it cannot be read, or its header lacks a column.
        """
        if not self.path.is_file():
            raise UserError(f"dataset.path={self.path} {_what_it_is(self.path)}")
        try:
            if self._kind == "parquet":
                self._parquet(rows=False)
                return
            with self.path.open("rb") as file:
                start = file.read(HEADER_BYTES)
                whole = not file.read(1)
        except OSError as error:
            raise self._unreadable(error) from error
        content = self._decoded(start, whole=whole)
        if self._kind != "jsonl":
            self._find(self._table(content).header)
        elif whole:
            self._find(_keys(self._objects(content)))

    def read(self) -> Rows:
        """Read the columns of texts, labels and groups.

        Raises
        ------
        UserError
            If there is no such file.
        UserError
            If it cannot be parsed, lacks a column, or holds what is no text or no label.
        """
        self.source()
        texts: list[str] = []
        labels: list[str | None] = []
        spelt: dict[float, str] = {}
        rows = self._rows()
        for row, (text, label, *_) in enumerate(rows, start=1):
            if not isinstance(text, str | None):
                raise UserError(
                    f"row {row} of {self.path} has {_described(text)} in column {self.text!r}, "
                    "which must hold text: write it as a string"
                )
            if not isinstance(label, str | int | float | None):
                raise UserError(
                    f"row {row} of {self.path} has {_described(label)} in column {self.label!r}: "
                    "a label must be a single text or number: write it as a string"
                )
            texts.append(text or "")
            name = "" if label is None or label != label else str(label).strip()
            labels.append(name if names.look_of(name) else None)
            if isinstance(label, int | float) and not isinstance(label, bool):
                other = spelt.setdefault(label, name)
                if other != name:
                    raise UserError(
                        f"row {row} of {self.path} has the label {name}, which an earlier row writes as {other}: "
                        "write each number in one way, or as a string"
                    )
        if not texts:
            raise UserError(f"{self.path} has no rows, only columns: add texts and labels")
        class_names = tuple(sorted({name for name in labels if name is not None}))
        index = {name: position for position, name in enumerate(class_names)}
        groups = None if self.group is None else group_names([row[2] for row in rows], str(self.group), self.where)
        return Rows(texts, [None if name is None else index[name] for name in labels], class_names, groups)

    def _rows(self) -> Sequence[tuple[Any, ...]]:
        """Text, label and, where rows are grouped, group of each row, None where there is none."""
        try:
            if self._kind == "parquet":
                return self._parquet(rows=True)
            content = self._decoded(self.path.read_bytes())
        except OSError as error:
            raise self._unreadable(error) from error
        if self._kind == "jsonl":
            objects = self._objects(content)
            columns = self._find(_keys(objects))
            return [tuple(map(row.get, columns)) for row in map(dict, objects)]
        table = self._table(content)
        places = [table.header.index(column) for column in self._find(table.header)]
        return table.read(places, label=places[1])

    def _table(self, content: str) -> delimited.Table:
        if not content.strip():
            raise self._empty()
        return delimited.Table(
            content,
            str(self.path),
            self._kind,
            separator=self.separator,
            quoting=self.quoting,
            wanted=lambda header: all(names.called(column, header) for column in self._columns.values()),
        )

    def _find(self, columns: Sequence[str]) -> list[str]:
        """The names in the file of the columns that are read."""
        note = " in its first line, which names the columns" if self._kind in ("csv", "tsv") else ""
        return [
            find_column(value, columns, str(self.path), f"dataset.{setting}", note)
            for setting, value in self._columns.items()
        ]

    def _decoded(self, content: bytes, *, whole: bool = True) -> str:
        """The text of a file, or of its beginning, which may end within a character."""
        for beginning, what in OTHER_FORMATS.items():
            if content.startswith(beginning) and not (self._kind == "jsonl" and what.startswith("JSON")):
                raise UserError(f"{self.path} cannot be read as {self._kind}, for it is {what}")
        encoding = next((MARKS[mark] for mark in MARKS if content.startswith(mark)), "utf-8")
        if encoding in ("utf-8", "utf-8-sig") and b"\0" in content:
            at = content.index(b"\0")
            line = content.count(b"\n", 0, at) + 1
            wide = max(content[::2].count(0), content[1::2].count(0)) > len(content) / 4 and content.strip(b"\0")
            raise UserError(
                f"{self.path} looks like UTF-16 without its mark: save it as UTF-8 (iconv -f utf-16le -t utf-8)"
                if wide
                else f"byte {at + 1} of {self.path} (line {line}) is a NUL, which no text file contains: mend the file"
            )
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(content, final=whole)
            return text.lstrip("\ufeff")  # a mark that was put there twice
        except UnicodeDecodeError as error:
            if encoding.startswith("utf-8"):
                at = error.start + (len(codecs.BOM_UTF8) if encoding == "utf-8-sig" else 0)
                line = content.count(b"\n", 0, at) + 1
                raise UserError(
                    f"byte {at + 1} of {self.path} (line {line}) is not UTF-8: save the file as UTF-8 "
                    "(e.g. iconv -f latin1 -t utf-8)"
                ) from error
            raise UserError(
                f"{self.path} begins with the mark of {encoding.upper()}, but byte {error.start + 1} does not fit "
                f"({error.reason}): save the file as UTF-8"
            ) from error

    def _objects(self, content: str) -> list[tuple[tuple[str, Any], ...]]:
        """The objects of a jsonl, each a tuple of its keys and values."""
        objects = []
        # Not splitlines: a JSON string may hold U+2028 as it is.
        for number, line in enumerate(delimited.LINE_END.split(content), start=1):
            if not line.strip():
                continue
            try:
                # Objects as tuples: a key that stands there twice is seen, and an array (a list) told apart.
                value = json.loads(line, object_pairs_hook=tuple)
            except json.JSONDecodeError as error:
                if line.lstrip().startswith("["):
                    raise self._no_object(number) from error
                raise self._refusal(f"line {number}, column {error.colno}: {error.msg}") from error
            except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets in brackets
                raise self._refusal(f"line {number}: {error}") from error
            if not isinstance(value, tuple):
                raise self._no_object(number)
            keys = [key for key, _ in value]
            for column in self._columns.values():
                if sum(len(names.called(column, [key])) for key in keys) > 1:
                    raise self._refusal(f"line {number} has the key {column!r} more than once")
            objects.append(value)
        if not objects and not content.strip():
            raise self._empty()
        return objects

    def _no_object(self, line: int) -> UserError:
        return UserError(
            f"{self.path} cannot be read as jsonl (line {line} is no JSON object): write one object a line, a row each"
        )

    def _parquet(self, *, rows: bool) -> list[tuple[Any, ...]]:
        """Find the columns and read them, if rows are asked for; its other columns stay unread."""
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile

        try:
            with ParquetFile(self.path) as file:
                wanted = self._find(file.schema_arrow.names)
                if not rows:
                    return []
                columns = file.read(columns=wanted)
            return list(zip(*(columns[column].to_pylist() for column in wanted), strict=True))
        except UserError:
            raise
        except (ArrowException, ValueError, OverflowError) as error:  # bytes that are no UTF-8, say
            raise self._refusal(error) from error

    def _empty(self) -> UserError:
        return UserError(f"{self.path} is empty: give a file with the columns {self.text!r} and {self.label!r}")

    def _refusal(self, reason: object) -> UserError:
        return UserError(f"{self.path} cannot be read as {self._kind} ({' '.join(str(reason).split())}): mend the file")

    def _unreadable(self, error: OSError) -> UserError:
        if error.errno is None:  # pyarrow's, of what the file holds
            return self._refusal(error)
        return UserError(f"dataset.path={self.path} cannot be read ({error.strerror or error}): mend its access rights")


def _path(given: object) -> Path:
    """The file's path, where its name can be one; nothing is read."""
    if not isinstance(given, str):
        given = names.as_yaml(given) if names.is_written(given) else repr(given)
        raise UserError(f"dataset.path={given} must be text, the path of a file: give dataset.path=FILE")
    if not given.strip():
        raise UserError("dataset.path is empty: give the path of a csv, tsv, jsonl or parquet")
    if re.match(r"[a-z0-9]+://", given):
        raise UserError(f"dataset.path={given} is a URL, not the path of a file: download the file first")
    if "\0" in given:
        raise UserError(f"dataset.path={given!r} contains a NUL, which no path may: give the path of a file")
    try:
        path = Path(given).expanduser()
        is_folder = path.is_dir()
    except (OSError, RuntimeError) as error:  # a name that is too long; ~somebody who has no home
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(f"dataset.path={names.cut(given)} cannot be looked at ({reason}): give another path") from error
    if is_folder:
        raise UserError(f"dataset.path={given} is a folder: name one file in it")
    if path.suffix.lower() not in FILE_ENDINGS:
        raise UserError(f"dataset.path={given} must end in one of {', '.join(FILE_ENDINGS)}: convert the file")
    return path


def _what_it_is(path: Path) -> str:
    """Why a path is no file that can be read."""
    ask = "give the path of a csv, tsv, jsonl or parquet"
    try:
        mode = path.lstat().st_mode
    except OSError:
        near = names.nearest(
            path.name, [neighbour.name for neighbour in path.parent.glob("*")] if path.parent.is_dir() else []
        )
        return f"is not a file{near or f': {ask}'}"
    if stat.S_ISLNK(mode) and not path.exists():
        return f"is a link to {path.readlink()}, which is not there: {ask}"
    return f"is not a file but a pipe, socket or device: {ask}"


def _column(setting: str, value: object) -> Any:
    if not names.is_written(value):
        raise UserError(f"dataset.{setting}={value} must be the name of one column")
    return value


def _separator(given: object) -> str | None:
    if given is None:
        return None
    sign = delimited.SEPARATORS.get(given, given) if isinstance(given, str) else None
    if not isinstance(sign, str) or len(sign) != 1 or sign in '"\\\r\n ' or sign.isalnum():
        known = ", ".join(delimited.SEPARATORS)
        raise UserError(f"dataset.separator={given} must be one of {known}, one other character, or null")
    return sign


def _keys(objects: Iterable[tuple[tuple[str, Any], ...]]) -> list[str]:
    return list(dict.fromkeys(key for row in objects for key, _ in row))


def _described(value: object) -> str:
    if isinstance(value, tuple):
        return "an object"
    return f"{names.cut(value)} ({type(value).__name__})"
