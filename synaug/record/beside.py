"""Files that stand beside runs, in the folder of their experiment: whole when written, and read with care."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from synaug.record import shapes


def checked(path: Path, adapter: TypeAdapter[Any], what: str) -> dict[str, Any]:
    """Read JSON that must have a shape.

    Raises
    ------
    MisshapenError
        If it has another; `what` says what it is not.
    """
    found: Mapping[str, Any] = shapes.read_json(path)
    try:
        adapter.validate_python(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise shapes.MisshapenError(f"is no {what} as synaug writes it ({first['msg']})") from error
    return dict(found)


def newest(folders: Sequence[Path], name: str, read: Callable[[Path], dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """All sound files in the folder `name` of some experiments, the newest first.

    Others are passed over: a report can do without.
    """
    paths = [path for folder in folders for path in (folder / name).glob("*.json")]
    for path in sorted(paths, key=lambda each: (-_changed(each), each.name)):
        try:
            yield read(path)
        except (shapes.MisshapenError, FileNotFoundError):
            continue


def _changed(path: Path) -> int:
    """When a file was changed (ns); 0 of one that is gone by now, or is a link to nothing, as editors leave them."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
