"""Files of maps, which `synaug maps` writes beside runs and a report draws: how they look, read with care."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict  # which pydantic needs below Python 3.12

from synaug.files.atomic import replacing
from synaug.files.digest import json_sha256
from synaug.record import beside, shapes

FOLDER = "maps"  # in that of an experiment
MOST_ROWS = 20_000
SIDE = 1000  # coordinates are whole numbers below it

Whole = Annotated[int, Field(ge=-1, lt=MOST_ROWS)]
Coordinates = Annotated[list[Annotated[int, Field(ge=0, lt=SIDE)]], Field(max_length=2 * MOST_ROWS)]
Places = Annotated[list[Whole], Field(max_length=MOST_ROWS)]

_closed = with_config(ConfigDict(strict=True, extra="forbid"))


@_closed
class Real(TypedDict):
    """Real rows: their labels, whether they train (1) or were held back (0), their places by kind, x and y in turn.

    `total` is how many the split has, drawn or not; maps of older versions do not say.
    """

    total: NotRequired[Annotated[int, Field(ge=0)]]
    labels: Places
    trains: Annotated[list[Annotated[int, Field(ge=0, le=1)]], Field(max_length=MOST_ROWS)]
    places: dict[str, Coordinates]
    texts: NotRequired[Annotated[list[str], Field(max_length=MOST_ROWS)]]


@_closed
class Made(TypedDict):
    """A method's synthetic rows: as of `Real`, with two parents each (places among the real rows, -1 unknown)."""

    identity: str
    label: str
    total: Annotated[int, Field(ge=0)]
    labels: Places
    parents: Annotated[list[Whole], Field(max_length=2 * MOST_ROWS)]
    places: dict[str, Coordinates]


@_closed
class Map(TypedDict):
    """One split of one scenario; `code` is that of its methods' records, which maps of older versions do not say."""

    code: NotRequired[str]
    seed: int
    fold: Annotated[int, Field(ge=0)]
    kinds: Annotated[list[str], Field(min_length=1, max_length=3)]
    class_names: Annotated[list[str], Field(min_length=1, max_length=MOST_ROWS)]
    real: Real
    methods: Annotated[list[Made], Field(min_length=1, max_length=200)]


_adapter = TypeAdapter(Map)


def write(folder: Path, drawn: Mapping[str, Any]) -> Path:
    """Write the map of a scenario into the folder of its experiment, in place of an earlier one of the same runs."""
    name = json_sha256(sorted(method["identity"] for method in drawn["methods"]))[:12]
    path = folder / FOLDER / f"{name}.json"
    with replacing(path) as file:
        file.write(json.dumps(drawn, separators=(",", ":"), allow_nan=False).encode())
    return path


def read(path: Path) -> dict[str, Any]:
    """Read one.

    Raises
    ------
    MisshapenError
        If it is not as `write` writes it.
    """
    found = beside.checked(path, _adapter, "map")
    real, kinds = found["real"], found["kinds"]
    for rows in (real, *found["methods"]):
        n = len(rows["labels"])
        lengths = {len(rows["places"].get(kind, ())) for kind in kinds}
        lengths |= {2 * len(rows[name]) for name in ("trains", "texts") if name in rows}
        lengths |= {len(rows["parents"])} if "parents" in rows else set()
        if lengths != {2 * n} or any(not 0 <= label < len(found["class_names"]) for label in rows["labels"]):
            raise shapes.MisshapenError("is no map as synaug writes it (its rows do not agree)")
        if any(parent >= len(real["labels"]) for parent in rows.get("parents", ())):
            raise shapes.MisshapenError("is no map as synaug writes it (a parent is no row)")
    return found


def below(folders: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """All sound maps of some experiments, the newest first."""
    return beside.newest(folders, FOLDER, read)
