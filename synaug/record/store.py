"""Records on disk: whole or absent, and read with care."""

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from synaug.errors import UserError
from synaug.files.atomic import TEMPORARY_ENDING, is_abandoned, replacing
from synaug.files.digest import file_sha256
from synaug.record import shapes

RECORD = "record.json"
FAILURE = "failure.json"
SWEEP = "sweep.json"
# Log probabilities are in a file that is named by its digest, so that a record has its own: `probabilities_file`.
PROBABILITIES = "probabilities-[0-9a-f]*.npz"
FIRST_PROBABILITIES = "probabilities.npz"  # as older records call theirs
DIGITS = 8  # of the digest, in the name
Content = TypeVar("Content")


class Standing(NamedTuple):
    """What stands in a run's folder.

    Attributes
    ----------
    record
        None where there is no sound one of the run.
    problem
        Then what is wrong, as part of a sentence.
    """

    record: dict[str, Any] | None
    problem: str | None


def standing(folder: Path, identity: str) -> Standing:
    """Read the record that stands in the folder of a run.

    A record of an older schema is sound: it holds what it was made for.

    Raises
    ------
    UserError
        If a newer synaug has written it: what cannot be judged is not written over.
    """
    path = folder / RECORD
    try:
        content = shapes.record(path)
    except FileNotFoundError:
        return Standing(None, f"there is no {RECORD}")
    except shapes.NewerSchemaError as error:
        raise UserError(f"{path} {error}: {error.remedy}") from error
    except shapes.MisshapenError as error:
        return Standing(None, f"{RECORD} {error}")
    if content["identity"] != identity:
        return Standing(None, f"{RECORD} is of another run, {content['run']}")
    probabilities = probabilities_file(folder, content)
    if probabilities is not None and file_sha256(probabilities) != content["probabilities_sha256"]:
        return Standing(None, f"{probabilities.name} is not the one that was recorded")
    return Standing(content, None)


def problem(folder: Path, identity: str) -> str | None:
    """Say why a run is not done; None where a sound record of it stands. Raises as `standing` does."""
    return standing(folder, identity).problem


def probabilities_file(folder: Path, record: Mapping[str, Any]) -> Path | None:
    """Where the log probabilities of a record are; None where it has none, or somebody has removed them."""
    digest = record.get("probabilities_sha256")
    if not digest:
        return None
    names = (_probabilities_name(digest), FIRST_PROBABILITIES)
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _probabilities_name(digest: str) -> str:
    return f"probabilities-{digest[:DIGITS]}.npz"


def write(folder: Path, record: Mapping[str, Any], probabilities: bytes | None = None) -> Path:
    """Write a record, whole or not at all; numbers that are not finite become null.

    Its probabilities are written first, into a file that is named by their digest, and an older record's go last. So at
    every moment the record that stands has its own probabilities beside it, whatever ends the process.

    Parameters
    ----------
    probabilities
        The bytes of an ``.npz``; None where the run has none.
    """
    digest = None if probabilities is None else hashlib.sha256(probabilities).hexdigest()
    own = None if digest is None else _probabilities_name(digest)
    path = folder / RECORD
    content = finite({**record, "probabilities_sha256": digest})
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    if own is not None and probabilities is not None:
        with replacing(folder / own) as file:
            file.write(probabilities)
    with replacing(path) as file:
        file.write(text.encode())
    (folder / FAILURE).unlink(missing_ok=True)
    for older in (*folder.glob(PROBABILITIES), folder / FIRST_PROBABILITIES):
        if older.name != own:
            older.unlink(missing_ok=True)
    for left in folder.glob(f".*{TEMPORARY_ENDING}"):  # by earlier tries that were killed
        with suppress(OSError):
            if is_abandoned(left):
                left.unlink()
    return path


def write_failure(folder: Path, failure: Mapping[str, Any]) -> None:
    """Write failure.json; `record` is the digest of a record that already stands there, or null."""
    older = None
    with suppress(OSError):
        older = file_sha256(folder / RECORD) if (folder / RECORD).is_file() else None
    with replacing(folder / FAILURE) as file:
        file.write(json.dumps({**failure, "record": older}, indent=1).encode())


def is_overtaken(folder: Path, failure: Mapping[str, Any]) -> bool:
    """Whether the record that stands beside a failure was made after it: then the run did not fail."""
    path = folder / RECORD
    if not path.is_file():
        return False
    if "record" in failure:
        return bool(file_sha256(path) != failure["record"])
    return path.stat().st_mtime_ns > (folder / FAILURE).stat().st_mtime_ns  # as written by an older version


def finite(value: Any) -> Any:
    """A value as JSON has it: keys are texts, sequences are lists, and what is not finite is null."""
    if isinstance(value, Mapping):
        return {str(key): finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def read(folder: Path) -> dict[str, Any]:
    """Read one run's record.

    Raises
    ------
    UserError
        If the run has none, or one that is not as we write it.
    """
    path = folder / RECORD
    try:
        return _mended_by_removing(path, shapes.record)
    except FileNotFoundError as error:
        raise UserError(_not_a_run(folder)) from error


def _not_a_run(folder: Path) -> str:
    if not folder.is_dir():
        return f"{folder} is not a folder: give the folder of a run"
    run = next((path.parent for path in sorted(folder.glob(f"*/{RECORD}"))), None)
    if run is not None:
        return f"{folder} holds several runs: give the folder of one, e.g. {run}"
    return f"{folder} holds no {RECORD}: the run is not done"


def read_json(path: Path) -> Any:
    """Read a file of ours.

    Raises
    ------
    FileNotFoundError
        If there is none.
    UserError
        If it is no JSON.
    """
    return _mended_by_removing(path, shapes.read_json)


def sweep_of(folder: Path) -> dict[str, Any]:
    """What the last sweep into an experiment's folder wanted and got, as `synaug.sweep` wrote it; empty without one.

    Raises
    ------
    UserError
        If the file is not as we write it.
    """
    try:
        return _mended_by_removing(folder / SWEEP, shapes.sweep)
    except FileNotFoundError:
        return {}


def _mended_by_removing(path: Path, read: Callable[[Path], Content]) -> Content:
    try:
        return read(path)
    except shapes.MisshapenError as error:
        raise UserError(f"{path} {error}: {error.remedy}") from error
