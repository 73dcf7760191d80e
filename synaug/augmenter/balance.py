"""The account of a training set: what was asked of a sampler for each class, what it made, and why fewer."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Balance:
    """What became of one class: `made` rows (of them `made_by_fallback` by another means) where `asked` were wanted.

    Numbers are negative where a sampler removes rows. `asked` is None where the sampler chooses
    itself. Where `made` is not `asked`, or a fallback made them, `reason` says why.
    """

    label: int
    real: int
    asked: int | None
    made: int
    made_by_fallback: int = 0
    reason: str | None = None


def warn_of_fallbacks(balances: Sequence[Sequence[Balance]], class_names: Sequence[str]) -> list[str]:
    """Say once what a whole run's members fell back on.

    Returns
    -------
    list of str
        The sentences, also logged as warnings.
    """
    sentences = []
    for label, name in enumerate(class_names):
        cases = [entry for balance in balances for entry in balance if entry.label == label and entry.made_by_fallback]
        if cases:
            sentences.append(
                f"class {name!r}: a fallback made {sum(case.made_by_fallback for case in cases)} of "
                f"{sum(case.asked or 0 for case in cases)} rows in {len(cases)} of {len(balances)} members, "
                f"e.g. {cases[0].reason}"
            )
    for sentence in sentences:
        log.warning(sentence)
    return sentences
