"""Vectors that the user has: of a paid interface, of another program, of anything but a text."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synaug import settings
from synaug.dataset import FileDataset, TextSource
from synaug.dataset.table_file import file_path
from synaug.dataset.vectors import RowVectors
from synaug.encoder.vector_files import ARRAYS, FILES_OF_IDS, TABLES, VectorFile, unique
from synaug.errors import UserError
from synaug.files.digest import array_sha256, json_sha256
from synaug.settings import names

TARGET = "synaug.encoder.PrecomputedVectors"  # whose settings these are


class Aligned(NamedTuple):
    """Vectors in the order of a data set's rows, and the digest of all of them."""

    vectors: RowVectors
    sha256: str


class PrecomputedVectors:
    """A vector for each row of a data set, read from files.

    Nothing is read before it is told the data set (`for_dataset`). What the vectors are decides a run's identity;
    where they lie, in which format and in which order does not.

    Parameters
    ----------
    path
        An ``.npy`` or ``.safetensors`` of shape `[n, d]`, or a ``.parquet`` or ``.jsonl`` with a column of lists; None:
        the data set's own file is one of the latter two.
    column
        Column of the lists; of a safetensors with several tensors, the tensor's name.
    id
        Column of the data set's file that names its rows. The vectors' ids stand in the column of the same name, or in
        the file `ids`. None: the first vector is the first row's, and so on.
    ids
        For an ``.npy`` or ``.safetensors``: its ids, a ``.txt`` of one a line or a one-dimensional ``.npy``.
    normalize
        Scale each vector to Euclidean length 1.
    name
        What reports call the encoder; None: by its option.
    """

    def __init__(
        self,
        *,
        path: str | None = None,
        column: Any = "embedding",
        id: Any = None,
        ids: str | None = None,
        normalize: bool = False,
        name: str | None = None,
    ) -> None:
        given = {"path": path, "column": column, "id": id, "ids": ids, "normalize": normalize, "name": name}
        settings.require("encoder", settings.OF_A_TARGET[TARGET], given)
        self.path = None if path is None else file_path("encoder.path", path, (*ARRAYS, *TABLES))
        self.column = str(column)
        self.id = id
        self.ids = None if ids is None else file_path("encoder.ids", ids, FILES_OF_IDS)
        self.normalize = normalize
        self.dataset: TextSource | None = None
        is_array = self.path is not None and self.path.suffix.lower() in ARRAYS
        if ids is not None and id is None:
            raise UserError(
                f"encoder.ids={ids} needs encoder.id=..., the column of the data set's file that has the same ids"
            )
        if ids is not None and not is_array:
            raise UserError(
                f"encoder.ids={ids} is for an .npy or .safetensors: leave it out, as the vectors' own file has the "
                f"column {id!r}"
            )
        if id is not None and is_array and ids is None:
            raise UserError(
                f"encoder.id={id} needs the ids of the vectors in {path}: give encoder.ids=FILE, one a line of a .txt "
                "or a one-dimensional .npy"
            )

    def for_dataset(self, dataset: TextSource) -> "PrecomputedVectors":
        """The same, of the rows of a data set."""
        told = copy.copy(self)
        told.dataset = dataset
        return told

    def look(self) -> None:
        """Read the vectors and hold them to the rows; before the data set is known, nothing.

        Raises
        ------
        UserError
            If they cannot be read, are no embeddings, or do not fit the rows.
        """
        if self.dataset is not None:
            self._aligned()

    def source(self) -> str:
        """Digest of the vectors, in the order of the rows."""
        return f"vectors:sha256:{self._aligned().sha256}"

    def identity(self) -> dict[str, Any]:
        """What decides the numbers: all vectors, and their scale."""
        return {"vectors_sha256": self._aligned().sha256, "normalize": self.normalize}

    def vectors(self) -> RowVectors:
        """The vectors of all rows that the data set reads, in their order."""
        vectors = self._aligned().vectors
        return replace(vectors, rows=self.scaled(vectors.rows))

    def scaled(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors as a run trains on them, also those of other rows: of length 1 with `normalize`, else as they are.

        Parameters
        ----------
        rows
            float32 `[n, d]`.
        """
        return of_length_1(rows) if self.normalize else rows

    def encode(
        self, texts: Sequence[str], progress: Callable[[int], object] = lambda done: None
    ) -> NDArray[np.float32]:
        """Refuse: nobody can make more such vectors here.

        Raises
        ------
        UserError
            Always.
        """
        raise UserError(
            f"encoder=precomputed has vectors of the data set's rows alone, and none of {len(texts):,} other texts: "
            "choose an encoder that reads texts, or leave out what adds texts"
        )

    def _aligned(self) -> Aligned:
        """Read everything and bring it in order; a process does so once for as long as the files stay as they are."""
        dataset = self.dataset
        if dataset is None:  # whatever has texts alone, as an external check
            raise UserError(
                "encoder=precomputed has vectors of a data set's rows alone: choose an encoder that reads texts"
            )
        file = self._file(dataset)
        is_file = isinstance(dataset, FileDataset)
        content = (file.digests(), dataset.source() if is_file or self.id is not None else "")
        return _read(_Job(file, dataset, self.id, json_sha256([list(content[0]), content[1]])))

    def _file(self, dataset: TextSource) -> VectorFile:
        if self.id is not None and not isinstance(dataset, FileDataset):
            raise UserError(
                f"encoder.id={self.id} names a column of a file of your own, as dataset=files reads: with this data "
                "set, give vectors in the order of its rows and leave encoder.id out"
            )
        if self.path is not None:
            return VectorFile(self.path, "encoder.path", self.column, self.id, self.ids)
        if not isinstance(dataset, FileDataset):
            raise UserError(
                "encoder.path is required, as the data set has no vectors of its own: give encoder.path=FILE"
            )
        path = dataset.file.path
        if path.suffix.lower() not in TABLES:
            raise UserError(
                f"{path} cannot hold vectors, as only {' and '.join(TABLES)} have columns of lists: convert it, or "
                "give the vectors in a file of their own, encoder.path=FILE"
            )
        return VectorFile(path, "dataset.path", self.column)


def of_length_1(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale vectors `[n, d]` to Euclidean length 1; zeros stay."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (rows / np.where(norms > 0, norms, 1)).astype(np.float32, copy=False)
    return unit


def scaled_as(settings: Mapping[str, Any], rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors that somebody brings to a model, as the run that it was fitted from scaled its own.

    Parameters
    ----------
    settings
        Of the run's encoder. Vectors of one that makes them itself come from it, and are as it has made them.
    rows
        float32 `[n, d]`.
    """
    return of_length_1(rows) if settings.get("_target_") == TARGET and settings.get("normalize") else rows


class _Job:
    """What is read, known by the files' content."""

    def __init__(self, file: VectorFile, dataset: TextSource, id: Any, content: str) -> None:
        self.file = file
        self.dataset = dataset
        self.id = id
        table = dataset.file if isinstance(dataset, FileDataset) else None
        reading = None if table is None else (table.separator, table.quoting, str(dataset.label))
        self.key = (str(file), file.column, str(id), str(file.ids), dataset.where, reading, content)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Job) and self.key == other.key


