"""What a fallback made where a sampler could not: one sentence a class, from the balance of all training sets."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Fallback(NamedTuple):
    """What a fallback made of one class's rows, over all training sets.

    Attributes
    ----------
    made, asked
        Rows that it made, and rows that were asked for in the same training sets.
    sentence
        For a reader.
    """

    made: int
    asked: int
    sentence: str


def fallbacks(balance: Mapping[str, Any], class_names: Sequence[str]) -> list[Fallback]:
    """Sum up a record's table `balance`, in the order of the classes; classes without a fallback are left out."""
    rows = [dict(zip(balance["columns"], row, strict=True)) for row in balance["data"]]
    n_sets = len({(row["seed"], row["fold"], row.get("inner")) for row in rows})
    found = []
    for name in class_names:
        cases = [row for row in rows if row["class"] == name and row["made_by_fallback"]]
        if cases:
            made, asked = (sum(row[key] or 0 for row in cases) for key in ("made_by_fallback", "asked"))
            sentence = (
                f"class {name!r}: a fallback made {made} of {asked} rows in {len(cases)} of {n_sets} training sets, "
                f"e.g. {cases[0]['reason']}"
            )
            found.append(Fallback(made, asked, sentence))
    return found
