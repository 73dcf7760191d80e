"""Files that are either whole or absent, whatever kills the writer."""

import fnmatch
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EINVAL
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from synaug.errors import OF_THE_DISK

try:
    import fcntl

    HAS_LOCKS = True
except ImportError:  # Windows, which lets nobody remove a file that is open
    HAS_LOCKS = False

TEMPORARY_ENDING = ".tmp"


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path` that takes its place once the block ends well.

    The bytes reach the disk before the rename, so a reader (also one after a power cut) finds the
    old file or the new one, never half of one. When the block raises, `path` is left as it was and
    the temporary file goes; one that a SIGKILL leaves behind starts with a dot, ends in ``.tmp``
    and is never read. Its lock, which ends with the writer, tells others that it is being written.

    Raises
    ------
    OSError
        If the folder or the file cannot be written, e.g. because the disk is full; it names `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not mkstemp, whose mode 0600 would hide a shared cache from others.
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY_ENDING}")
    try:
        with open(temporary, "xb") as file:
            _lock(file)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        # An error of write() does not name the file.
        if isinstance(error, OSError) and (error.errno in OF_THE_DISK or error.filename == str(temporary)):
            error.filename, error.filename2 = str(path), None
        raise


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give a new folder beside `path` that takes its place once the block ends well.

    When the block raises, `path` is left as it was, and the new folder goes. A folder that stands there already is
    moved aside, and removed once the new one has its name; whoever calls has looked whether it may go. What a SIGKILL
    leaves behind starts with a dot and ends in ``.tmp``.

    Raises
    ------
    OSError
        If the folder cannot be written; it names `path`.
    """
    path = path.absolute()
    temporary, aside = (
        path.with_name(f".{path.name}.{secrets.token_hex(4)}{ending}{TEMPORARY_ENDING}") for ending in ("", ".old")
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        yield temporary
        if path.exists():
            os.replace(path, aside)
        os.replace(temporary, path)
        shutil.rmtree(aside, ignore_errors=True)
    except BaseException as error:
        if aside.exists() and not path.exists():
            os.replace(aside, path)
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError) and (error.errno in OF_THE_DISK or error.filename == str(temporary)):
            error.filename, error.filename2 = str(path), None
        raise


def open_regular(path: Path) -> BufferedReader:
    """Open a file to read; anything else is not even opened, as opening a pipe would block.

    Raises
    ------
    OSError
        If it is no regular file, or cannot be opened.
    """
    check_regular(path)
    return path.open("rb")


def check_regular(path: Path) -> None:
    """Raise OSError where a path is no regular file: a folder, a pipe, a device, a link to nowhere."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(EINVAL, "no regular file", str(path))


def put_away(path: Path) -> None:
    """Make room for a file of this name: a damaged one goes, but a folder, which may hold others' files, only moves."""
    if path.is_dir() and not path.is_symlink():
        path.rename(path.with_name(f".{path.name}.{secrets.token_hex(4)}.damaged"))
    else:
        path.unlink(missing_ok=True)


def files_below(folder: Path, pattern: str) -> list[Path]:
    """Files whose names are of a pattern, anywhere below a folder, in order.

    Folders that somebody removes meanwhile, as a sweep that ends does, are passed over; `pathlib` would raise.
    """
    return sorted(Path(at, name) for at, _, names in os.walk(folder) for name in fnmatch.filter(names, pattern))


def is_abandoned(temporary: Path) -> bool:
    """Whether nobody is writing a temporary file any more, on whatever host; no clock is asked.

    Where the file system has no locks that cannot be told, and the file counts as being written.

    Raises
    ------
    OSError
        If the file cannot be opened.
    """
    with open(temporary, "r+b") as file:
        return _lock(file)


def _lock(file: BinaryIO) -> bool:
    if not HAS_LOCKS:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
