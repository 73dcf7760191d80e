"""Names that become folders, and folders that a user names: refused before anything is made on a disk."""

import os
import re
from pathlib import Path
from typing import Any

from synaug.errors import REMEDY_FOR_A_PLACE

LONGEST_PART = 255  # bytes of one name in a path, on today's file systems
LONGEST_PATH = 3000  # bytes; 4,096 on Linux, of which a run's own folders and files need some
LONGEST_NAME = 128  # characters; also W&B's limit for the group that is called so
# Making a folder there fails with words that mean something else: "no such file".
OF_THE_SYSTEM = ("/proc", "/sys")
# What Windows takes for devices, whatever their ending: a folder of results may be copied there.
DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def name_problem(name: Any) -> str | None:
    """The sentence for an experiment's name that cannot be a folder's; None for one that can.

    A name is one part of a path, so that nothing is ever made outside of the output folder.
    """
    if not isinstance(name, str):
        return f"name={_shown(name)} must be text: put it between quotes"
    cut = name if len(name) <= LONGEST_NAME else f"{name[:40]}…"
    if len(name) > LONGEST_NAME or len(name.encode(errors="replace")) > LONGEST_PART:
        return f"name={cut!r} becomes a folder and has {len(name)} characters: use at most {LONGEST_NAME}"
    if not re.fullmatch(r"\w([\w.-]*[\w-])?", name):
        return (
            f"name={name!r} becomes a folder: use letters, digits, '.', '-' and '_', beginning with a letter "
            "or digit and not ending in '.'"
        )
    if DEVICES.fullmatch(name):
        return f"name={name!r} becomes a folder, which Windows reserves for a device: choose another name"
    return None


def folder_problem(folder: Any) -> str | None:
    """What is wrong with a folder to write to, completing "... "; None where nothing is.

    Nothing is made: the nearest part of the path that exists must be a folder.
    """
    if not isinstance(folder, str) or not folder.strip():
        return "must be a folder"
    if not folder.isprintable():
        return "must be a folder's name that can be printed"
    path = Path(folder).expanduser().absolute()
    if any(len(part.encode(errors="replace")) > LONGEST_PART for part in path.parts):
        return f"has a part of more than {LONGEST_PART} bytes"
    if len(str(path).encode(errors="replace")) > LONGEST_PATH:
        return f"is longer than {LONGEST_PATH:,} bytes"
    try:
        nearest = next(part for part in (path, *path.parents) if part.exists() or part.is_symlink())
        if any(nearest.resolve().is_relative_to(part) for part in OF_THE_SYSTEM):
            return f"lies in {nearest}, where the system shows itself and nobody can make files"
        return None if nearest.is_dir() else f"needs {nearest} to be a folder, which it is not"
    except OSError as error:
        return f"cannot be looked at ({error.strerror})"


def unwritable(path: Path) -> str | None:
    """Why nothing can be written at a path, completing "... "; None where nothing speaks against it.

    Nothing is made: folders above it need not be there yet.
    """
    problem = folder_problem(str(path.absolute().parent))
    if problem is not None:
        return problem
    nearest = next(part for part in path.absolute().parents if part.exists())
    return None if os.access(nearest, os.W_OK) else f"lies in {nearest}, which is write-protected"


def place_problem(key: str, folder: Any) -> str | None:
    """The sentence for ``output_dir`` or ``cache_dir``; None where it can be used. The cache may be null."""
    if key == "cache_dir" and folder is None:
        return None
    problem = folder_problem(folder)
    if problem is None:
        return None
    return f"{key}={_shown(folder)} {problem}: {REMEDY_FOR_A_PLACE}"


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    return repr(value if not isinstance(value, str) or len(value) <= LONGEST_NAME else f"{value[:40]}…")
