"""A file of rows and columns: csv, tsv, jsonl or parquet."""

import codecs
import itertools
import json
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from synaug import settings
from synaug.dataset import delimited
from synaug.dataset.columns import find_column
from synaug.errors import UserError
from synaug.files.digest import file_sha256
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


class TableFile:
    """Some columns of a file: of csv, tsv, jsonl or parquet, by its ending.

    In csv and tsv every field is text ("NA" is a word, 007 a label), and a field with a line break or a separator
    stands in double quotes.

    Parameters
    ----------
    path
        The file; relative paths are relative to where the program was started.
    columns
        What is read: by setting, the column's name. One setting is called `label`.
    separator
        Of csv and tsv: comma, semicolon, tab, bar, or any one character; None: found out.
    quoting
        Of csv and tsv: double (quotes inside a quoted text are doubled), backslash (they stand behind one) or none
        (quotes are plain characters); None: double, and what could be read in two ways is refused.
    group
        Of the settings, for the remedies in sentences.
    otherwise
        By setting: what else can be done where its column is not there.

    Raises
    ------
    UserError
        If a value can be none of these; the file is not looked at.
    """

    def __init__(
        self,
        path: object,
        columns: Mapping[str, Any],
        *,
        separator: str | None = None,
        quoting: str | None = None,
        group: str = "dataset",
        otherwise: Mapping[str, str] | None = None,
    ) -> None:
        self.group = group
        self.path = _path(path, group)
        for setting, column in columns.items():
            if not names.is_written(column):
                raise UserError(f"{group}.{setting}={column} must be the name of one column")
        self.columns = columns
        self.otherwise = otherwise or {}
        self._refuse_one_column_twice()
        self.separator = _separator(separator, group)
        settings.require(group, settings.OF_A_TARGET["synaug.dataset.FileDataset"], {"quoting": quoting})
        self.quoting = quoting
        if self._kind not in ("csv", "tsv") and (separator is not None or quoting is not None):
            raise UserError(
                f"{group}.separator and {group}.quoting are for csv and tsv, not for {self.path}: leave them out"
            )

    def __str__(self) -> str:
        return str(self.path)

    def _refuse_one_column_twice(self) -> None:
        for (one, column), (other, another) in itertools.combinations(self.columns.items(), 2):
            if (type(column), column) == (type(another), another):
                raise UserError(
                    f"{self.group}.{one} and {self.group}.{other} are both {names.as_yaml(column)}: name two columns"
                )

    @property
    def _kind(self) -> str:
        return self.path.suffix.lower()[1:]

    def digest(self) -> str:
        """Digest of the file.

        Raises
        ------
        UserError
            If there is no such file, or it cannot be read.
        """
        if not self.path.is_file():
            raise UserError(f"{self.group}.path={self.path} {_what_it_is(self.path)}")
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
            raise UserError(f"{self.group}.path={self.path} {_what_it_is(self.path)}")
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

    def rows(self) -> Sequence[tuple[Any, ...]]:
        """The columns' values in each row, in the order of `columns`; None where there is none.

        Raises
        ------
        UserError
            If there is no such file, or it cannot be parsed or lacks a column.
        """
        self.digest()
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
        at = list(self.columns)
        return table.read(places, label=places[at.index("label") if "label" in at else 0])

    def count(self) -> int:
        """How many rows there are; raises as `rows` does."""
        if self._kind != "parquet":
            return len(self.rows())
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile

        self.digest()
        try:
            with ParquetFile(self.path) as file:
                n_rows: int = file.metadata.num_rows
                return n_rows
        except (ArrowException, ValueError) as error:
            raise self._refusal(error) from error
        except OSError as error:
            raise self._unreadable(error) from error

    def with_columns(self, columns: Mapping[str, Any], group: str) -> "TableFile":
        """Other columns of the same file, named by settings of a group."""
        return TableFile(
            str(self.path),
            columns,
            separator=self.separator,
            quoting=self.quoting,
            group=group,
            otherwise=self.otherwise,
        )

    def _table(self, content: str) -> delimited.Table:
        if not content.strip():
            raise self._empty()
        return delimited.Table(
            content,
            str(self.path),
            self._kind,
            separator=self.separator,
            quoting=self.quoting,
            group=self.group,
            wanted=lambda header: all(names.called(column, header) for column in self.columns.values()),
        )

    def _find(self, columns: Sequence[str]) -> list[str]:
        """The names in the file of the columns that are read."""
        note = " in its first line, which names the columns" if self._kind in ("csv", "tsv") else ""
        return [
            find_column(
                value, columns, str(self.path), f"{self.group}.{setting}", note, self.otherwise.get(setting, "")
            )
            for setting, value in self.columns.items()
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
            for column in self.columns.values():
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
        columns = " and ".join(repr(column) for column in self.columns.values())
        return UserError(f"{self.path} is empty: give a file with the columns {columns}")

    def _refusal(self, reason: object) -> UserError:
        return UserError(f"{self.path} cannot be read as {self._kind} ({' '.join(str(reason).split())}): mend the file")

    def _unreadable(self, error: OSError) -> UserError:
        if error.errno is None:  # pyarrow's, of what the file holds
            return self._refusal(error)
        return UserError(
            f"{self.group}.path={self.path} cannot be read ({error.strerror or error}): mend its access rights"
        )


def _path(given: object, group: str) -> Path:
    """The file's path, where its name can be one; nothing is read."""
    if not isinstance(given, str):
        given = names.as_yaml(given) if names.is_written(given) else repr(given)
        raise UserError(f"{group}.path={given} must be text, the path of a file: give {group}.path=FILE")
    if not given.strip():
        raise UserError(f"{group}.path is empty: give the path of a csv, tsv, jsonl or parquet")
    if re.match(r"[a-z0-9]+://", given):
        raise UserError(f"{group}.path={given} is a URL, not the path of a file: download the file first")
    if "\0" in given:
        raise UserError(f"{group}.path={given!r} contains a NUL, which no path may: give the path of a file")
    return file_path(f"{group}.path", given, FILE_ENDINGS)


def file_path(setting: str, given: str, endings: Sequence[str]) -> Path:
    """The path that a setting names, if a file of this kind can be there; nothing is read.

    Raises
    ------
    UserError
        If it is a folder, ends otherwise, or cannot be looked at.
    """
    try:
        path = Path(given).expanduser()
        is_folder = path.is_dir()
    except (OSError, RuntimeError) as error:  # a name that is too long; ~somebody who has no home
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UserError(f"{setting}={names.cut(given)} cannot be looked at ({reason}): give another path") from error
    if is_folder:
        raise UserError(f"{setting}={given} is a folder: name one file in it")
    if path.suffix.lower() not in endings:
        raise UserError(f"{setting}={given} must end in one of {', '.join(endings)}: convert the file")
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


def _separator(given: object, group: str) -> str | None:
    if given is None:
        return None
    sign = delimited.SEPARATORS.get(given, given) if isinstance(given, str) else None
    if not isinstance(sign, str) or len(sign) != 1 or sign in '"\\\r\n ' or sign.isalnum():
        known = ", ".join(delimited.SEPARATORS)
        raise UserError(f"{group}.separator={given} must be one of {known}, one other character, or null")
    return sign


def _keys(objects: Iterable[tuple[tuple[str, Any], ...]]) -> list[str]:
    return list(dict.fromkeys(key for row in objects for key, _ in row))
