"""The rows that maps show: what `synaug.command.draw_maps` does.

Each method's split is made again (`synaug.command.remake`); nothing is trained.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synaug.command.remake import Remade, Wanted, makes_rows, of_first_loss, remake
from synaug.errors import UserError
from synaug.files.escaping import say, shown, wrapped
from synaug.files.sign_of_life import busy
from synaug.record import maps as map_files

if TYPE_CHECKING:
    import pandas as pd

TEXT_LENGTH = 160


def draw(asked: argparse.Namespace) -> None:
    """Draw the maps, and say where they are.

    Raises
    ------
    UserError
        If nothing can be drawn.
    """
    from synaug.comparison import evidence as evidences
    from synaug.quality.maps import KINDS

    kinds = tuple(dict.fromkeys(filter(None, asked.kind.split(","))))
    wrong = [kind for kind in kinds if kind not in KINDS]
    if wrong or not kinds:
        raise UserError(f"--kind {asked.kind} is not a list of projections: choose among {', '.join(KINDS)}")
    if not 4 <= asked.most <= map_files.MOST_ROWS // 2:
        raise UserError(f"--most {asked.most} must be between 4 and {map_files.MOST_ROWS // 2}")
    evidence = evidences.read([asked.folder])
    drawn, without = 0, []
    for scenario, of_scenario in evidence.runs.groupby("scenario", sort=False):
        if asked.scenario is not None and asked.scenario not in str(scenario):
            continue
        runs = of_first_loss(of_scenario)
        runs = runs[[makes_rows(Path(folder)) for folder in runs["folder"]]]
        if runs.empty:
            continue
        seed = _common_seed(runs, evidence.records) if asked.seed is None else asked.seed
        if seed is None:
            without.append(_without_a_seed(str(scenario), runs, evidence.records))
            continue
        found = _map(asked, kinds, runs, seed)
        path = map_files.write(Path(runs["folder"].iloc[0]).parent, found)  # where a report looks, whatever was given
        drawn += 1
        labels = ", ".join(method["label"] for method in found["methods"])
        say(f"{shown(scenario)}: {shown(labels)}: {path}\n")
    if not drawn:
        of = "" if asked.scenario is None else f" in a scenario whose name contains {asked.scenario!r}"
        nothing = f"no run below {asked.folder} made synthetic rows{of}, so there is nothing to draw: choose other runs"
        raise UserError("; ".join(without) or nothing)
    for sentence in without:
        sys.stderr.write(wrapped(f"{sentence}\n"))
    say(f"synaug report {asked.folder} puts them on its page\n")


def _common_seed(runs: "pd.DataFrame", records: Mapping[str, Mapping[str, Any]]) -> int | None:
    """The least seed that all of some runs have: rows of one split may test in another. None if there is none."""
    common = set.intersection(*(set(records[identity]["config"]["seeds"]) for identity in runs["identity"]))
    return min(common, default=None)


def _without_a_seed(scenario: str, runs: "pd.DataFrame", records: Mapping[str, Mapping[str, Any]]) -> str:
    seeds = {
        label: ", ".join(map(str, sorted(records[identity]["config"]["seeds"])))
        for label, identity in runs[["augmenter", "identity"]].itertuples(index=False)
    }
    listed = "; ".join(f"{label}: {of_run}" for label, of_run in seeds.items())
    return f"no map of {scenario}, as no seed is common to all of its methods ({listed}): run them with a common seed"


def _map(asked: argparse.Namespace, kinds: Sequence[str], runs: "pd.DataFrame", seed: int) -> dict[str, Any]:
    """The map of one scenario, of a run of each augmenter that made rows."""
    from synaug.quality.maps import project

    remade: dict[str, tuple[str, Remade]] = {}
    for label, identity, folder in runs[["augmenter", "identity", "folder"]].itertuples(index=False):
        sys.stderr.write(wrapped(f"making {label} again\n"))
        wanted = Wanted(Path(folder), seed, asked.fold, None, asked.settings, asked.config_dir, asked.trust)
        with busy(f"making {label} again"):
            remade[identity] = (label, remake(wanted))
    first = next(iter(remade.values()))[1]
    split, embeddings, labels = first.training_set.split, first.data.embeddings, first.data.labels
    some, parents = {}, {}
    for identity, (_, each) in remade.items():
        some[identity] = chosen_rows(each.training_set.augmented.labels, asked.most)
        parents[identity] = each.data.parents(each.place)[some[identity]]
    trains, held = first.training_set.rows, split.held_back
    times = _times_parent(list(parents.values()), len(labels))
    n_held = min(len(held), asked.most - min(len(trains), asked.most // 2))  # half each, or what the other leaves
    trains = trains[chosen_rows(labels[trains], asked.most - n_held, times[trains])]
    held = held[chosen_rows(labels[held], n_held)]
    real = np.concatenate([trains, held])
    place_of = np.full(len(labels), -1)
    place_of[real] = np.arange(len(real))
    points = [each.training_set.augmented.synthetic_embeddings[some[key]] for key, (_, each) in remade.items()]
    places: dict[str, list[list[int]]] = {}
    for kind in kinds:
        sys.stderr.write(f"projecting by {kind}\n")
        with busy(f"projecting by {kind}"):
            fitted, applied = project(kind, embeddings[real], points)
        places[kind] = _on_a_square([fitted, *applied])
    drawn_real: dict[str, Any] = {
        "total": len(first.training_set.rows) + len(split.held_back),
        "labels": labels[real].tolist(),
        "trains": [1] * len(trains) + [0] * len(held),
        "places": {kind: places[kind][0] for kind in kinds},
    }
    if asked.texts:
        drawn_real["texts"] = [shown(first.texts.texts[row])[:TEXT_LENGTH] for row in real]
    methods = []
    for number, (identity, (label, each)) in enumerate(remade.items(), 1):
        known = np.where(parents[identity] < 0, -1, place_of[parents[identity]])
        methods.append(
            {
                "identity": identity,
                "label": label,
                "total": len(each.training_set.augmented.labels),
                "labels": each.training_set.augmented.labels[some[identity]].tolist(),
                "parents": known.ravel().tolist(),
                "places": {kind: places[kind][number] for kind in kinds},
            }
        )
    return {
        "code": first.record["code"],
        "seed": split.seed,
        "fold": split.fold,
        "kinds": list(kinds),
        "class_names": list(first.data.class_names),
        "real": drawn_real,
        "methods": methods,
    }


def chosen_rows(labels: NDArray[np.int64], most: int, times: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Which rows are drawn: small classes whole, and of larger ones as many each.

    Half of the places are shared by all classes alike. The other half goes to parents of drawn synthetic rows, and
    what they leave to the rest, again by class alike. Of a class, those that are parents most often come first, and
    the others are evenly spaced.

    Parameters
    ----------
    labels
        int64 `[n]`.
    most
        So many rows are chosen, or all where there are fewer.
    times
        int64 `[n]`: how often each is a parent of a drawn row; never if not given.

    Returns
    -------
    ndarray
        Places of the chosen rows, ascending.
    """
    if len(labels) <= most:
        return np.arange(len(labels))
    times = np.zeros(len(labels), np.int64) if times is None else times
    sizes = np.bincount(labels)
    n_parents = np.bincount(labels[times > 0], minlength=len(sizes))
    counts = _raised(np.zeros_like(sizes), sizes, most // 2)
    counts = _raised(counts, np.maximum(counts, n_parents), most)
    counts = _raised(counts, sizes, most)
    found = []
    for label in np.flatnonzero(counts):
        of_class = np.flatnonzero(labels == label)
        order = of_class[np.argsort(-times[of_class], kind="stable")]
        first, others = order[: n_parents[label]][: counts[label]], order[n_parents[label] :]
        left = counts[label] - len(first)
        found += [first, others[np.linspace(0, len(others) - 1, left).astype(int)] if left else others[:0]]
    return np.sort(np.concatenate(found))


def _raised(counts: NDArray[np.int64], limits: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Counts raised to one level, each within its limit, so far that their sum is `most` if limits allow."""

    def at(level: int) -> NDArray[np.int64]:
        return np.maximum(counts, np.minimum(limits, level))

    low, high = 0, int(limits.max())
    while low < high:  # the highest level that does not go beyond
        middle = (low + high + 1) // 2
        low, high = (middle, high) if at(middle).sum() <= most else (low, middle - 1)
    raised = at(low)
    more = np.flatnonzero((raised <= low) & (raised < limits))[: max(0, most - int(raised.sum()))]
    raised[more] += 1
    return raised


def _times_parent(parents: Sequence[NDArray[np.int64]], n: int) -> NDArray[np.int64]:
    """How often each of `n` rows is a parent, `[n]`."""
    known = np.concatenate([each.ravel() for each in parents])
    return np.bincount(known[known >= 0], minlength=n)


def _on_a_square(groups: Sequence[Any]) -> list[list[int]]:
    """Points as whole numbers on one square, x and y in turn; y grows upwards."""
    together = np.concatenate(groups)
    low, high = together.min(0), together.max(0)
    scale = (map_files.SIDE - 1) / max(float((high - low).max()), 1e-12)
    middle = (map_files.SIDE - 1 - (high - low) * scale) / 2
    return [np.rint((points - low) * scale + middle).astype(int).ravel().tolist() for points in groups]
