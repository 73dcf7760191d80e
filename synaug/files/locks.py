"""Locks between processes, wherever the file system has them."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EINVAL, ENOLCK, ENOSYS, ENOTSUP, EOPNOTSUPP
from pathlib import Path

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)

# Error numbers of a shared folder whose server has no locks.
NO_LOCKS = (EINVAL, ENOLCK, ENOSYS, ENOTSUP, EOPNOTSUPP)
_said: set[str] = set()  # warnings of missing locks that this process has given


@contextmanager
def locked(path: Path, *, wait: bool) -> Iterator[bool]:
    """Hold a lock file while the block runs, or say that another process does.

    Where the file system has no locks, everybody gets one, after a warning: then work may be done
    twice, and since files appear by a rename, nothing worse comes of it.

    Parameters
    ----------
    path
        Of the lock file, whose folder is made.
    wait
        For another process to let go; else False is given at once.

    Raises
    ------
    OSError
        If the file cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # filelock's fallback is a plain file, which outlives a killed process and would block for ever.
    lock = FileLock(path, fallback_to_soft=False)
    held = True
    try:
        lock.acquire(timeout=-1 if wait else 0)
    except Timeout:
        held = False
    except (OSError, NotImplementedError) as error:
        if isinstance(error, OSError) and error.errno not in NO_LOCKS:
            raise
        if str(error) not in _said:
            _said.add(str(error))
            log.warning(
                "%s has no file locks (%s): processes may do the same work twice, "
                "so fill the cache with one process first (synaug embed)",
                path.parent,
                error,
            )
    try:
        yield held
    finally:
        lock.release()
