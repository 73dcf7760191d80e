"""A sign of life where something takes its time and has nothing else to show for it."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from synaug.files.escaping import wrapped

FIRST_SECONDS = 5.0


@contextmanager
def busy(doing: str) -> Iterator[None]:
    """Say on stderr that a block still runs, after 5, 10, 20, 40 … seconds; a quick one says nothing.

    Parameters
    ----------
    doing
        What the block does: ``drawing figures``.
    """
    over, started = threading.Event(), time.monotonic()

    def tell() -> None:
        pause = FIRST_SECONDS
        while not over.wait(pause):
            pause = time.monotonic() - started
            sys.stderr.write(wrapped(f"still {doing} ({pause:.0f} s so far)\n"))
            sys.stderr.flush()

    teller = threading.Thread(target=tell, daemon=True, name="synaug-busy")
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join()
