"""What our files look like: records, failures and accounts of sweeps, each checked as it is read.

What lies in a folder is data, which anybody may have altered or put there: it is read as JSON, with bounds, and never
resolved, composed or trusted to have a shape.
"""

import json
import re
import stat
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict  # which pydantic needs below Python 3.12

from synaug.record.tables import (
    AMOUNT_COLUMNS,
    BALANCE_COLUMNS,
    BEST_COLUMNS,
    CURVE_COLUMNS,
    FAULT_COLUMNS,
    GEOMETRY_COLUMNS,
    HELD_BACK,
    LABEL_NOISE_COLUMNS,
    QUALITY_COLUMNS,
    SCORE_COLUMNS,
    TAU_NORM_COLUMNS,
    TRAINING,
    VALIDATION_COLUMNS,
    as_table,
)

# It rises only where an older synaug would misread what a newer one writes; a new table or column is no reason.
SCHEMA = 3
LARGEST = 2**27  # bytes; a record of 151 classes and 100 splits has a fifth of it
DEEPEST = 100  # levels of lists and objects
# A record writes characters beyond ASCII as \u…; halves of a pair come from a path, say, that is no Unicode.
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
BALANCE_NEEDED = ("seed", "fold", "class", "real", "asked", "made", "made_by_fallback", "reason")  # of any edition
# Ranges of scores that are not shares. No log loss of float64 probabilities is larger: −log 5e-324 is 744.4.
RANGES = {"mcc": (-1.0, 1.0), "log_loss": (0.0, 745.0), "balanced_log_loss": (0.0, 745.0), "brier_score": (0.0, 2.0)}
SHARE = (0.0, 1.0)


def range_of(metric: str) -> tuple[float, float]:
    """The least and the largest value that a score can have; `metric` may name a class, ``f1[spam]``."""
    return RANGES.get(metric, SHARE)


# Of what is told of rows: which measures are shares, and what no other reaches.
SHARES = frozenset(
    {
        *("copies", "other_class", "coverage", "clipped_density", "clipped_coverage"),
        *("two_sample_linear", "two_sample_spread", "trained_on_synthetic", "trained_on_training"),
        *("overlap", "separability"),
    }
)
LARGEST_MEASURE = 1e15
DESCRIPTIVE = frozenset({*QUALITY_COLUMNS, *GEOMETRY_COLUMNS})
ROUNDING = 1e-6
INT = frozenset({int})
TEXT = frozenset({str})
NUMBER = frozenset({int, float, type(None)})  # null where it was not finite

Whole = Annotated[int, Field(ge=-(2**53), le=2**53)]
Count = Annotated[int, Field(ge=0, le=2**53)]
Size = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]


class MisshapenError(ValueError):
    """A file that is not as we write it; what is wrong, as it follows the file's name."""

    remedy = "remove it and run again"


class NewerSchemaError(MisshapenError):
    """A record of a later synaug, which may mean another thing by the same name."""

    remedy = "update synaug, or remove it and run again"


_open = with_config(ConfigDict(strict=True, extra="allow"))


@_open
class Choices(TypedDict):
    """The five choices of a run, by name."""

    dataset: str
    encoder: str
    imbalance_ratio: str
    augmenter: str
    classifier: str


@_open
class Ratio(TypedDict):
    """Settings of an imbalance ratio."""

    ratio: NotRequired[Annotated[float, Field(gt=0, le=1e15, allow_inf_nan=False)] | None]


@_open
class Augmenter(TypedDict):
    """Settings of an augmenter."""

    amount: Size | Literal["auto"] | Annotated[list[Size], Field(min_length=1)]


@_open
class Classifier(TypedDict):
    """Settings of a classifier."""

    loss: NotRequired[dict[str, Any] | None]


@_open
class Validation(TypedDict):
    """Settings of the validation part."""

    thinned: NotRequired[bool]


@_open
class Config(TypedDict):
    """The parts of a recorded config that are read later."""

    seeds: Annotated[list[Whole], Field(min_length=1)]
    n_folds: Annotated[int, Field(ge=1, le=2**31)]
    imbalance_ratio: Ratio
    augmenter: Augmenter
    classifier: Classifier
    dataset: NotRequired[dict[str, Any]]
    encoder: NotRequired[dict[str, Any]]
    validation: NotRequired[Validation]


