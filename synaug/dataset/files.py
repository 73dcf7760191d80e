"""A file of the user's own."""

import io
import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from synaug.dataset.texts import TextSource, require_column
from synaug.digest import file_sha256
from synaug.errors import UserError

FILE_ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")


class FileDataset(TextSource):
    """One file of the user's: csv, tsv, jsonl or parquet, by its ending.

    Classes are the distinct labels, as text, in alphabetical order. In csv and tsv every field is
    text ("NA" is a word, 007 a label), and a field with a line break or a separator stands in double quotes.

    Parameters
    ----------
    path
        The file; relative paths are relative to where the program was started.
    text, label
        The columns read.
    """

    def __init__(self, *, path: str, text: str, label: str, **common: Any) -> None:
        super().__init__(**common)
        self.path = Path(path).expanduser()
        self.text = text
        self.label = label
        if self.path.is_dir():
            raise UserError(f"dataset.path={path} is a folder: name one file in it")
        if self.path.suffix.lower() not in FILE_ENDINGS:
            raise UserError(f"dataset.path={path} must end in one of {', '.join(FILE_ENDINGS)}: convert the file")

    def source(self) -> str:
        """Digest of the file.

        Raises
        ------
        UserError
            If there is no such file.
        """
        if not self.path.is_file():
            raise UserError(f"dataset.path={self.path} is not a file: give the path of a csv, tsv, jsonl or parquet")
        return f"file:sha256:{file_sha256(self.path)}"

    def read(self) -> tuple[list[str], list[int], tuple[str, ...]]:
        """Read the two columns.

        Raises
        ------
        UserError
            If there is no such file.
        UserError
            If it cannot be parsed, is not UTF-8, lacks a column, or a row lacks its text or label.
        """
        self.source()
        texts: list[str] = []
        names: list[str] = []
        for row, (text, label) in enumerate(self._rows(), start=1):
            if not isinstance(text, str | None):
                raise UserError(
                    f"row {row} of {self.path} has {text!r} ({type(text).__name__}) in column {self.text!r}, "
                    "which must hold text: write it as a string"
                )
            if not isinstance(label, str | int | float | None):
                raise UserError(
                    f"row {row} of {self.path} has {label!r} ({type(label).__name__}) in column {self.label!r}: "
                    "a label is one word or number"
                )
            if text is None or not text.strip():
                raise UserError(f"row {row} of {self.path} has no text in column {self.text!r}: fill or remove it")
            if label is None or label != label or not str(label).strip():
                raise UserError(f"row {row} of {self.path} has no label in column {self.label!r}: label or remove it")
            texts.append(text)
            names.append(str(label).strip())
        class_names = tuple(sorted(set(names)))
        index = {name: position for position, name in enumerate(class_names)}
        return texts, [index[name] for name in names], class_names

    def _rows(self) -> Iterable[tuple[Any, Any]]:
        """Text and label of each row, None where there is none."""
        content = "" if self._ending == ".parquet" else self._decoded()
        if self._ending in (".csv", ".tsv") and not content.strip():
            raise UserError(f"{self.path} is empty: give a file with the columns {self.text!r} and {self.label!r}")
        try:
            columns = self._columns(content)
        except (ValueError, OSError) as error:  # pandas' and pyarrow's parser errors are ValueErrors
            reason = " ".join(str(error).split())
            raise UserError(f"{self.path} cannot be read as {self._ending[1:]} ({reason}): mend the file") from error
        for column in (self.text, self.label):
            require_column(column, list(columns), str(self.path))
        return zip(columns[self.text], columns[self.label], strict=True)

    @property
    def _ending(self) -> str:
        return self.path.suffix.lower()

    def _decoded(self) -> str:
        content = self.path.read_bytes()
        try:
            return content.decode("utf-8").removeprefix("\ufeff")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise UserError(
                f"byte {error.start + 1} of {self.path} (line {line}) is not UTF-8: save the file as UTF-8 "
                "(e.g. iconv -f latin1 -t utf-8)"
            ) from error

    def _columns(self, content: str) -> dict[str, list[Any]]:
        """Columns by name; a parquet's other columns stay unread."""
        if self._ending == ".parquet":
            from pyarrow.parquet import ParquetFile

            file = ParquetFile(self.path)
            names = file.schema_arrow.names
            wanted = file.read(columns=sorted({self.text, self.label}.intersection(names)))
            return {**{name: [] for name in names}, **wanted.to_pydict()}
        if self._ending == ".jsonl":
            # Not splitlines: a JSON string may hold U+2028 as it is.
            rows = [_json_object(line, number) for number, line in enumerate(content.split("\n"), 1) if line.strip()]
            return {
                name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)
            }
        import pandas as pd

        separator = "\t" if self._ending == ".tsv" else ","
        with warnings.catch_warnings():
            # pandas takes the first of surplus fields for row names, or (index_col=False) drops the last.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            try:
                frame = pd.read_csv(io.StringIO(content), sep=separator, dtype=str, na_filter=False, index_col=False)
            except pd.errors.ParserWarning as warning:
                raise ValueError("its rows have more fields than its header: quote texts with separators") from warning
        return {name: frame[name].tolist() for name in frame.columns}


def _json_object(line: str, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {number}, column {error.colno}: {error.msg}") from error
    if not isinstance(value, dict):
        raise ValueError(f"line {number} is no JSON object")
    return value
