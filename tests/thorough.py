"""How much of what could be tried is tried: a part in the continuous integration, all of it by `make thorough`."""

import os
from collections.abc import Iterable
from typing import TypeVar

Case = TypeVar("Case")

THOROUGH = os.environ.get("SYNAUG_THOROUGH") == "1"


def some(cases: Iterable[Case], count: int) -> list[Case]:
    """So many of the cases, spread evenly over them and always the same, the first and the last among them.

    For cases of one kind that differ in where they strike; a case that is the only one of its kind is always tried.
    """
    every = list(cases)
    if THOROUGH or count >= len(every):
        return every
    return [every[round(place * (len(every) - 1) / max(count - 1, 1))] for place in range(count)]
