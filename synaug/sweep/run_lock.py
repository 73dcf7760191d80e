"""The lock of a run, and of an experiment's folder: who writes there, on whatever machine."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synaug.files.locks import locked

log = logging.getLogger(__name__)

LOCK = ".lock"


@contextmanager
def claim(folder: Path) -> Iterator[None]:
    """Hold a folder while it is written to; another process that wants it waits, on this machine or another.

    The system's own lock on ``<folder>/.lock``: it ends with its process, however that ends, so there is no
    stale one and no clock to trust. The empty file stays, because removing it would let two processes hold
    two files of one name. On a file system without locks nobody waits: files still appear whole, the last wins.
    """
    path = folder / LOCK
    with locked(path, wait=False) as held:
        if held:
            yield
            return
    log.info("another process is writing there, waiting: %s", folder)
    with locked(path, wait=True):
        yield