@lru_cache(maxsize=1)  # the matrix may be large
def _read(job: _Job) -> Aligned:
    read, dataset, file = job.file.read(), job.dataset, job.file
    rows, absent = read.rows, read.absent
    ids = None
    if job.id is not None:
        assert isinstance(dataset, FileDataset)
        ids = unique(dataset.column(job.id, "encoder", "id"), f"column {job.id!r}", dataset.where)
    if ids is not None and read.ids is not None:
        place = {name: row for row, name in enumerate(read.ids)}
        places = np.array([place.get(name, -1) for name in ids], dtype=np.int64)
        if len(places) and (places < 0).all():
            raise UserError(
                f"no id of {dataset.where} (the first is {names.cut(ids[0])}) stands in {file.ids or file} (the first "
                f"there is {names.cut(read.ids[0])}): give ids that are the same in both"
            )
        missing = places < 0
        rows, absent = rows[places], absent[places] | missing
        rows[missing] = 0
    else:
        n = dataset.count()
        if n is not None and n != len(rows):
            raise UserError(
                f"{file} has {len(rows):,} vectors for the {n:,} rows of {dataset.where}, but each row needs one: "
                "give the vectors of these rows, or match them by name with encoder.id"
            )
    rows.flags.writeable = False
    digest = json_sha256([list(rows.shape), array_sha256(rows), np.flatnonzero(absent).tolist()])
    return Aligned(RowVectors(rows, absent, str(file), ids), digest)
