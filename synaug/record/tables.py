"""The tables of a record: their columns."""

from collections.abc import Iterable
from typing import Any

SCORE_COLUMNS = ("seed", "fold", "decision", "metric", "class", "value")
VALIDATION_COLUMNS = ("seed", "fold", "decision", "metric", "value")
BALANCE_COLUMNS = ("seed", "fold", "class", "real", "kept", "asked", "made", "made_by_fallback", "reason")
CURVES = ("train_loss", "validation_loss", "train_minority_accuracy", "validation_minority_accuracy")
CURVE_COLUMNS = ("seed", "fold", "step", *CURVES)
BEST_COLUMNS = ("seed", "fold", "step", "validation_loss", "minority_accuracy_gap")


def as_table(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> dict[str, Any]:
    """A table as JSON: column names once, then rows."""
    return {"columns": list(columns), "data": [list(row) for row in rows]}
