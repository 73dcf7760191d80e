"""More seeds beside those that a record holds: two records of one run become one, row by row."""

import io
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaug.record import cost, store
from synaug.record.plan import cannot_join

log = logging.getLogger(__name__)

Arrays = Mapping[str, NDArray[Any]]
# As the last command has it, whatever stood there before.
OF_THE_LAST = ("name", "choices", "overrides", "configs_sha256", "git_commit", "probabilities_sha256")
# Tables of which nothing is chosen: the code that makes them may change from one seed to another (`record.code`).
DESCRIPTIVE = ("quality", "geometry")
OUT_OF_FOLD = "oof_"  # arrays of rows that have seeds of their own


def extend(
    folder: Path,
    record: Mapping[str, Any],
    probabilities: Arrays,
    warnings_of: Callable[[Mapping[str, Any]], list[str]],
) -> dict[str, Any]:
    """Record the seeds that were computed, beside those of the record that stands, or in its place.

    They stand beside each other where both are of one schema, one code, one set of versions and one set of embeddings
    (`synaug.record.plan`). The order in which seeds were computed leaves no trace but in `cost`, and in
    what is told of the last command: `name`, `choices`, `overrides`, `configs_sha256`, `git_commit`. Whoever calls
    holds the run's lock (`synaug.sweep.run_lock`).

    Parameters
    ----------
    folder
        Of the run.
    record
        Of the computed seeds; its config's `seeds` become those that are recorded in the end.
    probabilities
        Of the computed seeds: arrays whose first axis is that of `seed`, and of `oof_seed` where their names begin so.
    warnings_of
        What a reader of a record is warned of, told from its tables, whose seeds it counts together.

    Returns
    -------
    dict
        The record, as `synaug.record.read` reads it back.
    """
    new = _in_order({**store.finite(record), "config": {**record["config"], "seeds": _seeds(record)}})
    arrays = _rows_in_order(probabilities)
    stands, _ = store.standing(folder, record["identity"])
    if stands is not None:
        kept = set(stands["config"]["seeds"]).difference(new["config"]["seeds"])
        if kept and (obstacle := _cannot_be_joined(folder, stands, new)) is not None:
            # Only where the file system has no locks: another process has replaced it since this one looked.
            log.warning("%s: the record that stood was made %s: this one takes its place", folder, obstacle)
        elif kept:
            arrays = _rows_in_order(_stacked(_read(folder, stands), arrays))
            new = join(stands, new)
    new["warnings"] = warnings_of(new)
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    store.write(folder, new, file.getvalue())
    return store.read(folder)


def _cannot_be_joined(folder: Path, stands: Mapping[str, Any], new: Mapping[str, Any]) -> str | None:
    obstacle = cannot_join(folder, stands, new["code"], new["versions"])
    if obstacle is None and stands["data"]["embeddings_sha256"] != new["data"]["embeddings_sha256"]:
        return "from other embeddings"
    if obstacle is None and not set(stands["config"]["seeds"]).isdisjoint(new["config"]["seeds"]):
        return "of some of the same seeds"
    return obstacle


