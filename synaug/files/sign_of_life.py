"""What is being done: a sign of life where it takes its time and has nothing else to show for it."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from synaug.files.escaping import wrapped

FIRST_SECONDS = 5.0
LONGEST_PAUSE = 30.0  # seconds: whoever waits longer takes a program for dead


def pause_after(seconds: float) -> float:
    """How many seconds after a line the next one comes: as many as there were before it, up to `LONGEST_PAUSE`."""
    return min(seconds, LONGEST_PAUSE)


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
    """Say on stderr that a block still runs, after 5, 10, 20 and 40 seconds, then every 30; a quick one says nothing.

    Parameters
    ----------
    what
        What the block does: ``drawing figures``.
    """
    over, started = threading.Event(), time.monotonic()

    def tell() -> None:
        pause = FIRST_SECONDS
        while not over.wait(pause):
            so_far = time.monotonic() - started
            pause = pause_after(so_far)
            sys.stderr.write(wrapped(f"still {what} ({so_far:.0f} s so far)\n"))
            sys.stderr.flush()

    teller = threading.Thread(target=tell, daemon=True, name="synaug-busy")
    teller.start()
    try:
        with doing(what):
            yield
    finally:
        over.set()
        teller.join()
