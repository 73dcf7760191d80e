"""A table of texts without labels, all of whose columns are kept."""

from typing import Any, NamedTuple

from synaug.dataset.columns import find_column
from synaug.dataset.table_file import TableFile
from synaug.errors import UserError
from synaug.settings import names

GROUP = "predict"


class Whole(NamedTuple):
    """A table as it stands.

    Attributes
    ----------
    header
        Names of the columns.
    rows
        Of as many values.
    place
        Which column is the one that was asked for.
    """

    header: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    place: int

    @property
    def wanted(self) -> list[Any]:
        """The values of the column that was asked for."""
        return [row[self.place] for row in self.rows]

    def without_wanted(self) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Header and rows without that column."""
        at = self.place
        return self.header[:at] + self.header[at + 1 :], [row[:at] + row[at + 1 :] for row in self.rows]


class UnlabelledTable(TableFile):
    """A csv, tsv, jsonl or parquet of which one column is read, and the others are kept.

    Parameters
    ----------
    path, separator, quoting
        As of `synaug.dataset.table_file.TableFile`.
    column
        Of the texts, or of the vectors.
    setting
        What that column is called among the settings.
    """

    def __init__(
        self, path: str, column: str, *, setting: str = "text", separator: str | None = None, quoting: str | None = None
    ) -> None:
        super().__init__(path, {setting: column}, separator=separator, quoting=quoting, group=GROUP)
        if self.quoting is None and self._kind in ("csv", "tsv"):
            self.quoting = "double"  # what could be read in two ways is told by labels, and there are none
        self.setting = setting

    def whole(self) -> Whole:
        """All columns of all rows.

        Raises
        ------
        UserError
            As `TableFile.rows` does.
        """
        self.digest()
        try:
            if self._kind == "parquet":
                return self._of_parquet()
            content = self._decoded(self.path.read_bytes())
        except OSError as error:
            raise self._unreadable(error) from error
        if self._kind == "jsonl":
            objects = [dict(row) for row in self._objects(content)]
            header = list(dict.fromkeys(key for row in objects for key in row))
            return self._whole(header, [tuple(map(row.get, header)) for row in objects])
        table = self._table(content)
        twice = next((name for name in table.header if table.header.count(name) > 1), None)
        if twice is not None:
            raise UserError(f"{self.path} has several columns called {names.cut(twice)}: rename all but one")
        return self._whole(table.header, table.read(range(len(table.header)), label=0))

    def _of_parquet(self) -> Whole:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile

        # Vectors are read elsewhere, as numbers: as Python's own, they would take ten times the memory.
        left_out = self.columns[self.setting] if self.setting == "vectors" else None
        try:
            with ParquetFile(self.path) as file:
                table = file.read()
            columns = [
                [None] * len(table) if name == left_out else column.to_pylist()
                for name, column in zip(table.column_names, table.columns, strict=True)
            ]
        except (ArrowException, ValueError, OverflowError) as error:
            raise self._refusal(error) from error
        return self._whole(table.column_names, list(zip(*columns, strict=True)))

    def _whole(self, header: list[str], rows: list[tuple[Any, ...]]) -> Whole:
        note = " in its first line, which names the columns" if self._kind in ("csv", "tsv") else ""
        found = find_column(self.columns[self.setting], header, str(self.path), f"--{self.setting}", note)
        return Whole(tuple(header), rows, header.index(found))
