"""Training sets and curves to the tables of a record."""

from dataclasses import asdict
from typing import Any

import numpy as np

from synaug.record import tables
from synaug.training.fit import Curves
from synaug.training.training_sets import TrainingData


def balance(data: TrainingData) -> dict[str, Any]:
    """The balance contract of every split and class."""
    rows = []
    for training_set in data.training_sets:
        for entry in training_set.augmented.balance:
            fields = asdict(entry) | {"class": data.class_names[entry.label]}
            values = (fields[name] for name in tables.BALANCE_COLUMNS[2:])
            rows.append([training_set.split.seed, training_set.split.fold, *values])
    return tables.as_table(tables.BALANCE_COLUMNS, rows)


def diagnostics(data: TrainingData) -> list[dict[str, Any]]:
    """What the samplers tell of themselves."""
    rows = [
        {"seed": training_set.split.seed, "fold": training_set.split.fold, **row}
        for training_set in data.training_sets
        for row in training_set.augmented.diagnostics
    ]
    for row in rows:
        if isinstance(row.get("class"), int):
            row["class"] = data.class_names[row["class"]]
    return rows


def curves(data: TrainingData, noted: Curves) -> dict[str, Any]:
    """Losses and minority accuracies of every split at every point of its curves."""
    rows = [
        [split.seed, split.fold, int(step), *(float(noted.points[name][point, index]) for name in tables.CURVES)]
        for index, split in enumerate(data.splits)
        for point, step in enumerate(noted.steps)
    ]
    return tables.as_table(tables.CURVE_COLUMNS, rows)


def best(data: TrainingData, noted: Curves) -> dict[str, Any]:
    """The step each split's weights are from, and its gap between training and validation minority accuracy."""
    rows = []
    for index, step in enumerate(noted.best):
        split, point = data.splits[index], int(np.searchsorted(noted.steps, step))
        values = {name: of_splits[point, index] for name, of_splits in noted.points.items()}
        gap = values["train_minority_accuracy"] - values["validation_minority_accuracy"]
        rows.append([split.seed, split.fold, int(step), float(values["validation_loss"]), float(gap)])
    return tables.as_table(tables.BEST_COLUMNS, rows)