@_open
class Data(TypedDict):
    """What the data were."""

    source: str
    name: str
    fingerprint: str
    class_names: Annotated[list[str], Field(min_length=1)]
    rows_per_class: list[Count]
    minority: list[str]


@_open
class Table(TypedDict):
    """Column names once, then rows; `_columns` looks at them."""

    columns: list[str]
    data: list[Any]


@_open
class Confusion(TypedDict):
    """A confusion matrix `[actual][decided]`."""

    decision: str
    matrix: list[list[Count]]


@_open
class Reliability(TypedDict):
    """Sums for a reliability diagram."""

    decision: str
    rows_confidence_hits: list[Annotated[list[Size], Field(min_length=3, max_length=3)]]


@_open
class Cost(TypedDict):
    """What a run took."""

    seconds: dict[str, Size]
    peak_memory_bytes: Count
    finished: str


@_open
class WrittenTexts(TypedDict):
    """What became of texts that somebody else wrote."""

    content: str
    sources: str
    texts: Count


@_open
class Record(TypedDict):
    """A run's record; what else stands there, as of a later version, is kept.

    What older records lack is not required: `_empty` stands for it.
    """

    schema: Annotated[int, Field(ge=1)]
    run: str
    name: str
    identity: str
    choices: Choices
    config: Config
    versions: dict[str, str]
    code: NotRequired[str]
    git_commit: NotRequired[str | None]
    data: Data
    encoder: dict[str, Any]
    scores: Table
    validation_scores: NotRequired[Table]
    confusion: NotRequired[list[Confusion]]
    reliability: NotRequired[list[Reliability]]
    balance: NotRequired[Table]
    quality: NotRequired[Table]
    geometry: NotRequired[Table]
    curves: NotRequired[Table]
    best: NotRequired[Table]
    tau_norm: NotRequired[Table]
    amounts: NotRequired[Table]
    label_noise: NotRequired[Table]
    faults: NotRequired[Table]
    offsets: NotRequired[list[dict[str, Any]]]
    diagnostics: NotRequired[list[dict[str, Any]]]
    written_texts: NotRequired[WrittenTexts]
    warnings: NotRequired[list[str]]
    cost: Cost
    probabilities_sha256: NotRequired[Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None]
    overrides: NotRequired[list[str] | None]
    configs_sha256: NotRequired[str | None]


@_open
class Failure(TypedDict):
    """Why a run has no record."""

    error: str
    type: str
    overrides: list[str]
    sentence: NotRequired[str]
    record: NotRequired[str | None]
    choices: NotRequired[dict[str, str]]
    dataset: NotRequired[dict[str, Any]]


