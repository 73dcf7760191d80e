"""A record's scores as the table that the console shows."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from synaug.files.escaping import shown
from synaug.scores.decision import RULES
from synaug.settings import names

TABLE_METRICS = (
    "balanced_accuracy",
    "f1_macro",
    "minority_recall",
    "majority_recall",
    "accuracy",
    "auroc_macro",
    "log_loss",
    "calibration_error",
)


def summary(record: Mapping[str, Any]) -> str:
    """The run's table: scores × decision rules, mean ± standard deviation over splits."""
    frame = pd.DataFrame(record["scores"]["data"], columns=record["scores"]["columns"])
    overall = frame[frame["class"].isna()]
    grouped = overall.groupby(["metric", "decision"])["value"]
    mean, std = grouped.mean().unstack(), grouped.std(ddof=1).unstack()
    metrics = [name for name in TABLE_METRICS if name in mean.index]
    columns = [["", *metrics]]
    for rule in RULES:
        if rule in mean:  # which one of them is not, where the classifier does not allow it
            columns.append([rule, *(f"{mean[rule][name]:.3f} ± {std[rule][name]:.3f}" for name in metrics)])
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in zip(*columns, strict=True)
    ]
    n_splits = len(overall[["seed", "fold"]].drop_duplicates())
    heading = f"mean ± standard deviation over {n_splits} splits (seeds × folds)"
    return "\n".join([heading, *lines, _minority_rows(record)])


def _minority_rows(record: Mapping[str, Any]) -> str:
    """How many real minority rows train and how many validate (the latter choose weights and offsets).

    Where a sampler removed real rows, those that remain, over all splits, and of which other classes.
    """
    data, balance = record["data"], pd.DataFrame(**record["balance"])
    if "inner" in balance:  # which records of before lack, as they lack `kept`
        balance = balance[balance.inner.isna()]
    given = (
        balance[(balance.seed == balance.seed.iloc[0]) & (balance.fold == balance.fold.iloc[0])].set_index("class").real
    )
    kept = {} if "kept" not in balance else _kept(balance)  # records of before lack the column
    left_out = dict(zip(data["class_names"], _left_out(data), strict=True))
    # Other classes may be the minority of other seeds.
    minority = next(iter(data.get("minority_by_seed", {}).values()), data["minority"])[:5]
    numbers = {name: f"{kept.get(name, given[name])} and {left_out[name]}" for name in minority}
    rows = [names.of_class_with(shown(name), words) for name, words in numbers.items()]
    lines = [f"real minority rows that train, and that are left out to choose by: {', '.join(rows) or 'no minority'}"]
    others = [names.of_class_with(shown(name), words) for name, words in kept.items() if name not in minority]
    if others:
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        lines.append(f"real rows of other classes that the sampler kept: {', '.join(others[:5])}{more}")
    return "\n".join(lines)


def _left_out(data: Mapping[str, Any]) -> list[int]:
    """Rows of each class that are left out to choose by, in the first split; of older records those that validate."""
    by_seed = data.get("out_of_fold_rows_by_seed")
    rows: list[int] = next(iter(by_seed.values())) if by_seed else data["validation_rows_per_class"]
    return rows


def _kept(balance: pd.DataFrame) -> dict[str, str]:
    """Of each class of which some split kept fewer real rows than it was given: "3 to 5 of 6"."""
    words = {}
    for name, rows in balance[balance["class"].isin(balance[balance.kept < balance.real]["class"])].groupby(
        "class", sort=False
    ):
        numbers = [f"{low}" if low == high else f"{low} to {high}" for low, high in _ranges(rows[["kept", "real"]])]
        words[str(name)] = " of ".join(numbers)
    return words


def _ranges(columns: pd.DataFrame) -> Iterable[tuple[int, int]]:
    return [(int(columns[name].min()), int(columns[name].max())) for name in columns]
