"""What a user can mend; its type sets it apart from faults of the program."""

import re
from collections.abc import Iterator, Sequence
from errno import EACCES, EDQUOT, EEXIST, EFBIG, EIO, EISDIR, ELOOP, ENAMETOOLONG, ENOSPC, ENOTDIR, EPERM, EROFS
from typing import TypeGuard

# Error numbers of a full, broken or read-only disk.
OF_THE_DISK = (EDQUOT, EFBIG, EIO, ENOSPC, EROFS)
# Error numbers of a path that cannot be used as intended; all paths come from settings. ENOENT is not among them:
# files the user names are checked first.
OF_A_PLACE = (EACCES, EEXIST, EISDIR, ELOOP, ENAMETOOLONG, ENOTDIR, EPERM)
INTERRUPTED = "interrupted; what is recorded is kept, and the same command goes on from there"
REMEDY_FOR_A_PLACE = "choose another place with output_dir=... or cache_dir=..."


class UserError(ValueError):
    """What a user can mend: one sentence with the value, what was required of it, and the remedy.

    It is raised where the value enters, and shown without a traceback; the exit code is then 1. Every other error is
    a fault of the program and shows its traceback.
    """


class TooFewRowsError(UserError):
    """A sampler has too few rows of a class, or can make none: samplers may raise it, and a fallback takes over.

    Every other error that a sampler raises though it has rows enough ends the run.
    """


def raise_problems(problems: Sequence[str], where: str) -> None:
    """Raise a UserError of all of them, where there are any.

    Parameters
    ----------
    problems
        Sentences.
    where
        What they are of.
    """
    if len(problems) == 1:
        raise UserError(problems[0])
    if problems:
        raise UserError(f"{len(problems)} problems in {where}:\n" + "\n".join(f"  - {said}" for said in problems))


def user_sentence(error: BaseException, place: str = REMEDY_FOR_A_PLACE) -> str | None:
    """The sentence for an error that a user can mend; None for a fault of the program.

    Nothing is asked but the error itself: no disk, no lock, no config.

    Parameters
    ----------
    place
        The remedy where a file or folder cannot be used, in the words of the command.
    """
    for each in _with_causes(error):
        if isinstance(each, UserError):
            return str(each)
    if is_out_of_memory(error):
        first = (str(error).strip() or "it says no more").splitlines()[0]
        return (
            f"out of memory ({first}): give fewer seeds or n_folds, dataset.max_per_class=..., "
            "or, to a sweep of processes, hydra.launcher.n_jobs=1"
        )
    if is_of_a_place(error):
        where = f"{error.filename}: " if error.filename is not None else ""
        room = "make room there, or " if error.errno in (EDQUOT, ENOSPC) else ""
        return f"{where}{error.strerror}: {room}{place}"
    return None


def is_of_a_place(error: BaseException) -> TypeGuard[OSError]:
    """Whether the system refused a file or folder for what is the matter with that place or its disk."""
    if not isinstance(error, OSError):
        return False
    return error.errno in OF_THE_DISK or (error.errno in OF_A_PLACE and error.filename is not None)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was short: Python and NumPy raise a MemoryError, torch a RuntimeError of these words."""
    if isinstance(error, RuntimeError):
        return re.search(r"out of memory|not enough memory|can't allocate memory", str(error)) is not None
    return isinstance(error, MemoryError)


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was raised from: Hydra wraps what a target's constructor raises."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__