@_open
class Sweep(TypedDict):
    """What the last sweep into a folder wanted."""

    command: NotRequired[list[str]]
    runs: NotRequired[list[str]]


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def read_json(path: Path) -> Any:
    """Read JSON that anybody may have put there.

    Raises
    ------
    FileNotFoundError
        If there is nothing of that name.
    MisshapenError
        If it is no regular file, cannot be read, is larger than any of ours, or is no JSON.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # to open a named pipe would wait for its writer
            raise MisshapenError("is not a regular file" if not path.is_dir() else "is a folder")
        if status.st_size > LARGEST:
            raise MisshapenError(f"has {status.st_size:,} bytes, more than synaug ever writes")
        content = path.read_bytes()
    except FileNotFoundError as error:
        if path.is_symlink():
            raise MisshapenError("is a link to nothing") from error
        raise
    except OSError as error:
        raise MisshapenError(f"cannot be read ({error.strerror})") from error
    return parsed(content)


def parsed(content: bytes) -> Any:
    """Parse JSON; halves of surrogate pairs, which no console, page or table can show, become question marks.

    Raises
    ------
    MisshapenError
        If it is no JSON, or nested deeper than any of ours.
    """
    try:
        found = json.loads(content)
        if (b"\\u" in content or not content.isascii()) and SURROGATE.search(content):
            found = json.loads(json.dumps(found, ensure_ascii=False).encode(errors="replace"))
    except RecursionError as error:
        raise MisshapenError("is nested too deep") from error
    except ValueError as error:
        raise MisshapenError(f"is no JSON ({' '.join(str(error).split())[:200]})") from error
    return found


def failure(path: Path) -> dict[str, Any]:
    """Read why a run has no record; raises as `read_json` does, and `MisshapenError` where it has another shape."""
    return _of_shape(Failure, read_json(path))


def sweep(path: Path) -> dict[str, Any]:
    """Read what a sweep wanted; raises as `read_json` does, and `MisshapenError` where it has another shape."""
    return _of_shape(Sweep, read_json(path))


def record(path: Path) -> dict[str, Any]:
    """Read a record, and see that its tables hold what they should.

    A record of an older schema is read as far as it goes: the tables that it lacks are empty (`lacking` names them).

    Raises
    ------
    FileNotFoundError
        If there is none.
    MisshapenError
        If a part is missing or of another type, or a score is out of its metric's range.
    NewerSchemaError
        If its schema is newer than `SCHEMA`.
    """
    content = read_json(path)
    schema = content.get("schema") if isinstance(content, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise NewerSchemaError(f"is of schema {str(schema)[:20]}, newer than the {SCHEMA} that this synaug reads")
    _of_shape(Record, content)
    _are_shallow({key: content.get(key) for key in ("config", "encoder", "diagnostics", "data", "written_texts")})
    names = content["data"]["class_names"]
    if len(set(names)) < len(names):
        raise MisshapenError("names a class twice")
    if len(content["data"]["rows_per_class"]) != len(names) or not set(content["data"]["minority"]) <= set(names):
        raise MisshapenError("counts rows of other classes than it names")
    for name, columns in (("scores", SCORE_COLUMNS), ("validation_scores", VALIDATION_COLUMNS)):
        if name in content:
            _are_scores(name, _columns(name, content[name], columns), content)
    complete: dict[str, Any] = {**content, **{name: table for name, table in _empty().items() if name not in content}}
    for entry in complete["confusion"]:
        if {len(names)} != {len(entry["matrix"]), *map(len, entry["matrix"])}:
            raise MisshapenError(f"has a confusion matrix that is not of {len(names)} classes")
    _is_balance(_columns("balance", complete["balance"], BALANCE_NEEDED), names)
    curves = _columns("curves", complete["curves"], ("seed", "fold", "step"))
    if any(not NUMBER.issuperset(map(type, column)) for column in curves.values()):
        raise MisshapenError("has a curve that is not of numbers")
    chosen = _columns("tau_norm", complete["tau_norm"], TAU_NORM_COLUMNS)
    if any(not NUMBER.issuperset(map(type, column)) for column in chosen.values()):
        raise MisshapenError("has a table tau_norm that is not of numbers")
    for name, needed in (("quality", QUALITY_COLUMNS), ("geometry", GEOMETRY_COLUMNS)):
        _is_descriptive(name, _columns(name, complete[name], needed), names)
    _are_amounts(_columns("amounts", complete["amounts"], AMOUNT_COLUMNS))
    _is_label_noise(_columns("label_noise", complete["label_noise"], LABEL_NOISE_COLUMNS), names)
    faults = _columns("faults", complete["faults"], FAULT_COLUMNS)
    if any(not TEXT.issuperset(map(type, faults[name])) for name in ("table", "error")):
        raise MisshapenError("has a table faults that is not of text")
    return complete


def _are_amounts(columns: Mapping[str, tuple[Any, ...]]) -> None:
    of_numbers = all(NUMBER.issuperset(map(type, columns[name])) for name in ("amount", "loss"))
    if not of_numbers or not {bool}.issuperset(map(type, columns["chosen"])):
        raise MisshapenError("has a table amounts that is not of numbers, true and false")


def _empty() -> dict[str, Any]:
    """What came into records later, or describes a run only, as a record that lacks it is read."""
    return {
        "code": "unknown",
        "validation_scores": as_table(VALIDATION_COLUMNS, ()),
        "confusion": [],
        "reliability": [],
        "offsets": [],
        "balance": as_table(BALANCE_COLUMNS, ()),
        "quality": as_table(QUALITY_COLUMNS, ()),
        "geometry": as_table(GEOMETRY_COLUMNS, ()),
        "diagnostics": [],
        "curves": as_table(CURVE_COLUMNS, ()),
        "best": as_table(BEST_COLUMNS, ()),
        "tau_norm": as_table(TAU_NORM_COLUMNS, ()),
        "amounts": as_table(AMOUNT_COLUMNS, ()),
        "label_noise": as_table(LABEL_NOISE_COLUMNS, ()),
        "faults": as_table(FAULT_COLUMNS, ()),
        "warnings": [],
    }


def lacking(record: Mapping[str, Any]) -> list[str]:
    """Names of the tables that a record was read without, though every run has something to put there."""
    return [
        name for name in ("validation_scores", "confusion", "reliability", "balance") if record[name] == _empty()[name]
    ]


def _of_shape(kind: Any, found: Any) -> dict[str, Any]:
    try:
        _adapter(kind).validate_python(found)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(str(part)[:40] for part in first["loc"][:4])
        said = f"{first['msg'][:1].lower()}{first['msg'][1:]}"
        raise MisshapenError(f"is not as synaug writes it ({f'{place}: ' if place else ''}{said})") from error
    return found  # type: ignore[no-any-return]


def _are_shallow(value: Any) -> None:
    """See that no part is nested so deep that a function which calls itself for each level would not end."""
    level: Sequence[Any] = [value]
    for _ in range(DEEPEST):
        level = [
            each
            for part in level
            for each in (part.values() if isinstance(part, Mapping) else part)
            if isinstance(each, Mapping | list)
        ]
        if not level:
            return
    raise MisshapenError("is nested too deep")


def _columns(name: str, table: Mapping[str, Any], needed: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """A table's columns by name; all rows are of one length."""
    names, rows = table["columns"], table["data"]
    if len(set(names)) < len(names) or not set(needed) <= set(names):
        raise MisshapenError(f"has a table {name} without columns {', '.join(needed)}, or with one twice")
    if not {list}.issuperset(map(type, rows)) or {len(names)}.union(map(len, rows)) != {len(names)}:
        raise MisshapenError(f"has a table {name} whose rows are not of {len(names)} values")
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    return dict(zip(names, columns, strict=True))


