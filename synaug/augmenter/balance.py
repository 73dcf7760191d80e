"""What a sampler was asked to make for each class of a training set, what it made, and why they differ."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

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


def warn_of_fallbacks(balances: Sequence[Sequence[Balance]], class_names: Sequence[str]) -> list[str]:
    """Say once what a whole run's splits fell back on: one line, however many classes; the rest in the log file.

    Returns
    -------
    list of str
        A sentence for each class, for the record.
    """
    sentences = []
    n_made = n_asked = 0
    for label, name in enumerate(class_names):
        cases = [entry for balance in balances for entry in balance if entry.label == label and entry.made_by_fallback]
        if cases:
            made, asked = sum(case.made_by_fallback for case in cases), sum(case.asked or 0 for case in cases)
            n_made, n_asked = n_made + made, n_asked + asked
            sentences.append(
                f"class {name!r}: a fallback made {made} of {asked} rows in {len(cases)} of {len(balances)} splits, "
                f"e.g. {cases[0].reason}"
            )
    if len(sentences) == 1:
        log.warning("%s", sentences[0])
    elif sentences:
        log.warning(
            "in %d of %d classes a fallback made %d of %d rows; %s (the log has the others)",
            len(sentences),
            len(class_names),
            n_made,
            n_asked,
            sentences[0],
        )
        for sentence in sentences[1:]:
            log.debug("%s", sentence)
    return sentences
