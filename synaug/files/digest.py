"""SHA-256 of files, texts, arrays and settings: what identifies a result."""

import hashlib
import json
import time
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


# A file that changed so recently may change again without its times showing it.
UNSETTLED_NANOSECONDS = 2 * 10**9

Stamp = tuple[int, int, int]


def stamp_of(path: Path) -> Stamp | None:
    """Size and times of a file; None if it changed so recently that they might not show the next change.

    The last of the times is that of a change to the file's state, which nobody can set.
    """
    stat = path.stat()
    age = time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns)
    return (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) if age > UNSETTLED_NANOSECONDS else None


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes; a process reads them once for as long as the file's stamp stays the same."""
    stamp = stamp_of(path)
    return _read_sha256(path) if stamp is None else _stamped_sha256(path.resolve(), stamp)


@lru_cache(maxsize=1 << 14)
def _stamped_sha256(path: Path, stamp: Stamp) -> str:
    return _read_sha256(path)


def _read_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def files_sha256(paths: Iterable[Path], root: Path) -> str:
    """Digest of several files' bytes and of their names below `root`."""
    names = [(path.relative_to(root).as_posix(), file_sha256(path)) for path in sorted(paths)]
    return json_sha256(names)


def text_sha256(text: str) -> str:
    """Digest of a text's UTF-8 bytes; lone surrogates, which UTF-8 cannot hold, pass too."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def array_sha256(array: "NDArray[Any]") -> str:
    """Digest of an array's bytes in C order."""
    return hashlib.sha256(array.data if array.flags.c_contiguous else array.tobytes()).hexdigest()


def json_sha256(value: Any) -> str:
    """Digest of anything JSON can hold; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
