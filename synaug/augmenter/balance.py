"""What a sampler was asked to make for each class of a training set, what it made, and why they differ."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synaug.record.fallbacks import fallbacks

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


def warn_of_fallbacks(balance: Mapping[str, Any], class_names: Sequence[str]) -> list[str]:
    """Say once what a whole run's training sets fell back on: one line for all classes; the rest in the log file.

    Parameters
    ----------
    balance
        Of all training sets, as the record's table.

    Returns
    -------
    list of str
        A sentence for each class, for the record.
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
    return sentences
