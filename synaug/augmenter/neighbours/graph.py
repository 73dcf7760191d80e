"""The exact neighbours of a data set's rows, searched once and filtered to each training set.

Splits, ratios and methods ask for neighbours of the same rows again and again, only among other rows each time. So
the graph keeps, for each class of the data set, the nearest rows of that class to whatever row was asked about, with
spare ones; a training set's neighbours are those of them that it holds. Where a training set holds too few of a class
(the minority after thinning), its rows of that class are searched among themselves, once for all methods. Where classes
are many, all rows count as one class.
"""

import io
import logging
import math
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaug.augmenter.neighbours.brute_force import Distances, Ids, Rows, nearest, settle, transformed
from synaug.files.atomic import open_regular, put_away, replacing
from synaug.files.digest import array_sha256, json_sha256
from synaug.files.locks import locked

log = logging.getLogger(__name__)

# With more classes than these, lists of each would be short and many: all rows have their lists together.
MANY_CLASSES = 16
# A training set that holds less than this share of a class would need too many spare neighbours.
LEAST_SHARE = 0.25
# Neighbours kept of each class: enough for 10 + 1 among a quarter of the class's rows, most of the time.
KEPT = 64
# Columns of such lists that are looked at first, beside the fewest that could do.
SPARE_COLUMNS = 8
# With fewer rows than this, searching again is faster than reading the lists.
LEAST_ROWS_ON_DISK = 2048
# One neighbour more than asked for is compared, or a tie at the last place could go unnoticed.
MARGIN = 1


@dataclass
class Lists:
    """The nearest rows of one base to the rows asked about so far.

    Attributes
    ----------
    distances, neighbours
        Squared, float32 `[n, kept]`, and numbers of rows, int32 `[n, kept]`; -1 where the base has no more.
    place
        int32 `[rows of the data set]`: where a row's list stands; -1 if it has none yet.
    """

    distances: Rows
    neighbours: NDArray[np.int32]
    place: NDArray[np.int32]


