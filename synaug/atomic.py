"""Files that are either whole or absent, whatever kills the writer."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path` that takes its place once the block ends well.

    The bytes reach the disk before the rename, so a reader (also one after a power cut) finds the
    old file or the new one, never half of one. When the block raises, `path` is left as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)  # mkstemp's 0600 would hide a shared cache from others
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
