"""Files of synthetic rows in words, which `synaug explain --page` writes beside runs for a report."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict  # which pydantic needs below Python 3.12

from synaug.files.atomic import replacing
from synaug.record import beside

FOLDER = "explained"  # in that of an experiment
MOST_ROWS = 1000
LONGEST_TEXT = 1000  # characters

Whole = Annotated[int, Field(ge=0, le=2**53)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Distance = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=LONGEST_TEXT)]

_closed = with_config(ConfigDict(strict=True, extra="forbid"))


@_closed
class Parent(TypedDict):
    """A real row that a synthetic one was made of; `share` of the sum is null for an only parent."""

    row: Whole
    class_name: str
    share: Number | None
    text: NotRequired[Text]


@_closed
class Near(TypedDict):
    """A real row that trains, and its distance."""

    row: Whole
    class_name: str
    distance: Distance
    text: NotRequired[Text]


@_closed
class Row(TypedDict):
    """A synthetic row; `off` and `moved` as in `synthetic.lineage.Lineage`, `nearest` of those that are no parent."""

    row: Whole
    class_name: str
    parents: Annotated[list[Parent], Field(max_length=2)]
    off: Distance | None
    moved: Distance | None
    nearest: Near | None


@_closed
class Explained(TypedDict):
    """Some rows of one split of one run; `code` is that of its record, `total` how many rows the split got."""

    identity: str
    code: str
    seed: int
    fold: Whole
    remark: str | None
    total: Whole
    rows: Annotated[list[Row], Field(min_length=1, max_length=MOST_ROWS)]


_adapter = TypeAdapter(Explained)


def write(run: Path, explained: Mapping[str, Any]) -> Path:
    """Write some rows of a run beside its folder, in place of what an earlier look at it wrote."""
    path = run.parent / FOLDER / f"{run.name}.json"
    with replacing(path) as file:
        file.write(json.dumps(explained, separators=(",", ":"), allow_nan=False).encode())
    return path


def read(path: Path) -> dict[str, Any]:
    """Read one.

    Raises
    ------
    MisshapenError
        If it is not as `write` writes it.
    """
    return beside.checked(path, _adapter, "file of synthetic rows in words")


def below(folders: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """All sound ones of some experiments, the newest first."""
    return beside.newest(folders, FOLDER, read)