class NeighbourGraph:
    """Exact neighbours of a data set's rows, found as they are asked for and kept.

    Parameters
    ----------
    embeddings
        float32 `[n, d]`.
    labels
        int64 `[n]`.
    metric
        ``euclidean`` or ``cosine``.
    folder
        Where lists are kept for other runs; None keeps them in memory only.
    embeddings_sha256
        Their digest, where it is known already; None has it taken when it is needed.
    """

    def __init__(
        self,
        embeddings: Rows,
        labels: NDArray[np.int64],
        metric: str = "euclidean",
        folder: Path | None = None,
        embeddings_sha256: str | None = None,
    ) -> None:
        self.embeddings = embeddings
        self.labels = labels
        self.metric = metric
        self.folder = folder
        self.flops_done = 0.0
        self._sha256 = embeddings_sha256
        self._lists: dict[str, Lists] = {}
        self._said_damaged = False

    @cached_property
    def _place(self) -> Path | None:
        if self.folder is None:
            return None
        digest = self._sha256 or array_sha256(self.embeddings)
        content = [digest, array_sha256(self.labels), self.metric]
        return self.folder / json_sha256(content)[:16]

    @cached_property
    def _groups(self) -> NDArray[np.int64]:
        """Of each row, whose lists it is in: its class's, or, with many classes, those of all rows."""
        return self.labels if int(self.labels.max()) < MANY_CLASSES else np.zeros_like(self.labels)

    @cached_property
    def _rows_of_group(self) -> list[Ids]:
        return [np.flatnonzero(self._groups == group) for group in range(int(self._groups.max()) + 1)]

    def neighbours(self, queries: Ids, among: Ids, k: int) -> tuple[Distances, Ids]:
        """The `k` rows of `among` nearest to each query.

        Parameters
        ----------
        queries, among
            Numbers of rows of the data set, `[q]` and `[a]`, each ascending. A row is not its own neighbour.
        k
            Neighbours of each.

        Returns
        -------
        distances, neighbours : ndarray
            Squared, float64 `[q, k]`, ascending, and int64 `[q, k]`; infinity and -1 where `among` has no more.
        """
        distances, ids = [], []
        for group, rows_of_group in enumerate(self._rows_of_group):
            present = among[self._groups[among] == group]
            if len(present):
                distances_in_group, ids_in_group = self._of_group(queries, present, rows_of_group, k + MARGIN)
                distances.append(distances_in_group)
                ids.append(ids_in_group)
        joined, numbers = np.hstack(distances), np.hstack(ids)
        order = np.argsort(joined, axis=1, kind="stable")[:, : k + MARGIN]
        joined, numbers = np.take_along_axis(joined, order, 1), np.take_along_axis(numbers, order, 1)
        settle(joined, numbers, transformed(self.take(queries), self.metric), self.take, self.metric)
        return _padded(joined, numbers, k)

    def take(self, rows: Ids) -> Rows:
        """The embeddings of these rows, `[r, d]`."""
        return self.embeddings[rows]

    def _of_group(self, queries: Ids, present: Ids, rows_of_group: Ids, k: int) -> tuple[Distances, Ids]:
        share = len(present) / len(rows_of_group)
        base = rows_of_group if LEAST_SHARE <= share < 1 else present
        kept = min(_power_of_two(k) if base is present else max(KEPT, _power_of_two(2 * k / share)), len(base))
        # Samplers ask class by class; with many classes, all rows are searched for at the first.
        at_once = len(self._rows_of_group) == 1 and np.isin(queries, present, assume_unique=True).all()
        lists = self._known(base, kept, present if at_once else queries)
        places = lists.place[queries]
        if base is present:
            first = lists.distances[places, :k].astype(np.float64), lists.neighbours[places, :k].astype(np.int64)
            return _padded(*first, k)
        return self._filtered(queries, present, lists, places, k, min(math.ceil(k / share) + SPARE_COLUMNS, kept))

    def _filtered(
        self, queries: Ids, present: Ids, lists: Lists, places: NDArray[np.int32], k: int, columns: int
    ) -> tuple[Distances, Ids]:
        """Of each list the first `k` that the training set holds; short ones are searched for.

        Most lists have them in so many first `columns`.
        """
        held = np.zeros(len(self.labels) + 1, dtype=bool)  # one more, for -1
        held[present] = True
        distances = np.full((len(queries), k), np.inf)
        neighbours = np.full((len(queries), k), -1, dtype=np.int64)
        left = np.arange(len(queries))
        for width in (columns, lists.neighbours.shape[1]):
            ids = lists.neighbours[places[left], :width]
            holds = held[ids]
            rank = holds.cumsum(1, dtype=np.int32)
            enough = rank[:, -1] >= k
            chosen = holds & (rank <= k) & enough[:, None]
            rows = left[enough]
            neighbours[rows] = ids[chosen].reshape(-1, k)
            distances[rows] = lists.distances[places[left], :width][chosen].reshape(-1, k)
            left = left[~enough]
        if len(left):
            distances[left], neighbours[left] = self._search(queries[left], present, k)
        return distances, neighbours

    def _search(self, queries: Ids, base: Ids, k: int) -> tuple[Distances, Ids]:
        self.flops_done += 2.0 * len(queries) * len(base) * self.embeddings.shape[1]
        return nearest(self.take, queries, base, k, self.metric)

    def _known(self, base: Ids, kept: int, queries: Ids) -> Lists:
        """The lists of one base, in which all these queries have theirs."""
        key = f"{array_sha256(base.astype(np.int32))[:24]}-{kept}"
        on_disk = self._place is not None and len(base) >= LEAST_ROWS_ON_DISK
        if key not in self._lists:
            none = np.zeros((0, kept), np.float32), np.zeros((0, kept), np.int32)
            self._lists[key] = Lists(*none, np.full(len(self.labels), -1, np.int32))
            if on_disk:
                self._lists[key] = self._read(key, self._lists[key])
        lists = self._lists[key]
        if (lists.place[queries] < 0).any():
            with self._alone(key) if on_disk else nullcontext():
                if on_disk:
                    lists = self._read(key, lists)  # another process may have had the same question
                missing = queries[lists.place[queries] < 0]
                if len(missing):
                    distances, ids = self._search(missing, base, kept)
                    searched = missing.astype(np.int32), distances.astype(np.float32), ids.astype(np.int32)
                    if on_disk:
                        self._write(key, searched)
                    lists = _with(lists, *searched)
            self._lists[key] = lists
        return lists

    @contextmanager
    def _alone(self, key: str) -> Iterator[None]:
        """Let one process search while others wait; where the file system has no locks, each searches for itself."""
        assert self._place is not None
        with ExitStack() as stack:
            with suppress(OSError):  # a folder that cannot be written needs no lock
                stack.enter_context(locked(self._place / f"{key}.lock", wait=True))
            yield

    def _read(self, key: str, lists: Lists) -> Lists:
        assert self._place is not None
        kept = lists.neighbours.shape[1]
        for path in sorted(self._place.glob(f"{key}-*.npz")):
            try:
                # A zip, opened here, because numpy leaves a damaged one open.
                with open_regular(path) as opened, np.load(opened, allow_pickle=False) as file:
                    read = file["rows"], file["distances"], file["neighbours"]
                    self._check(*read, kept, str(file["sha256"]))
                lists = _with(lists, *read)
            except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile, MemoryError) as error:
                level = logging.DEBUG if self._said_damaged else logging.WARNING
                self._said_damaged = True  # once, however many files
                log.log(
                    level,
                    "the cached neighbours %s are damaged or old and will be searched for again (%s)",
                    path,
                    error,
                )
                with suppress(OSError):
                    put_away(path)
        return lists

    def _check(
        self, rows: NDArray[np.int32], distances: Rows, neighbours: NDArray[np.int32], kept: int, sha256: str
    ) -> None:
        """Raise ValueError where a file holds anything but what `_write` wrote."""
        n, shape = len(self.labels), (len(rows), kept)
        if [array.dtype.name for array in (rows, distances, neighbours)] != ["int32", "float32", "int32"]:
            raise ValueError("types differ")
        if rows.ndim != 1 or distances.shape != shape or neighbours.shape != shape:
            raise ValueError("shapes differ")
        if _lists_sha256(rows, distances, neighbours) != sha256:
            raise ValueError("its checksum differs")
        if not (((rows >= 0) & (rows < n)).all() and ((neighbours >= -1) & (neighbours < n)).all()):
            raise ValueError("it names rows that are not there")
        if np.isnan(distances).any() or (distances < 0).any():
            raise ValueError("it holds numbers that are no distances")

    def _write(self, key: str, searched: tuple[NDArray[np.int32], Rows, NDArray[np.int32]]) -> None:
        assert self._place is not None
        rows, distances, ids = searched
        buffer = io.BytesIO()
        sha256 = np.array(_lists_sha256(*searched))
        np.savez(buffer, allow_pickle=False, rows=rows, distances=distances, neighbours=ids, sha256=sha256)
        path = self._place / f"{key}-{array_sha256(rows)[:16]}.npz"
        try:
            with replacing(path) as file:
                file.write(buffer.getbuffer())
        except OSError as error:  # this run has the lists; another one must search again
            log.warning("neighbours are not kept for other runs: %s: %s", error.filename, error.strerror)


def _lists_sha256(*arrays: NDArray[Any]) -> str:
    return json_sha256([array_sha256(array) for array in arrays])


def _with(lists: Lists, rows: NDArray[np.int32], distances: Rows, ids: NDArray[np.int32]) -> Lists:
    new = lists.place[rows] < 0
    if not new.any():
        return lists
    place = lists.place.copy()
    place[rows[new]] = len(lists.distances) + np.arange(int(new.sum()), dtype=np.int32)
    return Lists(np.concatenate([lists.distances, distances[new]]), np.concatenate([lists.neighbours, ids[new]]), place)


def _padded(distances: Distances, ids: Ids, k: int) -> tuple[Distances, Ids]:
    """The first `k` columns, with infinity and -1 where there are fewer."""
    lack = k - distances.shape[1]
    if lack <= 0:
        return distances[:, :k], ids[:, :k]
    return np.pad(distances, ((0, 0), (0, lack)), constant_values=np.inf), np.pad(
        ids, ((0, 0), (0, lack)), constant_values=-1
    )


def _power_of_two(least: float) -> int:
    return 1 << max(math.ceil(math.log2(max(least, 1))), 4)
