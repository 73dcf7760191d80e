"""Which records and failures lie below some folders, and which files there are not ours."""

import os
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from synaug import record as records
from synaug.errors import UserError
from synaug.record import shapes


@dataclass
class Folders:
    """What lies below some folders.

    Attributes
    ----------
    records
        By identity.
    places
        By identity, the folder that the record was read from.
    failures
        See `synaug.comparison.evidence.Evidence`.
    left_out
        A sentence on each file that is not as we write it.
    """

    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    failures: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def read_folders(folders: Sequence[Path]) -> Folders:
    """Read all records and failures; a run that stands in several folders counts once.

    Raises
    ------
    UserError
        If no folder is given, one is none, or there is neither a sound record nor a failure below them.
    """
    if not folders:
        raise UserError("no folder is given: give the folder of an experiment that has run, e.g. multirun/mine")
    contents = Folders()
    remedy = ""
    paths: dict[str, list[Path]] = {records.RECORD: [], records.FAILURE: []}
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{folder} is not a folder: give the folder of an experiment that has run")
        for name, below in _below(folder, tuple(paths), contents.left_out).items():
            paths[name] += below
    record_paths, failure_paths = ({path.absolute(): path for path in same}.values() for same in paths.values())
    recorded = set()
    for path in tqdm(record_paths, "reading records", unit="", leave=False, disable=None):
        try:
            if _take(contents, path, shapes.record(path)):
                recorded.add(path.parent)
        except FileNotFoundError:  # somebody has just removed it
            continue
        except shapes.MisshapenError as error:
            contents.left_out.append(f"{path} {error}")
            remedy = remedy or error.remedy
    sweeps: dict[Path, set[str] | None] = {}
    for path in [*record_paths, *failure_paths]:
        if (folder := path.parent.parent) not in sweeps:
            sweeps[folder] = _wanted(contents, folder)
    for path in failure_paths:
        contents.failures += _failure(contents, path, sweeps[path.parent.parent], path.parent in recorded)
    if not contents.records and not contents.failures:
        named = ", ".join(map(str, folders))
        if contents.left_out:
            raise UserError(
                f"no sound {records.RECORD} below {named} ({contents.left_out[0]}): {remedy or 'run it again'}"
            )
        raise UserError(f"no {records.RECORD} below {named}: give the folder of an experiment that has run")
    return contents


def _below(folder: Path, wanted: Sequence[str], left_out: list[str]) -> dict[str, list[Path]]:
    """Whatever has one of some names, anywhere below a folder, in order: folders and named pipes, too."""

    def unreadable(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # which a sweep has removed as it ended
            left_out.append(f"{error.filename} cannot be read ({error.strerror})")

    paths: dict[str, list[Path]] = {name: [] for name in wanted}
    for at, folders, names in os.walk(folder, onerror=unreadable):
        for name in wanted:
            if name in names or name in folders:
                paths[name].append(Path(at, name))
    return {name: sorted(same) for name, same in paths.items()}


def _take(contents: Folders, path: Path, record: dict[str, Any]) -> bool:
    """Add a record; False where it is of another run than its folder's, or contradicts one that was read before."""
    identity, folder = record["identity"], path.parent
    hyphen, digits = folder.name[-records.RUN_DIGITS - 1 : -records.RUN_DIGITS], folder.name[-records.RUN_DIGITS :]
    if hyphen == "-" and _are_hexadecimal(digits) and digits != identity[: records.RUN_DIGITS]:
        contents.left_out.append(f"{path} is the record of another run, {record['run']}")
        return False
    if identity not in contents.records:
        contents.records[identity], contents.places[identity] = record, str(folder)
        return True
    first, place = contents.records[identity], contents.places[identity]
    seeds, of_first = set(record["config"]["seeds"]), set(first["config"]["seeds"])
    if any(
        _of_seeds(record[name], of_first) != _of_seeds(first[name], seeds) for name in ("scores", "validation_scores")
    ):
        contents.left_out.append(f"{path} has other scores than {place}, which is the same run")
        return False
    if not (seeds <= of_first or of_first <= seeds):
        contents.left_out.append(f"{path} has other seeds than {place}, which is the same run: make all of them in one")
        return False
    if of_first < seeds:
        contents.records[identity], contents.places[identity] = record, str(folder)
    return True


def _of_seeds(table: Mapping[str, Any], seeds: Set[int]) -> list[Any]:
    """The rows of a table that are of some seeds, in the order of all of its seeds."""
    place = table["columns"].index("seed")
    return sorted((row for row in table["data"] if row[place] in seeds), key=lambda row: row[place])


def _are_hexadecimal(digits: str) -> bool:
    return len(digits) == records.RUN_DIGITS and set(digits) <= set("0123456789abcdef")


def _wanted(contents: Folders, folder: Path) -> set[str] | None:
    """The runs that a folder's last sweep wanted; None where nothing is known of it."""
    path = folder / records.SWEEP
    try:
        return set(shapes.sweep(path).get("runs", []))
    except FileNotFoundError:
        return None
    except shapes.MisshapenError as error:
        contents.left_out.append(f"{path} {error}")
        return None


def _failure(contents: Folders, path: Path, wanted: set[str] | None, is_recorded: bool) -> Iterator[dict[str, Any]]:
    try:
        failure = shapes.failure(path)
    except FileNotFoundError:  # another sweep has just done the run, which clears its failure
        return
    except shapes.MisshapenError as error:
        contents.left_out.append(f"{path} {error}")
        return
    if is_recorded and records.is_overtaken(path.parent, failure):
        return
    older = "an older record stands, but running it again failed: " if is_recorded else ""
    yield {
        "run": path.parent.name,
        "sentence": older + failure.get("sentence", failure["error"]),
        "type": failure["type"],
        "overrides": failure["overrides"],
        "choices": failure.get("choices"),
        "dataset": failure.get("dataset"),
        "current": wanted is None or path.parent.name in wanted,
        "recorded": is_recorded,
    }
