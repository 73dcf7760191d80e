"""What is being done: a sign of life where it takes its time and has nothing else to show for it."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from synaug.files.escaping import wrapped

FIRST_SECONDS = 5.0

# What this process is doing, the innermost last.
_under_way: list[str] = []


def under_way() -> str | None:
    """What the process is doing at the moment, as far as it is known: ``drawing figures``."""
    return next(reversed(_under_way), None)


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Note what a block does, for whoever asks what is `under_way`."""
    _under_way.append(what)
    try:
        yield
    finally:
        _under_way.remove(what)


@contextmanager
def busy(what: str) -> Iterator[None]:
    """Say on stderr that a block still runs, after 5, 10, 20, 40 … seconds; a quick one says nothing.

    Parameters
    ----------
    what
        What the block does: ``drawing figures``.
    """
    over, started = threading.Event(), time.monotonic()

    def tell() -> None:
        pause = FIRST_SECONDS
        while not over.wait(pause):
            pause = time.monotonic() - started
            sys.stderr.write(wrapped(f"still {what} ({pause:.0f} s so far)\n"))
            sys.stderr.flush()

    teller = threading.Thread(target=tell, daemon=True, name="synaug-busy")
    teller.start()
    try:
        with doing(what):
            yield
    finally:
        over.set()
        teller.join()
