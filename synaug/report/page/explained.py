"""Examples of synthetic rows, as far as `synaug explain --page` has written some beside the runs."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from synaug.files.escaping import shown
from synaug.record import explained as files
from synaug.report import limits, words
from synaug.report.results import Results
from synaug.settings.names import of_class

OFF_THE_LINE = 1e-3  # of the parents' distance: below it, rounding


def scenarios(results: Results) -> tuple[list[dict[str, Any]], list[str]]:
    """One table for each scenario of which rows were explained, short enough that a page of many stays small.

    Returns
    -------
    list of dict
        `label`; `methods`, each with `label`, `about` and `lines` (see `_line`); and `left_out`, how many methods
        are. Text is as it may be shown.
    list of str
        Sentences on scenarios that are not shown.
    """
    methods, outdated = _methods(results)
    explained_ones = [scenario for scenario in results.scenarios if scenario in methods]
    ordered, further = explained_ones[: limits.SCENARIO_TABLES], explained_ones[limits.SCENARIO_TABLES :]
    n_shown = sum(min(len(methods[scenario]), limits.EXPLAINED_METHODS) for scenario in ordered)
    of_each = max(1, min(limits.EXPLAINED_ROWS, limits.EXPLAINED_LINES // max(1, n_shown)))
    tables = [
        {
            "label": results.label(scenario),
            "methods": [
                _method(label, explained, of_each)
                for label, explained in sorted(methods[scenario].items())[: limits.EXPLAINED_METHODS]
            ],
            "left_out": max(0, len(methods[scenario]) - limits.EXPLAINED_METHODS),
        }
        for scenario in ordered
    ]
    sentences = []
    if further:
        sentences.append(
            f"{words.counted(len(further), 'further scenario')}: {words.listed(map(shown, further))}. "
            "synaug explain RUN describes each run."
        )
    if outdated:
        sentences.append(
            "Not shown, because another state of synaug's code has made these runs again since: "
            f"{words.listed(map(shown, outdated))}. To see them, write the examples again "
            "(synaug explain FOLDER --page), then the report."
        )
    return tables, sentences


def _methods(results: Results) -> tuple[dict[Any, dict[str, dict[str, Any]]], list[Any]]:
    """What was explained last of each scenario's augmenters, and scenarios of which all that is outdated.

    It is outdated if a record no longer has the code that it had then.
    """
    runs = results.evidence.runs
    found: dict[Any, dict[str, dict[str, Any]]] = {}
    outdated = set()
    of_run = {
        identity: (scenario, label)
        for identity, scenario, label in zip(runs["identity"], runs["scenario"], runs["augmenter"], strict=True)
    }
    for explained in files.below(sorted({Path(folder).parent for folder in runs["folder"]})):
        identity = explained["identity"]
        if identity not in of_run:
            continue
        scenario, label = of_run[identity]
        if results.evidence.records[identity]["code"] == explained["code"]:
            found.setdefault(scenario, {}).setdefault(label, explained)
        else:
            outdated.add(scenario)
    return found, [scenario for scenario in results.scenarios if scenario in outdated - set(found)]


def _method(label: str, explained: Mapping[str, Any], most: int) -> dict[str, Any]:
    rows = _spread(explained["rows"], most)
    about = (
        f"{len(rows)} of {words.counted(explained['total'], 'synthetic row')}, "
        f"seed {explained['seed']}, fold {explained['fold']}"
    )
    if explained["remark"] is not None:
        about += f"; {shown(explained['remark'])}"
    return {"label": shown(label), "about": about, "lines": [_line(row) for row in rows]}


def _spread(rows: Sequence[Mapping[str, Any]], most: int) -> list[Mapping[str, Any]]:
    """So many rows at most, the first of each class before the second of any; in the order that they had."""
    seen: Counter[str] = Counter()
    turns = []
    for place, row in enumerate(rows):
        turns.append((seen[row["class_name"]], place))
        seen[row["class_name"]] += 1
    return [rows[place] for place in sorted(place for _, place in sorted(turns)[:most])]


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    """One row: its number and class; what each parent gave, and was; and the nearest real row that is no parent."""
    near = row["nearest"]
    return {
        "row": row["row"],
        "class_name": _name(row["class_name"]),
        "parents": list(_parents(row)),
        "off": f"{row['off']:.2f}" if row["off"] is not None and row["off"] > OFF_THE_LINE else None,
        "nearest": None if near is None else {"lead": f"{near['distance']:.3f} away:", **_real(near, row)},
    }


def _parents(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for parent in row["parents"]:
        if parent["share"] is not None:
            lead = f"{words.fixed(parent['share'], 2)} ×".replace("-", "−")
        else:
            lead = f"{row['moved']:.3f} away from" if row["moved"] else "a copy of"
        yield {"lead": lead, **_real(parent, row)}


def _real(real: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "row": real["row"],
        "class_name": _name(real["class_name"]),
        "is_other": real["class_name"] != row["class_name"],
        "text": words.short(real["text"], limits.EXPLAINED_TEXT) if "text" in real else None,
    }


def _name(class_name: str) -> str:
    return words.short(of_class(class_name), limits.EXPLAINED_CLASS)