def _are_scores(name: str, columns: Mapping[str, tuple[Any, ...]], record: Mapping[str, Any]) -> None:
    if not columns["value"]:
        raise MisshapenError(f"has no {name.replace('_', ' ')}")
    for column in ("seed", "fold"):
        if not INT.issuperset(map(type, columns[column])):
            raise MisshapenError(f"has a {column} in {name} that is no whole number")
    for column in ("decision", "metric"):
        if not TEXT.issuperset(map(type, columns[column])):
            raise MisshapenError(f"has a {column} in {name} that is no text")
    seeds, n_folds = set(record["config"]["seeds"]), record["config"]["n_folds"]
    if not seeds.issuperset(columns["seed"]) or not 0 <= min(columns["fold"]) <= max(columns["fold"]) < n_folds:
        raise MisshapenError(f"has {name} of a seed or fold that its config does not have")
    if name == "scores" and (without := sorted(seeds.difference(columns["seed"]))):
        raise MisshapenError(f"has no scores of seed {without[0]}, which its config lists")
    if not (TEXT | {type(None)}).issuperset(map(type, columns.get("class", ()))):
        raise MisshapenError(f"has a class in {name} that is no text")
    if not {None, *record["data"]["class_names"]}.issuperset(columns.get("class", ())):
        raise MisshapenError(f"has {name} of a class that its data do not have")
    if not NUMBER.issuperset(map(type, columns["value"])):
        raise MisshapenError(f"has a score in {name} that is no number")
    for metric, value in zip(columns["metric"], columns["value"], strict=True):
        low, high = range_of(metric)
        # NaN is a score that could not be computed, as null is.
        if value is not None and value == value and not low - ROUNDING <= value <= high + ROUNDING:
            raise MisshapenError(f"has a {metric[:40]} of {_number(value)}, which lies between {low:g} and {high:g}")
    keys = list(zip(*(columns[key] for key in SCORE_COLUMNS[:-1] if key in columns), strict=True))
    if len(set(keys)) < len(keys):
        ((key, _),) = Counter(keys).most_common(1)
        raise MisshapenError(f"has two scores of seed {key[0]} fold {key[1]} ({', '.join(map(str, key[2:]))[:80]})")


