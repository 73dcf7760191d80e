"""What ends the program from outside: Ctrl-C, a container's stop, a preemption, a closed terminal."""

import _thread
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

from synaug.files import sign_of_life
from synaug.files.escaping import wrapped

MOMENT_SECONDS = 0.05
# A signal that comes so soon after the first is the same request: whoever starts programs may send one to a process
# and to its group.
AT_ONCE_SECONDS = 0.5
# SIGHUP is unknown to Windows.
ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
CTRL_C = "Ctrl-C"

# How many of the signals that are on their way this process sent to itself.
_own = 0


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


class Listener:
    """Hears the signals that ask the process to end, says at once that it has, and raises where the main thread can.

    What Python calls for a signal waits for the main thread, which may be within a library's C code for many seconds.
    Hence a thread of its own says what was heard: Python writes each signal's number into a socket at once
    (`signal.set_wakeup_fd`).

    Parameters
    ----------
    ends_process
        Whether Ctrl-C or SIGTERM ends the process at once when it comes again. Otherwise it raises again.
    """

    def __init__(self, ends_process: bool) -> None:
        self.ends_process = ends_process
        self._before = {number: signal.getsignal(number) for number in (signal.SIGINT, *ENDING)}
        self._heeded: set[int] = {
            number for number, handler in self._before.items() if _is_ours_to_take(number, handler)
        }
        self._raised = False
        self._interrupted: str | None = None  # what was under way: it may have ended by the time that this is told
        self._first: float | None = None
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._wakeup_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._teller = threading.Thread(target=self._tell, daemon=True, name="synaug-signals")
        self._teller.start()

    def listen(self) -> None:
        """Raise at the next signal."""
        self._raised, self._interrupted = False, None
        self.restore()

    def restore(self) -> None:
        """Be the one whom Python calls, also where a library has become it meanwhile."""
        for number in self._heeded:
            signal.signal(number, self._heed)

    def stop(self) -> None:
        """Put back what was there before."""
        for number in self._heeded:
            signal.signal(number, self._before[number])
        signal.set_wakeup_fd(self._wakeup_before)
        # Not by closing alone: a forked child holds a copy of the socket for as long as it lives.
        self._writer.shutdown(socket.SHUT_WR)
        self._writer.close()
        self._teller.join()
        self._reader.close()

    def _heed(self, number: int, frame: FrameType | None) -> None:
        """Once is enough: what is still to be written must not be interrupted by the next signal."""
        if self._raised and (self.ends_process or number != signal.SIGINT):
            return
        self._raised = True
        self._interrupted = sign_of_life.under_way()
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise Terminated(number)

    def _tell(self) -> None:
        global _own
        while numbers := self._reader.recv(64):
            for number in numbers:
                if _own:
                    _own -= 1
                elif number not in self._heeded:  # of a handler that somebody else has set
                    continue
                elif self._first is None:
                    self._first = time.monotonic()
                    _say(self._sentence(number))
                elif self.ends_process and time.monotonic() - self._first > AT_ONCE_SECONDS:
                    _end(number)

    def _sentence(self, number: int) -> str:
        doing = self._interrupted or sign_of_life.under_way()
        waits = f"synaug is still {doing}, and stops as soon as it can" if doing else "synaug is stopping"
        again = f"{CTRL_C} again" if number == signal.SIGINT else f"another one, or {CTRL_C},"
        then = f"; {again} stops it at once" if self.ends_process else ""
        return f"{_name(number)} received: {waits}{then}"


_listener: Listener | None = None


@contextmanager
def terminable(*, ends_process: bool = True) -> Iterator[None]:
    """Raise in the main thread where a signal asks the process to end, and say so at once; the old handlers come back.

    Ctrl-C raises KeyboardInterrupt, SIGTERM and SIGHUP `Terminated`. Lightning calls a handler that it finds before it
    answers by a SystemExit of its own, which would pass for success. Where a signal is heard in a destructor, Python
    ignores what is raised there: then the process is asked again, a moment later.

    Parameters
    ----------
    ends_process
        Whether the second Ctrl-C or SIGTERM ends the process at once; in a notebook the process is the user's. Within
        another such block it does where it does there.
    """
    global _listener
    if threading.current_thread() is not threading.main_thread():  # only there can handlers be set
        yield
        return
    hook, timers = sys.unraisablehook, list[threading.Timer]()

    def ask_again(ignored: Any) -> None:
        error = ignored.exc_value
        if not isinstance(error, KeyboardInterrupt | Terminated):
            hook(ignored)
            return
        listener.listen()
        number = error.number if isinstance(error, Terminated) else signal.SIGINT
        timers.append(threading.Timer(MOMENT_SECONDS, _ask, (number,)))
        timers[-1].daemon = True
        timers[-1].start()

    outer = _listener
    _listener = listener = Listener(ends_process or (outer is not None and outer.ends_process))
    listener.listen()
    sys.unraisablehook = ask_again
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for timer in timers:
            timer.cancel()
        _listener = outer
        listener.stop()


def listen_again() -> None:
    """After a library has taken an interruption for its own: Lightning ignores every further Ctrl-C."""
    if _listener is not None and threading.current_thread() is threading.main_thread():
        _listener.restore()


def interrupt_main() -> None:
    """Raise KeyboardInterrupt in the main thread, for a reason of ours that is told by itself."""
    global _own
    _own += 1
    _thread.interrupt_main()


def _in_a_fork() -> None:
    """Signals of a child that was forked are not its parent's, whose socket it has."""
    if _listener is not None:
        with suppress(ValueError):  # not in the main thread
            signal.set_wakeup_fd(-1)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_in_a_fork)


def _is_ours_to_take(number: int, handler: Callable[..., Any] | int | None) -> bool:
    """Not what is ignored (by nohup, or of a program in the background), and of Ctrl-C nothing that others answer."""
    if number == signal.SIGINT:
        return handler is signal.default_int_handler or isinstance(getattr(handler, "__self__", None), Listener)
    return handler is not signal.SIG_IGN and handler is not None  # None: it was not set by Python, and cannot be


def _name(number: int) -> str:
    return CTRL_C if number == signal.SIGINT else signal.Signals(number).name


def _say(sentence: str) -> None:
    with suppress(OSError, ValueError):  # the terminal is gone, or closed
        sys.stderr.write(wrapped(f"{sentence}\n"))
        sys.stderr.flush()


def _end(number: int) -> NoReturn:
    """End the process and those that it has started, whatever they do: records are whole at any moment."""
    _say(f"{_name(number)} again: stopped at once; what is recorded is kept")
    if (multiprocessing := sys.modules.get("multiprocessing")) is not None:
        for child in multiprocessing.active_children():
            child.kill()
    os._exit(128 + number)


def _ask(number: int) -> None:
    """Send this process a signal; on Windows `os.kill` would end it, and only Python is told."""
    global _own
    _own += 1
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
