"""Examples of synthetic rows for a report's page: ``synaug explain multirun/mine --page``."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synaug.command.remake import Remade, Wanted, described_rows, makes_rows, of_first_loss, remake
from synaug.errors import UserError
from synaug.files.escaping import say, shown, wrapped
from synaug.record import explained as explained_files

NEAREST = 3  # one of them is no parent


def write_examples(asked: argparse.Namespace) -> None:
    """Make one split of each run again, and write some of its synthetic rows beside it.

    Of runs that differ in the loss alone, one is taken: their rows are the same.

    Raises
    ------
    UserError
        If a split cannot be made again, or no run made synthetic rows.
    """
    from synaug.comparison import evidence as evidences

    written: list[Path] = []
    for scenario, runs in evidences.read(asked.runs).runs.groupby("scenario", sort=False):
        told = []
        for label, folder in of_first_loss(runs)[["augmenter", "folder"]].itertuples(index=False):
            run = Path(folder)
            if not makes_rows(run):
                continue
            sys.stderr.write(wrapped(f"making {label} again\n"))
            remade = remake(Wanted(run, asked.seed, asked.fold, None, asked.settings, asked.config_dir, asked.trust))
            found = examples(remade, asked.examples, texts=asked.texts)
            if found is not None:
                written.append(explained_files.write(run, found))
                told.append(label)
        if told:
            say(f"{shown(scenario)}: {shown(', '.join(told))}\n")
    if not written:
        named = ", ".join(map(str, asked.runs))
        raise UserError(f"no run below {named} made synthetic rows: give a run whose augmenter adds some")
    folders = list(dict.fromkeys(str(path.parent.parent) for path in written))
    for folder in folders:
        say(f"synaug report {folder} puts them on its page\n")


def examples(remade: Remade, of_each_class: int, *, texts: bool) -> dict[str, Any] | None:
    """Some synthetic rows of a split, as a file of `synaug.record.explained` holds them; None where there are none."""
    described = described_rows(remade, NEAREST, texts=texts)
    total = len(described.lineage)
    if not total:
        return None
    n_classes = len(described.by_class())
    places = described.examples(min(of_each_class, max(1, explained_files.MOST_ROWS // n_classes)))
    split = remade.training_set.split
    return {
        "identity": remade.record["identity"],
        "code": remade.record["code"],
        "seed": split.seed,
        "fold": split.fold,
        "remark": remade.remark,
        "total": total,
        "rows": [_row(row) for row in described.rows(places[: explained_files.MOST_ROWS])],
    }


def _row(told: Mapping[str, Any]) -> dict[str, Any]:
    other = next((near for near in told["nearest"] if not near["is_parent"]), None)
    return {
        "row": told["row"],
        "class_name": told["class"],
        "parents": [{**_real(parent), "share": parent["share"]} for parent in told["parents"]],
        "off": told["off"],
        "moved": told["moved"],
        "nearest": None if other is None else {**_real(other), "distance": other["distance"]},
    }


def _real(told: Mapping[str, Any]) -> dict[str, Any]:
    real = {"row": told["row"], "class_name": told["class"]}
    return {**real, "text": shown(told["text"])[: explained_files.LONGEST_TEXT]} if "text" in told else real
