"""How a job's log is written: on the console without tracebacks, in its file with them."""

import logging
import sys
from contextlib import suppress

from synaug.files import escaping


class ConsoleFormatter(logging.Formatter):
    """Messages without their traceback, which stands in the log file, in lines that fit a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the message alone, with its level where it is a warning or worse."""
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        return escaping.wrapped(level + record.getMessage())


class LogFile(logging.FileHandler):
    """A log that a full disk cuts short in silence: what cannot be recorded for it is said where that is written.

    It is UTF-8 whatever the locale, and harmless on a terminal that shows it.
    """

    def __init__(self, filename: str, mode: str = "a", delay: bool = False) -> None:
        super().__init__(filename, mode, encoding="utf-8", delay=delay, errors="backslashreplace")

    def format(self, record: logging.LogRecord) -> str:
        """Format with what cannot be seen written out."""
        return escaping.console(super().format(record))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Print where an error came from, as logging does, unless the file cannot be written."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)

    def close(self) -> None:
        """Close the file, though what it still buffers has no room."""
        with suppress(OSError):
            super().close()
