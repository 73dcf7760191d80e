"""What a sampler was asked to make for each class of a training set, what it made, and why they differ."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Balance:
    """What became of one class: `made` rows (of them `made_by_fallback` by another means) where `asked` were wanted.

    Of its `real` rows the sampler `kept` so many. `made` is what the class has more than `real` in the end, and is
    negative where rows were removed. Of the rows that were added, `new` are no copies of given rows: new points.
    `asked` is None where the sampler chooses itself. Where `made` is not `asked`, or a fallback made them, `reason`
    says why.
    """

    label: int
    real: int
    kept: int
    asked: int | None
    made: int
    new: int = 0
    made_by_fallback: int = 0
    reason: str | None = None


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


def warn_of_fallbacks(balance: Mapping[str, Any], class_names: Sequence[str]) -> None:
    """Say once what a whole run's training sets fell back on: one line for all classes; the rest in the log file.

    Parameters
    ----------
    balance
        Of all training sets, as the record's table.
    """
    found = fallbacks(balance, class_names)
    sentences = [each.sentence for each in found]
    if len(sentences) == 1:
        log.warning("%s", sentences[0])
    elif sentences:
        log.warning(
            "in %d of %d classes a fallback made %d of %d rows; %s (the log has the others)",
            len(sentences),
            len(class_names),
            sum(each.made for each in found),
            sum(each.asked for each in found),
            sentences[0],
        )
        for sentence in sentences[1:]:
            log.debug("%s", sentence)
