"""Chunks of embeddings on disk: arrays with a manifest each, checked before a row is taken."""

import hashlib
import io
import logging
from collections import Counter
from collections.abc import Container, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaug.files import checked_json
from synaug.files.atomic import check_regular, put_away, replacing
from synaug.files.digest import file_sha256, json_sha256

log = logging.getLogger(__name__)

MANIFEST_ENDING = ".chunk.json"
# What reading a file that somebody altered may raise.
DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


class CachedChunks:
    """The chunks in a folder that hold texts somebody wants, each checked once.

    Parameters
    ----------
    folder
        One encoder's cache.
    identity
        The encoder's.
    wanted
        Digests of the texts; chunks without any of them are left unread.
    """

    def __init__(self, folder: Path, identity: dict[str, Any], wanted: Container[str]) -> None:
        self.folder = folder
        self.identity = identity
        self.wanted = wanted
        self.row_of: dict[str, tuple[Path, int]] = {}
        self._seen: set[str] = set()
        self._width_of: dict[Path, int] = {}

    def hold(self, digests: Sequence[str]) -> bool:
        """Whether all these texts were found."""
        return all(digest in self.row_of for digest in digests)

    def add(self, path: Path, digests: Sequence[str], width: int) -> None:
        """Note a sound chunk, whose rows it has, and how wide they are."""
        self._width_of[path] = width
        self.row_of.update({digest: (path, row) for row, digest in enumerate(digests)})
        self._seen.add(path.stem)

    def add_encoded(self, path: Path, digests: Sequence[str], width: int) -> None:
        """Note a chunk that the encoder just wrote, and put away cached chunks of another width: not its own."""
        self.add(path, digests, width)
        self._keep_width(width)

    def look(self) -> None:
        """Read the chunks that came since the last look; put damaged ones away."""
        for manifest_path in sorted(self.folder.glob(f"*{MANIFEST_ENDING}")):
            name = manifest_path.name.removesuffix(MANIFEST_ENDING)
            if name in self._seen:
                continue
            path = self.folder / f"{name}.npy"
            try:
                manifest = checked_json.read(manifest_path)
                if json_sha256(manifest["encoder"]) != json_sha256(self.identity):
                    raise ValueError("another encoder made it")
                if any(digest in self.wanted for digest in manifest["texts"]):
                    width = _check_chunk(path, manifest)
                    self.add(path, manifest["texts"], width)
                self._seen.add(name)
            except DAMAGE as error:
                self._give_up(path, str(error))
        by_width = Counter(self._width_of[path] for path, _ in self.row_of.values())
        if len(by_width) > 1:  # each is sound, but they are not of one encoder
            self._keep_width(max(by_width, key=lambda width: by_width[width]))

    def _keep_width(self, width: int) -> None:
        for path in sorted({path for path, _ in self.row_of.values() if self._width_of[path] != width}):
            self._give_up(path, f"rows of {self._width_of[path]} numbers where the encoder's have {width}")

    def _give_up(self, path: Path, why: str) -> None:
        log.warning("the cached embeddings %s are damaged and will be made again (%s)", path, why)
        self.row_of = {digest: place for digest, place in self.row_of.items() if place[0] != path}
        with suppress(OSError):  # if the cache is read-only, writing the new chunk will say so
            _put_away(path.with_suffix(MANIFEST_ENDING), path)

    def gather(self, digests: Sequence[str]) -> NDArray[np.float32]:
        """Copy the rows of these texts out of the memory-mapped chunks, float32 `[n, d]`."""
        places: dict[Path, tuple[list[int], list[int]]] = {}
        for position, digest in enumerate(digests):
            path, row = self.row_of[digest]
            positions, rows = places.setdefault(path, ([], []))
            positions.append(position)
            rows.append(row)
        width = read_array(next(iter(places))).shape[1]
        gathered = np.empty((len(digests), width), dtype=np.float32)
        for path, (positions, rows) in places.items():
            gathered[positions] = read_array(path)[rows]
        return gathered

    def files(self, digests: Sequence[str]) -> list[Path]:
        """Arrays and manifests of the chunks that hold these texts."""
        arrays = {self.row_of[digest][0] for digest in digests}
        return sorted([*arrays, *(path.with_suffix(MANIFEST_ENDING) for path in arrays)])


def write_chunk(
    folder: Path, identity: dict[str, Any], digests: Sequence[str], embeddings: NDArray[np.float32]
) -> Path:
    """Write the array and then its manifest, without which it does not count.

    Raises
    ------
    OSError
        If either cannot be written; it names the file, and neither stays.
    """
    buffer = io.BytesIO()  # np.save straight into a file hides the system's own error when the disk is full
    np.save(buffer, embeddings, allow_pickle=False)
    manifest = {
        "encoder": identity,
        "texts": list(digests),
        "shape": list(embeddings.shape),
        "npy_sha256": hashlib.sha256(buffer.getbuffer()).hexdigest(),
    }
    path = folder / f"{json_sha256(manifest)[:32]}.npy"
    with replacing(path) as file:
        file.write(buffer.getbuffer())
    try:
        checked_json.write(path.with_suffix(MANIFEST_ENDING), manifest)
    except OSError:
        with suppress(OSError):  # it would fill a disk that is full, and nobody would read it
            path.unlink()
        raise
    return path


def read_array(path: Path) -> NDArray[np.float32]:
    """Memory-map a ``.npy`` file, read-only; never a pickle, never a zip."""
    return np.lib.format.open_memmap(path, mode="r")


def sha256_of(path: Path) -> str:
    """SHA-256 of an array's file.

    Raises
    ------
    OSError
        If it is no regular file, or cannot be read.
    """
    check_regular(path)
    return file_sha256(path)


def _check_chunk(path: Path, manifest: dict[str, Any]) -> int:
    """Raise where a chunk is not what was written, or what no encoder makes; else the rows' width."""
    # Check the bytes first, so that numpy never parses a header that was not written here.
    if sha256_of(path) != manifest["npy_sha256"]:
        raise ValueError("its checksum differs")
    rows = read_array(path)
    if rows.dtype != np.float32 or list(rows.shape) != manifest["shape"] or len(rows) != len(manifest["texts"]):
        raise ValueError(f"shape {rows.shape} of {rows.dtype} where {manifest['shape']} of float32 was written")
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise ValueError("its rows hold NaN or infinity" if rows.ndim == 2 else f"its shape is {rows.shape}")
    return int(rows.shape[1])


def _put_away(manifest: Path, array: Path) -> None:
    """Make room for a chunk of the same name: its file is replaced by its successor, but a folder must move."""
    if array.is_dir():
        put_away(array)
    put_away(manifest)
