"""What ends the program from outside: Ctrl-C, a container's stop, a preemption, a closed terminal."""

import _thread
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

MOMENT_SECONDS = 0.05
# SIGHUP is unknown to Windows.
ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Terminated(BaseException):
    """The process was asked to end by a signal. Like KeyboardInterrupt, no error that somebody should handle.

    Attributes
    ----------
    number
        The signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def exit_code(self) -> int:
        """What a shell reports of a process that the signal ended, e.g. 143 for SIGTERM."""
        return 128 + self.number


@contextmanager
def terminable() -> Iterator[None]:
    """Raise `Terminated` in the main thread where a signal asks the process to end; the old handlers come back after.

    Lightning calls a handler that it finds before it answers by a SystemExit of its own, which would pass for success.
    Once is enough: what is still to be written must not be interrupted by the next signal. Where one is heard in a
    destructor, Python ignores what is raised there: then the process is asked again, a moment later.
    """
    if threading.current_thread() is not threading.main_thread():  # only there can handlers be set
        yield
        return
    before = {number: signal.getsignal(number) for number in ENDING}

    def end(number: int, frame: FrameType | None) -> None:
        for ending in ENDING:
            signal.signal(ending, signal.SIG_IGN)
        raise Terminated(number)

    def listen() -> None:
        for number in ENDING:
            if before[number] is not signal.SIG_IGN:  # nohup
                signal.signal(number, end)

    hook, timers = sys.unraisablehook, list[threading.Timer]()

    def ask_again(ignored: Any) -> None:
        error = ignored.exc_value
        if not isinstance(error, KeyboardInterrupt | Terminated):
            hook(ignored)
            return
        listen()
        number = error.number if isinstance(error, Terminated) else signal.SIGINT
        timers.append(threading.Timer(MOMENT_SECONDS, _ask, (number,)))
        timers[-1].daemon = True
        timers[-1].start()

    listen()
    sys.unraisablehook = ask_again
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for timer in timers:
            timer.cancel()
        for number, handler in before.items():
            if handler is not None:  # else it was not set by Python, and cannot be
                signal.signal(number, handler)


def _ask(number: int) -> None:
    """Send this process a signal; on Windows `os.kill` would end it, and only Python is told."""
    if os.name == "posix":
        os.kill(os.getpid(), number)  # also wakes the main thread where it waits
    else:
        _thread.interrupt_main(signal.Signals(number))


def die_by_signals() -> None:
    """In a worker of a launcher: die at once, as without Lightning, so that whoever waits for the process sees it."""
    if threading.current_thread() is not threading.main_thread():
        return

    def die(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    for number in ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:  # Ray's and submitit's workers have their own
            signal.signal(number, die)


def behind(error: BaseException) -> KeyboardInterrupt | Terminated | None:
    """The interruption that another error came of, or None.

    Lightning turns a KeyboardInterrupt into a SystemExit; an import that is interrupted may end in an ImportError, and
    a library's C code in a SystemError.
    """
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        known = left.pop()
        if known is None or id(known) in seen:
            continue
        if isinstance(known, KeyboardInterrupt | Terminated):
            return known
        seen.add(id(known))
        left += [known.__context__, known.__cause__]  # an error with a cause may have come up while another was handled
    return None
