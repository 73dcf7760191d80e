"""Synthetic rows as plain values: for a file, and for a reader of the console."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from synaug.files.escaping import shown
from synaug.quality.lineage import Lineage, Nearest, uses
from synaug.settings.names import of_class
from synaug.training.training_sets import TrainingSet

SHORT, LONG = 90, 300  # characters of a text in a list, and where it stands on a line of its own
MOST_USED = 5
PARENTS_TOLD = 2
TEXT, WRITTEN = "text", "written"


@dataclass(frozen=True)
class Described:
    """The synthetic rows of one training set, in words.

    Parameters
    ----------
    lineage
        What each was made of.
    training_set
        That they are of.
    labels, class_names
        int64 `[n]`, of the whole data set, and one for each class.
    texts
        `n` texts; None leaves them out.
    written
        The text of each synthetic row, where somebody wrote them; empty of others.
    """

    lineage: Lineage
    training_set: TrainingSet
    labels: Any
    class_names: Sequence[str]
    texts: Sequence[str] | None
    written: Sequence[str] | None = None

    def row(self, place: int) -> dict[str, Any]:
        """One synthetic row.

        Returns
        -------
        dict
            `row` (its number); `class`; `written`, where somebody wrote its text; `parents`, each with `row`, `class`,
            `text` and `share` of the sum (null of an only parent); `off` and `moved`, as in `Lineage`; `nearest` and
            `held_back`, each with `row`, `class`, `text`, `distance` and `is_parent`; and whether the nearest real row
            that trains is of another class: `another_class`, and `another_class_besides` of the nearest that is no
            parent.
        """
        lineage = self.lineage
        first, second = lineage.parents[place].tolist()
        step = lineage.step[place]
        shares = {first: None} if first == second else {first: 1 - step, second: step}
        return {
            "row": place,
            "class": self.class_names[lineage.labels[place]],
            **({WRITTEN: self.written[place]} if self.written and self.written[place] else {}),
            "parents": [
                {**self._real(row), "share": None if share is None or np.isnan(share) else float(share)}
                for row, share in shares.items()
                if row >= 0
            ],
            "off": _number(lineage.off[place]),
            "moved": _number(lineage.moved[place]),
            "nearest": self._near(lineage.nearest, place, shares),
            "held_back": self._near(lineage.held_back, place, shares),
            "another_class": bool(self._another[place]),
            "another_class_besides": bool(self._another_besides[place]),
        }

    def rows(self, places: Sequence[int]) -> list[dict[str, Any]]:
        """Several of them."""
        return [self.row(place) for place in places]

    def examples(self, of_each_class: int) -> list[int]:
        """Some rows of each class, evenly spaced: places."""
        found: list[int] = []
        for label in np.unique(self.lineage.labels):
            places = np.flatnonzero(self.lineage.labels == label)
            n = min(of_each_class, len(places))
            found += places[np.unique(np.linspace(0, len(places) - 1, n).astype(int))].tolist()
        return found

    def by_class(self) -> list[dict[str, Any]]:
        """Of each class that rows were made of: how many, of how many parents is known, how many lie near others.

        Returns
        -------
        list of dict
            `class`, `real` (rows that train), `synthetic`, `with_parents`, `parents` (real rows that are one),
            `another_class` and `another_class_besides` (synthetic rows of which `row` says so).
        """
        lineage, real = self.lineage, np.bincount(self.labels[self.training_set.real], minlength=len(self.class_names))
        found = []
        for label in np.unique(lineage.labels):
            of_class = lineage.labels == label
            parents = lineage.parents[of_class]
            found.append(
                {
                    "class": self.class_names[label],
                    "real": int(real[label]),
                    "synthetic": int(of_class.sum()),
                    "with_parents": int((parents[:, 0] >= 0).sum()),
                    "parents": len(uses(parents)),
                    "another_class": int(self._another[of_class].sum()),
                    "another_class_besides": int(self._another_besides[of_class].sum()),
                }
            )
        return found

    def most_used(self, of_each_class: int = MOST_USED) -> list[dict[str, Any]]:
        """The real rows that most synthetic rows of a class have as a parent: `of`, `row`, `class`, `times`, `text`."""
        return [
            {"of": self.class_names[label], **self._real(row), "times": times}
            for label in np.unique(self.lineage.labels)
            for row, times in uses(self.lineage.parents[self.lineage.labels == label])[:of_each_class]
        ]

    @cached_property
    def _another(self) -> Any:
        return self.lineage.of_another_class(self.labels)

    @cached_property
    def _another_besides(self) -> Any:
        return self.lineage.of_another_class(self.labels, besides=True)

    def _real(self, row: int) -> dict[str, Any]:
        told = {"row": int(row), "class": self.class_names[self.labels[row]]}
        return told if self.texts is None else {**told, TEXT: self.texts[row]}

    def _near(self, near: Nearest, place: int, parents: Mapping[int, Any]) -> list[dict[str, Any]]:
        return [
            {**self._real(row), "distance": float(distance), "is_parent": row in parents}
            for row, distance in zip(near.rows[place].tolist(), near.distances[place].tolist(), strict=True)
        ]


def told(entry: Mapping[str, Any], length: int = LONG) -> Iterator[str]:
    """A row of `Described.row` for a reader, line by line.

    Parameters
    ----------
    length
        Characters of a text.
    """
    another = ""
    if entry["another_class"]:
        another = ", whose nearest real row is of another class"
    elif entry["another_class_besides"]:
        another = ", whose nearest real row apart from its parents is of another class"
    yield f"row {entry['row']}: {of_class(shown(entry['class']))}{another}"
    parents = entry["parents"]
    if WRITTEN in entry:
        yield f"  written: {cut(entry[WRITTEN], length)}"
        for parent in parents:
            yield f"  derived from {_line(parent, length)}"
        if len(parents) == 1:
            yield f"  whose embedding is {entry['moved'] or 0:.3f} away"
    elif not parents:
        yield "  its parents are not known: the sampler does not name them, and the row lies between no two real rows"
    elif len(parents) == 1:
        yield f"  {_moved(entry['moved'])} {_line(parents[0], length)}"
    else:
        for lead, parent in zip(("made of", "    and"), parents, strict=False):
            yield f"  {lead} {parent['share']:.2f} × {_line(parent, length)}"
        if entry["off"] is not None and entry["off"] > 1e-3:
            yield f"  and off the line through both by {entry['off']:.2f} times their distance"
    for name, title in (("nearest", "nearest real rows that train"), ("held_back", "nearest real rows held back")):
        if entry[name]:
            yield f"  {title}, with their distances:"
            for near in entry[name]:
                yield f"    {near['distance']:.3f}  {_line(near, length)}"


def _moved(moved: float | None) -> str:
    if not moved:
        return "a copy of"
    return f"made around one row, {moved:.3f} away from it:"


def _line(real: Mapping[str, Any], length: int) -> str:
    mark = ", a parent" if real.get("is_parent") else ""
    text = f": {cut(real[TEXT], length)}" if TEXT in real else ""
    return f"row {real['row']} ({of_class(shown(real['class']))}{mark}){text}"


def cut(text: str, length: int) -> str:
    """A text on one line, in quotes, so many characters at most."""
    line = shown(text)
    return f"“{line}”" if len(line) <= length else f"“{line[: length - 1].rstrip()}…”"


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
