"""Files that are either whole or absent, whatever kills the writer."""

import fnmatch
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EEXIST, EINVAL
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
OLD_ENDING = f".old{TEMPORARY_ENDING}"  # of a folder that is moved aside for a new one
ATTEMPTS = 5  # to put a folder in a place where others put theirs, too


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
        If the folder or the file cannot be written, e.g. because the disk is full; it names `path`. If a device
        stands there: whoever may write anywhere would put a file in the place of ``/dev/null``.
    """
    if _is_device(path):
        raise FileExistsError(EEXIST, "a device, which no file may replace", str(path))
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

    No system replaces a folder that holds files in one step everywhere. So the old one is moved aside, the new one gets
    its name, and the old one is removed; whoever calls has looked whether it may go. When the block raises, `path` is
    left as it was, and the new folder goes. A kill between the two moves leaves no folder at `path`, and both beside
    it: `finished` ends what was begun, and is to be called before `path` is read. Of what a SIGKILL leaves behind, all
    starts with a dot and ends in ``.tmp``.

    Raises
    ------
    OSError
        If the folder cannot be written; it names `path`.
    """
    path = path.absolute()
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY_ENDING}")
    aside = _aside(temporary)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        finished(path)
        _remove_old_ones(path)
        temporary.mkdir()
        yield temporary
        _flush_folder(temporary)
        _exchange(path, temporary, aside)
    except BaseException as error:
        if aside.exists() and not path.exists():
            os.replace(aside, path)
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, OSError) and (error.errno in OF_THE_DISK or error.filename == str(temporary)):
            error.filename, error.filename2 = str(path), None
        raise


def finished(path: Path) -> Path:
    """End a replacement of a folder that was killed between its two moves.

    Returns
    -------
    Path
        Where the folder is: `path`; or, where nothing may be moved there, the new folder beside it.
    """
    place = path.absolute()
    if place.exists() or place.is_symlink():
        return path
    for aside in _old_ones(place):
        temporary = _new_beside(aside)
        if temporary.is_dir():  # both are there only between the two moves, and the new folder is whole by then
            try:
                os.replace(temporary, place)
            except OSError:
                # Another process may have been quicker; or this one may not write here, e.g. on a mounted image.
                return path if place.exists() else temporary
            shutil.rmtree(aside, ignore_errors=True)
            break
    return path


def _exchange(path: Path, temporary: Path, aside: Path) -> None:
    """Move the old folder aside, give the new one its name, and remove the old one.

    A reader may end it in between, and another writer may be quicker, whose folder is then the old one.
    """
    for attempt in reversed(range(ATTEMPTS)):
        with suppress(FileNotFoundError):
            os.replace(path, aside)
        try:
            os.replace(temporary, path)
        except OSError:
            if not path.exists() or (temporary.exists() and not attempt):
                raise
        shutil.rmtree(aside, ignore_errors=True)
        if not temporary.exists():
            break


def _aside(temporary: Path) -> Path:
    """Where the old folder goes for a moment, by the name of the new one."""
    return temporary.with_name(temporary.name.removesuffix(TEMPORARY_ENDING) + OLD_ENDING)


def _new_beside(aside: Path) -> Path:
    """The new folder for which an old one was moved aside."""
    return aside.with_name(aside.name.removesuffix(OLD_ENDING) + TEMPORARY_ENDING)


def _old_ones(path: Path) -> list[Path]:
    """The folders that were moved aside for a new one at `path`, and are still there."""
    if not path.parent.is_dir():
        return []
    name = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}{re.escape(OLD_ENDING)}")
    return sorted(found for found in path.parent.iterdir() if name.fullmatch(found.name))


def _remove_old_ones(path: Path) -> None:
    """Remove what a kill after the second move left of the old folder."""
    for aside in _old_ones(path):
        if not _new_beside(aside).exists():
            shutil.rmtree(aside, ignore_errors=True)


def _flush_folder(path: Path) -> None:
    """Have the names of a folder's files on the disk, where a system can be told so."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows
        return
    number = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # not on every file system
            os.fsync(number)
    finally:
        os.close(number)


def _is_device(path: Path) -> bool:
    """Whether a device stands at a path, or where it leads to; a pipe in a cache's place is damage, which is mended."""
    return path.is_char_device() or path.is_block_device()


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
