"""A file of the user's own."""

from typing import Any

from synaug.dataset.groups import group_names
from synaug.dataset.table_file import TableFile
from synaug.dataset.texts import Rows, TextSource
from synaug.errors import UserError
from synaug.seeding import OWN_FILE
from synaug.settings import names


class FileDataset(TextSource):
    """One file of the user's: csv, tsv, jsonl or parquet, by its ending.

    Classes are the distinct labels, as text, in alphabetical order.

    Parameters
    ----------
    name
        What the data set is called, and what enters its seeds; None: it is called by the file's name, which enters
        nothing.
    text, label
        The columns read; of `text`, None: the rows have no texts but vectors of their own.
    path, separator, quoting
        As of `synaug.dataset.table_file.TableFile`.
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
        super().__init__(name=OWN_FILE if name is None else name, **common)
        self.has_texts = text is not None
        columns = {"text": text, "label": label} if self.has_texts else {"label": label}
        if self.group is not None:
            columns["group"] = self.group
        self.file = TableFile(path, columns, separator=separator, quoting=quoting)
        if name is None:
            called = self.file.path.stem if self.file.path.stem.strip() else self.file.path.name
            self.title = called.encode("utf-8", "backslashreplace").decode()
        self.where = str(self.file)
        self.text = text
        self.label = label

    def source(self) -> str:
        """Digest of the file.

        Raises
        ------
        UserError
            If there is no such file, or it cannot be read.
        """
        return self.file.digest()

    def look(self) -> None:
        """Find the file and its columns, without reading all of it.

        Raises
        ------
        UserError
            If there is no such file, it cannot be read, or its header lacks a column.
        """
        self.file.look()

    def count(self) -> int:
        """How many rows there are.

        Raises
        ------
        UserError
            If there is no such file, or it cannot be parsed or lacks a column.
        """
        return self.file.count()

    def column(self, name: Any, group: str, setting: str) -> list[Any]:
        """The values of one more column, row by row; None where a row has none.

        Parameters
        ----------
        name
            What the column is called.
        group, setting
            Whose setting names it, for the remedies in sentences.

        Raises
        ------
        UserError
            If there is no such column.
        """
        return [row[0] for row in self.file.with_columns({setting: name, "label": self.label}, group).rows()]

    def read(self) -> Rows:
        """Read the columns of texts, labels and groups.

        Raises
        ------
        UserError
            If there is no such file.
        UserError
            If it cannot be parsed, lacks a column, or holds what is no text or no label.
        """
        texts: list[str] = []
        labels: list[str | None] = []
        spelt: dict[float, str] = {}
        rows = self.file.rows()
        for row, values in enumerate(rows, start=1):
            text, label = values[:2] if self.has_texts else (None, values[0])
            if not isinstance(text, str | None):
                raise UserError(
                    f"row {row} of {self.file} has {names.described(text)} in column {self.text!r}, "
                    "which must hold text: write it as a string"
                )
            if not isinstance(label, str | int | float | None):
                raise UserError(
                    f"row {row} of {self.file} has {names.described(label)} in column {self.label!r}: "
                    "a label must be a single text or number: write it as a string"
                )
            texts.append(text or "")
            name = "" if label is None or label != label else str(label).strip()
            labels.append(name if names.look_of(name) else None)
            if isinstance(label, int | float) and not isinstance(label, bool):
                other = spelt.setdefault(label, name)
                if other != name:
                    raise UserError(
                        f"row {row} of {self.file} has the label {name}, which an earlier row writes as {other}: "
                        "write each number in one way, or as a string"
                    )
        if not texts:
            what = "texts and labels" if self.has_texts else "labels"
            raise UserError(f"{self.file} has no rows, only columns: add {what}")
        class_names = tuple(sorted({name for name in labels if name is not None}))
        index = {name: position for position, name in enumerate(class_names)}
        groups = None if self.group is None else group_names([row[-1] for row in rows], str(self.group), self.where)
        return Rows(texts, [None if name is None else index[name] for name in labels], class_names, groups)