def join(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Two records of one run that have no seed in common, as one; settings are the second's.

    Raises
    ------
    ValueError
        If some part is neither by seed nor the same in both, and nobody has said how two of it become one.
    """
    joined: dict[str, Any] = {}
    for name, value in second.items():
        if name in OF_THE_LAST:
            joined[name] = value
        elif _has_seeds(value) or _has_seeds(first.get(name)):
            joined[name] = _rows_of_both(name, first[name], value)
        elif name not in ("config", "data", "reliability", "cost"):
            joined[name] = _same(name, first.get(name), value)
    seeds = sorted([*first["config"]["seeds"], *second["config"]["seeds"]])
    joined["config"] = {**second["config"], "seeds": seeds}
    joined["data"] = _data(first, second)
    joined["reliability"] = _reliability(first["reliability"], second["reliability"])
    joined["cost"] = cost.together(first["cost"], second["cost"])
    return _in_order({name: joined[name] for name in second})


def _data(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """What the data were; which classes are few, and how near test rows are to training rows, goes with the seeds."""
    one, other = first["data"], second["data"]
    joined: dict[str, Any] = {}
    for name, value in other.items():
        if name == "minority":
            joined[name] = [each for each in other["class_names"] if each in (*one[name], *value)]
        elif name.endswith("_by_seed"):
            joined[name] = dict(sorted({**one[name], **value}.items(), key=lambda item: int(item[0])))
        elif name == "near_copies":
            joined[name] = _near_copies(first, second)
        else:
            joined[name] = _same(f"data.{name}", one.get(name), value)
    return joined


def _near_copies(*records: Mapping[str, Any]) -> dict[str, float]:
    """Shares by class, as means over the splits of both: each seed has as many of them as any other."""
    shares = {}
    for name in records[-1]["data"]["class_names"]:
        found = [(each["data"]["near_copies"].get(name), len(each["config"]["seeds"])) for each in records]
        known = [(share, n_seeds) for share, n_seeds in found if share is not None]
        if known:
            shares[name] = sum(share * n_seeds for share, n_seeds in known) / sum(n_seeds for _, n_seeds in known)
    return shares


def _reliability(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sums over test rows, bin by bin."""
    sums = {each["decision"]: np.array(each["rows_confidence_hits"]) for each in first}
    return [
        {**each, "rows_confidence_hits": (sums[each["decision"]] + each["rows_confidence_hits"]).tolist()}
        for each in second
    ]


def _same(name: str, first: Any, second: Any) -> Any:
    if first != second:
        raise ValueError(f"{name} differs between the seeds that are recorded and those that were computed")
    return second


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() == {"columns", "data"}


def _has_seeds(value: Any) -> bool:
    if _is_table(value):
        return "seed" in value["columns"]
    return (
        isinstance(value, list) and bool(value) and all(isinstance(each, Mapping) and "seed" in each for each in value)
    )


def _rows_of_both(name: str, first: Any, second: Any) -> Any:
    if not _is_table(second):
        return [*first, *second]
    if name in DESCRIPTIVE:  # other versions may tell more of the rows, or less
        columns = list(dict.fromkeys([*_longer(first, second)["columns"], *first["columns"], *second["columns"]]))
        return {"columns": columns, "data": [*_rows_with(columns, first), *_rows_with(columns, second)]}
    return {
        "columns": _same(f"columns of {name}", first["columns"], second["columns"]),
        "data": first["data"] + second["data"],
    }


def _longer(first: Any, second: Any) -> Any:
    return max(first, second, key=lambda table: len(table["columns"]))


def _rows_with(columns: list[str], table: Any) -> list[list[Any]]:
    places = [table["columns"].index(name) if name in table["columns"] else None for name in columns]
    return [[None if place is None else row[place] for place in places] for row in table["data"]]


def _in_order(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record whose rows stand in the order of their seeds, and else as they stood."""
    ordered = dict(record)
    for name, value in record.items():
        if _is_table(value) and _has_seeds(value):
            place = value["columns"].index("seed")
            ordered[name] = {**value, "data": sorted(value["data"], key=lambda row: row[place])}
        elif _has_seeds(value):
            ordered[name] = sorted(value, key=lambda row: row["seed"])
    return ordered


def _seeds(record: Mapping[str, Any]) -> list[int]:
    scores = record["scores"]
    place = scores["columns"].index("seed")
    return sorted({row[place] for row in scores["data"]})


def _read(folder: Path, record: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    path = store.probabilities_file(folder, record)
    assert path is not None
    with np.load(path, allow_pickle=False) as stored:
        return dict(stored)


def _stacked(first: Arrays, second: Arrays) -> dict[str, NDArray[Any]]:
    _same("the names of the probabilities", sorted(first), sorted(second))
    return {name: np.concatenate([first[name], rows]) for name, rows in second.items()}


def _rows_in_order(arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Arrays whose rows stand in the order of their seeds, and else as they stood."""
    order = {prefix: np.argsort(arrays[f"{prefix}seed"], kind="stable") for prefix in _prefixes(arrays)}
    return {name: rows[order[OUT_OF_FOLD if name.startswith(OUT_OF_FOLD) else ""]] for name, rows in arrays.items()}


def _prefixes(arrays: Arrays) -> list[str]:
    return ["", OUT_OF_FOLD] if f"{OUT_OF_FOLD}seed" in arrays else [""]
