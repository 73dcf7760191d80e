"""SHA-256 of files, texts, arrays and settings: what identifies a result."""

import hashlib
import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray


@lru_cache(maxsize=256)
def _file_sha256(path: str, size: int, modified_ns: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_sha256(path: Path) -> str:
    """Digest of a file's bytes; read once per process and version of the file."""
    stat = path.stat()
    return _file_sha256(str(path.resolve()), stat.st_size, stat.st_mtime_ns)


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