def _number(value: Any) -> str:
    is_small = isinstance(value, float) or abs(value) < 2**53
    return f"{value:g}" if is_small else "a number of many digits"


def _is_label_noise(columns: Mapping[str, tuple[Any, ...]], class_names: Sequence[str]) -> None:
    if not TEXT.issuperset(map(type, columns["class"])) or not set(class_names).issuperset(columns["class"]):
        raise MisshapenError("counts doubtful labels of a class that its data do not have")
    counted = [value for name in LABEL_NOISE_COLUMNS if name != "class" for value in columns[name]]
    if not INT.issuperset(map(type, counted)) or any(abs(value) > 2**53 for value in counted):
        raise MisshapenError("has a table label_noise whose counts are not whole numbers")


def _is_balance(columns: Mapping[str, tuple[Any, ...]], class_names: Sequence[str]) -> None:
    allowed = {
        "inner": INT | {type(None)},  # which older records lack
        "class": TEXT,
        "real": INT,
        "kept": INT,  # which older records lack
        "asked": INT | {type(None)},
        "made": INT,
        "new": INT,  # which older records lack
        "made_by_fallback": INT,
        "reason": TEXT | {type(None)},
    }
    for name, types in allowed.items():
        if not types.issuperset(map(type, columns.get(name, ()))):
            raise MisshapenError(f"has a value of another type in column {name} of its balance")
    if not set(class_names).issuperset(columns["class"]):
        raise MisshapenError("has a balance of a class that its data do not have")
    counted = [
        columns[name] for name in ("real", "kept", "asked", "made", "new", "made_by_fallback") if name in columns
    ]
    numbers = (value for column in counted for value in column)
    if any(value is not None and abs(value) > 2**53 for value in numbers):
        raise MisshapenError("has a balance of more rows than can be")


def _is_descriptive(name: str, columns: Mapping[str, tuple[Any, ...]], class_names: Sequence[str]) -> None:
    """What is told of rows: measures of any name, as later versions have others."""
    allowed = {"seed": INT, "fold": INT, "class": TEXT | {type(None)}, "measure": TEXT, "against": TEXT}
    for column, values in columns.items():
        if not allowed.get(column, NUMBER).issuperset(map(type, values)) and column in DESCRIPTIVE:
            raise MisshapenError(f"has a value of another type in column {column} of its table {name}")
    if not {None, *class_names}.issuperset(columns["class"]):
        raise MisshapenError(f"has a table {name} of a class that its data do not have")
    if not {TRAINING, HELD_BACK}.issuperset(columns.get("against", ())):
        raise MisshapenError(f"has a table {name} against other rows than {TRAINING} or {HELD_BACK}")
    numbers = (value for column in ("rows", "real_rows", "reference_rows") for value in columns.get(column, ()))
    if any(value is not None and not 0 <= value <= 2**53 for value in numbers):
        raise MisshapenError(f"has a table {name} of more rows than can be")
    for measure, value in zip(columns["measure"], columns["value"], strict=True):
        _is_in_range(name, measure, value)
    for measure, value in zip(columns["measure"], columns.get("real_value", ()), strict=False):
        _is_in_range(name, measure, value)


def _is_in_range(name: str, measure: str, value: float | None) -> None:
    low, high = (0.0, 1.0) if measure in SHARES else (-LARGEST_MEASURE, LARGEST_MEASURE)
    if value is not None and value == value and not low - ROUNDING <= value <= high + ROUNDING:
        raise MisshapenError(f"has a {measure[:40]} of {_number(value)} in its table {name}, beyond its range")
