"""One division of some rows by a validation: what it leaves out must train nothing, and no test row may be in it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synaug import settings
from synaug.command.check.instantiation import REFUSALS, refusal
from synaug.errors import UserError
from synaug.settings import written

if TYPE_CHECKING:
    from synaug.splits import Outside, Validation

Rows = NDArray[np.int64]

# Enough for any validation but one that asks for many inner folds.
ROWS_OF_A_CLASS = 40


def division_problems(validation: "Validation", target: str) -> Iterator[str]:
    """Have a validation divide the rows outside a test fold, and look at what it makes of them."""
    from synaug.splits import Outside

    labels = np.arange(2 * ROWS_OF_A_CLASS) % 2
    # Every tenth row of a class is a test row.
    outside = Outside("trial", 0, 0, np.flatnonzero(np.arange(len(labels)) // 2 % 10 > 0), labels, 2)
    try:
        said = _wrong(validation, outside)
    except UserError:  # too few rows
        return
    except (*REFUSALS, IndexError) as error:
        yield refusal("validation", error)
        return
    if said is not None:
        yield f"validation._target_={target} {said}: mend it, as synaug.splits.Validation says, or choose nested"


def _wrong(validation: "Validation", outside: "Outside") -> str | None:
    from synaug.splits import InnerFold, misuse

    finals = settings.OF_A_TARGET["synaug.validation.Nested"]["final"]
    if not finals.takes(validation.final):
        return f"has final={written(validation.final)}, which must be {finals.said}"

    def half(rows: Rows) -> Rows:
        of_classes = [rows[outside.labels[rows] == label] for label in range(outside.n_classes)]
        return np.sort(np.concatenate([of_class[: (len(of_class) + 1) // 2] for of_class in of_classes]))

    divided: Any = validation.divide(outside, half)
    if not isinstance(divided, tuple) or len(divided) != 2:
        return "must divide rows into a pair, those that train and a tuple of inner folds"
    train, folds = divided
    if not isinstance(folds, tuple) or not folds or not all(isinstance(fold, InnerFold) for fold in folds):
        return "must give at least one inner fold, and all of them as synaug.splits.InnerFold in a tuple"
    return misuse(outside, np.asarray(train), folds)
