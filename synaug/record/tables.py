"""The tables of a record: their columns."""

from collections.abc import Iterable
from typing import Any

SCORE_COLUMNS = ("seed", "fold", "decision", "metric", "class", "value")
VALIDATION_COLUMNS = ("seed", "fold", "decision", "metric", "value")
BALANCE_COLUMNS = (
    *("seed", "fold", "inner", "class"),
    *("real", "kept", "asked", "made", "new", "made_by_fallback", "reason"),
)
CURVES = ("train_loss", "prior_corrected_loss", "tuned_loss", "argmax_test")
CURVE_COLUMNS = ("seed", "fold", "step", *CURVES)
BEST_COLUMNS = ("seed", "fold", "decision", "step", "loss", "learned")
TAU_NORM_COLUMNS = ("seed", "fold", "tau", "loss")
# What synthetic rows are like, and what the data are like: nothing is chosen by these, so the code that makes them is
# not in the digest that runs are compared by (`record.code`). A measure that is computed otherwise gets another name.
TRAINING, HELD_BACK = "training", "held_back"  # real rows that others are compared with
QUALITY_COLUMNS = (
    *("seed", "fold", "class", "measure", "against", "value", "real_value"),
    *("rows", "real_rows", "reference_rows"),
)
GEOMETRY_COLUMNS = ("seed", "fold", "class", "measure", "value", "rows")
AMOUNT_COLUMNS = ("seed", "fold", "amount", "loss", "chosen")
LABEL_NOISE_COLUMNS = ("seed", "fold", "class", "rows", "doubtful", "synthetic", "with_parents", "with_doubtful_parent")
# Tables of a look inside that failed, by a fault of synaug, and so are empty.
FAULT_COLUMNS = ("seed", "table", "error")


def as_table(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> dict[str, Any]:
    """A table as JSON: column names once, then rows."""
    return {"columns": list(columns), "data": [list(row) for row in rows]}
