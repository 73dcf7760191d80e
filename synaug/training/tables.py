"""Training sets and curves to the tables of a record."""

from dataclasses import asdict
from typing import Any

import numpy as np

from synaug.record import tables
from synaug.scores.decision import CANDIDATES
from synaug.scores.label_noise import doubtful
from synaug.training.amounts import Fitted
from synaug.training.predictions import Curves, Predictions
from synaug.training.training_sets import TrainingData


def balance(data: TrainingData) -> dict[str, Any]:
    """The balance contract of every training set and class; of replicas, which are asked for the same, the first."""
    rows = []
    for training_set in data.training_sets:
        if training_set.replica:
            continue
        where = [training_set.split.seed, training_set.split.fold, training_set.inner]
        for entry in training_set.augmented.balance:
            fields = asdict(entry) | {"class": data.class_names[entry.label]}
            rows.append([*where, *(fields[name] for name in tables.BALANCE_COLUMNS[3:])])
    return tables.as_table(tables.BALANCE_COLUMNS, rows)


def diagnostics(data: TrainingData) -> list[dict[str, Any]]:
    """What the samplers tell of themselves, where they were given all rows of a split."""
    rows = [
        {"seed": training_set.split.seed, "fold": training_set.split.fold, **row}
        for training_set in data.whole
        for row in training_set.augmented.diagnostics
    ]
    for row in rows:
        if isinstance(row.get("class"), int):
            row["class"] = data.class_names[row["class"]]
    return rows


def curves(data: TrainingData, noted: Curves) -> dict[str, Any]:
    """Losses of every split at every look, and what argmax scores then; null after its inner members have stopped."""
    rows = [
        [split.seed, split.fold, int(step), *(_number(noted.points[name][point, index]) for name in tables.CURVES)]
        for index, split in enumerate(data.splits)
        for point, step in enumerate(noted.steps)
    ]
    return tables.as_table(tables.CURVE_COLUMNS, rows)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def tau_norm(data: TrainingData, predictions: Predictions) -> dict[str, Any]:
    """The tau that each split chose, and its loss; nothing of a classifier that does not end in a linear layer."""
    rows = [
        [split.seed, split.fold, of_split.tau_norm.tau, of_split.tau_norm.loss]
        for split, of_split in zip(data.splits, predictions.splits, strict=True)
        if of_split.tau_norm is not None
    ]
    return tables.as_table(tables.TAU_NORM_COLUMNS, rows)


def amounts(fitted: Fitted) -> dict[str, Any]:
    """The out-of-fold loss of each amount in each split, and which was chosen; nothing where there was one amount."""
    rows = [
        [split.seed, split.fold, amount, float(fitted.losses[index, place]), bool(fitted.chosen[place] == index)]
        for place, split in enumerate(fitted.data.splits)
        for index, amount in enumerate(fitted.amounts)
        if len(fitted.amounts) > 1
    ]
    return tables.as_table(tables.AMOUNT_COLUMNS, rows)


def best(data: TrainingData, predictions: Predictions) -> dict[str, Any]:
    """The step that each split's rule chose, its loss, and whether anything was learned by then."""
    rows = [
        [split.seed, split.fold, rule, chosen.step, chosen.loss, bool(chosen.loss < chosen.chance)]
        for split, of_split in zip(data.splits, predictions.splits, strict=True)
        for rule, chosen in of_split.chosen.items()
    ]
    return tables.as_table(tables.BEST_COLUMNS, rows)


def label_noise(data: TrainingData, predictions: Predictions) -> dict[str, Any]:
    """Rows whose label the models that did not train on them doubt, and synthetic rows that were made of such.

    Of each split and class: `rows`, training rows that were left out to choose by, and the `doubtful` ones among them,
    by the log probabilities of `CANDIDATES[0]` (no fitted offset); of the fit on all rows (of replicas, of the first)
    the `synthetic` rows, those `with_parents` (with a parent among the rows judged, as far as the sampler tells), and
    of these those `with_doubtful_parent`. Under ``validation=holdout`` few rows are judged. Under ``oracle`` no row
    that trains is, and the table is empty.
    """
    wholes = {training_set.place: training_set for training_set in data.whole if training_set.replica == 0}
    n_classes = len(data.class_names)
    rows = []
    for place, (split, of_split) in enumerate(zip(data.splits, predictions.splits, strict=True)):
        trains = np.isin(split.out_of_fold, split.train)
        if not trains.any():
            continue
        judged = split.out_of_fold[trains]
        labels = data.labels[judged]
        is_doubtful = doubtful(of_split.chosen[CANDIDATES[0].name].out_of_fold[trains], labels)
        augmented = wholes[place].augmented
        parents = wholes[place].rows[augmented.parents]  # of a row that has none, some row
        has_parents = (augmented.parents[:, 0] >= 0) & np.isin(parents, judged).any(axis=1)
        of_doubtful = has_parents & np.isin(parents, judged[is_doubtful]).any(axis=1)
        counts = [
            np.bincount(some, minlength=n_classes).tolist()
            for some in (
                labels,
                labels[is_doubtful],
                augmented.labels,
                augmented.labels[has_parents],
                augmented.labels[of_doubtful],
            )
        ]
        rows += [
            [split.seed, split.fold, name, *of_class] for name, *of_class in zip(data.class_names, *counts, strict=True)
        ]
    return tables.as_table(tables.LABEL_NOISE_COLUMNS, rows)
