"""Vectors in files: ``.npy``, ``.safetensors``, or a column of lists in ``.parquet`` or ``.jsonl``; never a pickle."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synaug.dataset.complete import rows_said
from synaug.dataset.table_file import TableFile
from synaug.errors import UserError
from synaug.files.digest import file_sha256
from synaug.settings import names

ARRAYS = (".npy", ".safetensors")
TABLES = (".parquet", ".jsonl")
FILES_OF_IDS = (".txt", ".npy")
FLOAT_BYTES = (2, 4, 8)
# Squares of 65,536 numbers of this size still add up in float32; no embedding comes near.
LARGEST_NUMBER = 1e15
CONVERT = 'convert them, e.g. with array.astype("float32")'
SAVE_AS = f"save them as {', '.join(ARRAYS + TABLES)}"


class Read(NamedTuple):
    """What a file holds.

    Attributes
    ----------
    rows
        float32 `[n, d]`; what stands in absent rows means nothing.
    absent
        bool `[n]`: rows that hold null, or nothing but zeros.
    ids
        `n` names; None where none were asked for.
    """

    rows: NDArray[np.float32]
    absent: NDArray[np.bool_]
    ids: list[str] | None


@dataclass(frozen=True)
class VectorFile:
    """A file of vectors; nothing is looked at before it is asked for.

    Attributes
    ----------
    path
        The file.
    setting
        What names it, for sentences: ``encoder.path``.
    column
        Column of the lists; in safetensors the tensor's name, unless it is the only one.
    id
        Column of the ids in a table; None: rows have no ids.
    ids
        For a file that is no table: the file that holds the ids, one a line of text, or a one-dimensional ``.npy``.
    """

    path: Path
    setting: str
    column: str
    id: Any = None
    ids: Path | None = None

    def __str__(self) -> str:
        return str(self.path)

    @property
    def is_table(self) -> bool:
        """Whether the vectors are a column of lists."""
        return self.path.suffix.lower() in TABLES

    def digests(self) -> tuple[str, ...]:
        """Digests of the files, which say whether they are still what they were.

        Raises
        ------
        UserError
            If one is not there, or cannot be read.
        """
        found = []
        for path, setting in ((self.path, self.setting), (self.ids, "encoder.ids")):
            if path is None:
                continue
            try:
                if not path.is_file():
                    near = names.nearest(path.name, [each.name for each in path.parent.glob("*")])
                    raise UserError(f"{setting}={path} is not a file{near or ': give the path of one'}")
                found.append(file_sha256(path))
            except OSError as error:
                raise UserError(
                    f"{setting}={path} cannot be read ({error.strerror or error}): mend its access rights"
                ) from error
        return tuple(found)

    def read(self) -> Read:
        """Read all vectors, and hold them to what embeddings must be.

        Raises
        ------
        UserError
            If the file is none of vectors, if they differ in width, are of another type than float16, float32 or
            float64, hold NaN, infinity or numbers beyond 1e15, or if two have one id.
        """
        self.digests()
        parts = list(self._parts())
        n_rows = sum(len(absent) for _, absent in parts)
        if not n_rows:
            raise UserError(f"{self.path} holds no vectors: give a file with one for each row")
        widths = {values.shape[1] for values, _ in parts if len(values)}
        if not widths:
            raise UserError(f"no row of {self.path} has a vector in column {self.column!r}: fill them")
        (width,) = widths
        if not width:
            raise UserError(f"the vectors of {self.path} hold no numbers: give vectors of one number or more")
        rows = np.zeros((n_rows, width), dtype=np.float32)
        absent = np.concatenate([missing for _, missing in parts])
        start = 0
        for values, missing in parts:
            places = start + np.flatnonzero(~missing)
            self._check(values, places)
            rows[places] = values
            start += len(missing)
        absent |= ~rows.any(axis=1) | (np.einsum("nd,nd->n", rows, rows) == 0)  # zeros, or as good as
        return Read(rows, absent, self._read_ids(n_rows))

    def _check(self, values: NDArray[Any], places: NDArray[np.int64]) -> None:
        """Refuse what is not finite, or too large to compute with."""
        if not values.size:
            return
        size = np.maximum(values.max(axis=1), -values.min(axis=1)).astype(np.float64)
        bad = places[~np.isfinite(size)]
        if len(bad):
            raise UserError(f"{self._those(bad, 'holds')} NaN or infinity: make them again, or remove their rows")
        huge = places[size > LARGEST_NUMBER]
        if len(huge):
            raise UserError(
                f"{self._those(huge, 'holds')} numbers beyond {LARGEST_NUMBER:g}, with which float32 cannot compute: "
                "scale the vectors"
            )

    def _those(self, places: NDArray[np.int64], verb: str) -> str:
        """``2 vectors of FILE (rows 3, 6) hold``, of a verb given as of one."""
        one = len(places) == 1
        verb = verb if one else {"holds": "hold", "is": "are"}[verb]
        return f"{len(places):,} vector{'' if one else 's'} of {self.path} ({rows_said(places.tolist())}) {verb}"

    def _parts(self) -> Iterator[tuple[NDArray[Any], NDArray[np.bool_]]]:
        """Blocks of rows: floats of those that are there, `[m, d]`, and bool `[n]` of those that are not."""
        kind = self.path.suffix.lower()
        if kind == ".parquet":
            yield from self._parquet()
        elif kind == ".jsonl":
            yield self._jsonl()
        else:
            values = self._npy() if kind == ".npy" else self._safetensors()
            yield values, np.zeros(len(values), bool)

    def _npy(self) -> NDArray[Any]:
        try:
            array = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (ValueError, OSError, EOFError, SyntaxError) as error:  # ValueError: of objects, which are pickles
            raise self._no_array(error) from error
        if not isinstance(array, np.ndarray):  # a zip of arrays, called .npy
            raise UserError(f"{self.path} holds several arrays, as an .npz does: save one with numpy.save")
        return self._floats(array)

    def _safetensors(self) -> NDArray[Any]:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.path, framework="numpy") as file:
                tensors = sorted(file.keys())
                called = self.column if self.column in tensors else tensors[0] if len(tensors) == 1 else None
                if called is None:
                    raise UserError(
                        f"{self.path} has no tensor {self.column!r}, but {names.listed(tensors) or 'none'}: name one "
                        "with encoder.column"
                    )
                kind = file.get_slice(called).get_dtype()
                if kind not in ("F16", "F32", "F64"):
                    raise self._wrong_type(kind)
                return self._floats(file.get_tensor(called))
        except (SafetensorError, OSError, ValueError) as error:
            if isinstance(error, UserError):
                raise
            raise self._no_array(error) from error

    def _floats(self, array: NDArray[Any]) -> NDArray[Any]:
        if array.dtype.kind != "f" or array.dtype.itemsize not in FLOAT_BYTES:
            raise self._wrong_type(str(array.dtype))
        if array.ndim != 2:
            raise UserError(
                f"{self.path} holds an array of shape {array.shape}, but one vector a row is needed, [rows, numbers]: "
                "save it in that shape"
            )
        return array

    def _parquet(self) -> Iterator[tuple[NDArray[Any], NDArray[np.bool_]]]:
        import pyarrow as pa
        import pyarrow.compute as pc
        from pyarrow.parquet import ParquetFile

        try:
            with ParquetFile(self.path) as file:
                column = file.read(columns=[self._found(file.schema_arrow.names)]).column(0)
        except (pa.ArrowException, ValueError, OSError) as error:
            if isinstance(error, UserError):
                raise
            raise self._no_array(error) from error
        width, before = None, 0
        for chunk in column.chunks:
            lists = chunk.storage if isinstance(chunk, pa.ExtensionArray) else chunk
            if not (pa.types.is_list(lists.type) or pa.types.is_large_list(lists.type) or _is_fixed(lists.type)):
                raise self._no_lists(str(lists.type))
            if not pa.types.is_floating(lists.type.value_type):
                raise self._wrong_type(f"lists of {lists.type.value_type}")
            absent = lists.is_null().to_numpy(zero_copy_only=False)
            present = lists.filter(lists.is_valid())
            widths = pc.list_value_length(present).to_numpy(zero_copy_only=False).astype(np.int64)
            places = before + np.flatnonzero(~absent)
            width = self._one_width(widths, places, width)
            numbers = pc.list_flatten(present)
            if numbers.null_count:
                without = np.unique(np.flatnonzero(numbers.is_null().to_numpy(zero_copy_only=False)) // (width or 1))
                raise self._no_numbers(places[without])
            values = numbers.to_numpy(zero_copy_only=False).reshape(len(present), -1 if len(numbers) else width or 0)
            before += len(lists)
            yield values, absent

    def _jsonl(self) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        cells = [row[0] for row in TableFile(str(self.path), {"column": self.column}, group="encoder").rows()]
        absent = np.array([cell is None for cell in cells], bool)
        present, places = [cell for cell in cells if cell is not None], np.flatnonzero(~absent)
        other = next((cell for cell in present if not isinstance(cell, list)), None)
        if other is not None:
            raise self._no_lists(names.described(other))
        self._one_width(np.array([len(cell) for cell in present], np.int64), places, None)
        wrong = [place for place, cell in zip(places, present, strict=True) if not set(map(type, cell)) <= {int, float}]
        if wrong:
            raise self._no_numbers(np.array(wrong))
        try:
            return np.array(present, dtype=np.float64).reshape(len(present), -1 if present else 0), absent
        except OverflowError as error:  # a whole number of hundreds of digits
            raise UserError(
                f"vectors of {self.path} hold numbers beyond {LARGEST_NUMBER:g}, with which float32 cannot compute: "
                "scale the vectors"
            ) from error

    def _found(self, columns: Sequence[str]) -> str:
        from synaug.dataset.columns import find_column

        return find_column(self.column, columns, str(self.path), "encoder.column")

    def _one_width(self, widths: NDArray[np.int64], places: NDArray[np.int64], width: int | None) -> int | None:
        """The width of all rows: that of the first."""
        if not len(widths):
            return width
        width = int(widths[0]) if width is None else width
        other = places[widths != width]
        if len(other):
            n = int(widths[widths != width][0])
            raise UserError(
                f"{self._those(other, 'is')} of another width than the first ({n:,} numbers where the first has "
                f"{width:,}): all must come from one model"
            )
        return width

    def _read_ids(self, n_rows: int) -> list[str] | None:
        """The name of each vector."""
        if self.id is None or (not self.is_table and self.ids is None):
            return None
        if self.is_table:
            values = [row[0] for row in TableFile(str(self.path), {"id": self.id}, group="encoder").rows()]
            return unique(values, f"column {self.id!r}", str(self.path))
        assert self.ids is not None
        values = _lines(self.ids) if self.ids.suffix.lower() == ".txt" else _id_array(self.ids)
        if len(values) != n_rows:
            raise UserError(
                f"encoder.ids={self.ids} has {len(values):,} ids for the {n_rows:,} vectors of {self.path}: give one "
                "for each"
            )
        return unique(values, "it", str(self.ids))

    def _no_array(self, error: Exception) -> UserError:
        reason = " ".join(str(error).split())
        if re.search("pickle|object", reason, re.IGNORECASE):
            reason = "it holds Python objects, which may run code when loaded"
        return UserError(f"{self.path} cannot be read as vectors ({reason}): {SAVE_AS}, as numbers")

    def _no_lists(self, what: str) -> UserError:
        return UserError(
            f"column {self.column!r} of {self.path} holds {what} where each row needs a list of numbers: write lists, "
            "or name another column with encoder.column"
        )

    def _no_numbers(self, places: NDArray[np.int64]) -> UserError:
        return UserError(
            f"{self._those(places, 'holds')} something that is no number: make them again, or remove their rows"
        )

    def _wrong_type(self, kind: str) -> UserError:
        return UserError(f"the vectors of {self.path} are {kind}, but must be float16, float32 or float64: {CONVERT}")


def unique(values: Sequence[Any], column: str, where: str) -> list[str]:
    """Ids as text: 1, 1.0 and ``1`` are one, whatever the format of a file made of what was written.

    Raises
    ------
    UserError
        If one is missing, stands twice, or is a list or an object.
    """
    ids = [_id(value) for value in values]
    without = [row for row, name in enumerate(ids) if name is None]
    if without:
        raise UserError(f"{rows_said(without)} of {where} has no id in {column}: give each row one of its own")
    first: dict[str | None, int] = {}
    for row, name in enumerate(ids):
        if first.setdefault(name, row) != row:
            raise UserError(
                f"rows {first[name] + 1} and {row + 1} of {where} have one id, {names.cut(name)}: give each row one "
                "of its own"
            )
    return [name for name in ids if name is not None]


def _id(value: Any) -> str | None:
    if isinstance(value, list | tuple | dict | bytes) or value is None or value != value:
        return None
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value).strip() or None


def _is_fixed(kind: Any) -> bool:
    import pyarrow as pa

    fixed: bool = pa.types.is_fixed_size_list(kind)
    return fixed


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").removesuffix("\n").split("\n")
    except (UnicodeDecodeError, OSError) as error:
        raise UserError(f"encoder.ids={path} cannot be read as UTF-8 text ({error}): write one id a line") from error


def _id_array(path: Path) -> list[Any]:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError, SyntaxError) as error:
        raise UserError(
            f"encoder.ids={path} cannot be read as an array of ids: save numbers or text (numpy's str), or one id a "
            "line in a .txt"
        ) from error
    if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype.kind not in "iuU":
        raise UserError(
            f"encoder.ids={path} must hold one whole number or text a row: save them so, or one id a line in a .txt"
        )
    values: list[Any] = array.tolist()
    return values
