"""Records on disk: whole or absent, and read with care."""

import json
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from synaug.errors import UserError
from synaug.files.atomic import TEMPORARY_ENDING, is_abandoned, replacing
from synaug.files.digest import file_sha256
from synaug.record import shapes

RECORD = "record.json"
FAILURE = "failure.json"
SWEEP = "sweep.json"
PROBABILITIES = "probabilities.npz"
Content = TypeVar("Content")


def problem(folder: Path, identity: str) -> str | None:
    """Say why a run is not done.

    A record of an older schema is sound: it holds what it was made for.

    Returns
    -------
    str or None
        None where a sound record of this identity stands in the folder; else what is wrong, as part of a sentence.

    Raises
    ------
    UserError
        If a newer synaug has written it: what cannot be judged is not written over.
    """
    path = folder / RECORD
    try:
        content = shapes.record(path)
    except FileNotFoundError:
        return f"there is no {RECORD}"
    except shapes.NewerSchemaError as error:
        raise UserError(f"{path} {error}: {error.remedy}") from error
    except shapes.MisshapenError as error:
        return f"{RECORD} {error}"
    if content["identity"] != identity:
        return f"{RECORD} is of another run, {content['run']}"
    probabilities = folder / PROBABILITIES
    recorded = content.get("probabilities_sha256")
    if recorded and probabilities.is_file() and file_sha256(probabilities) != recorded:
        return f"{PROBABILITIES} is not the one that was recorded"
    return None


def write(folder: Path, record: Mapping[str, Any]) -> Path:
    """Write a record, whole or not at all; numbers that are not finite become null."""
    path = folder / RECORD
    text = json.dumps(_finite(record), allow_nan=False, separators=(",", ":"))
    with replacing(path) as file:
        file.write(text.encode())
    (folder / FAILURE).unlink(missing_ok=True)
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


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
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
        raise UserError(f"{folder} holds no {RECORD}: the run is not done") from error


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
