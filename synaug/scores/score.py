"""A trained stack's predictions to the tables of its record."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synaug import record
from synaug.classifier.module import Classifier
from synaug.dataset import LabelledTexts
from synaug.escaping import shown
from synaug.files.atomic import replacing
from synaug.files.digest import file_sha256
from synaug.scores import decision, metrics
from synaug.training.datamodule import EmbeddingDataModule

CURVES = ("train_loss", "validation_loss", "train_minority_accuracy", "validation_minority_accuracy")
BALANCE_COLUMNS = ("seed", "fold", "class", "real", "kept", "asked", "made", "made_by_fallback", "reason")
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


def score(
    datamodule: EmbeddingDataModule,
    validation: Sequence[NDArray[np.float64]],
    test: Sequence[NDArray[np.float64]],
    target_prior: str,
) -> dict[str, Any]:
    """Score every member under every decision rule, from the same trained weights.

    The validation rows are scored, too: a comparison that chooses a rule must choose it there.
    There the tuned offsets are cross-fitted, as they were chosen on the same rows.

    Parameters
    ----------
    validation, test
        Log probabilities `[n_rows, n_classes]` of each member.
    target_prior
        ``uniform``, or ``natural`` for the class frequencies of the member's rows outside the test fold
        (which are those of the data set under ``imbalance_ratio=natural``).
    """
    names = datamodule.class_names
    rows: record.Scores = []
    validation_rows, confusion, offsets = [], [], []
    reliability = {rule: np.zeros((metrics.CALIBRATION_BINS, 3)) for rule in decision.RULES}
    for index, member in enumerate(datamodule.members):
        labels = datamodule.labels[member.test]
        validation_labels = datamodule.labels[member.validation]
        target = np.full(len(names), 1 / len(names))
        if target_prior == "natural":
            outside = datamodule.labels[np.concatenate([member.train, member.validation])]
            target = np.bincount(outside, minlength=len(names)) / len(outside)
        rules = {
            "argmax": np.zeros(len(names)),
            "prior_corrected": decision.prior_correction(datamodule.class_frequencies()[index], target),
            "tuned": decision.tune(validation[index], validation_labels, target),
        }
        for rule in decision.RULES:
            probabilities = decision.shift(test[index], rules[rule])
            where = {"seed": member.seed, "fold": member.fold, "decision": rule}
            for metric, label, value in metrics.scores(labels, probabilities, datamodule.minority):
                name = None if label is None else names[label]
                rows.append((member.seed, member.fold, rule, metric, name, float(value)))
            reliability[rule] += metrics.reliability(labels, probabilities)
            known = (
                decision.cross_fitted(validation[index], validation_labels, target)
                if rule == "tuned"
                else decision.shift(validation[index], rules[rule])
            )
            for metric, value in metrics.overall_scores(validation_labels, known, datamodule.minority).items():
                validation_rows.append((member.seed, member.fold, rule, metric, value))
            confusion.append({**where, "matrix": metrics.confusion(labels, probabilities)})
            offsets.append({**where, "offset": rules[rule].tolist()})
    return {
        "scores": record.as_table(record.SCORE_COLUMNS, rows),
        "validation_scores": record.as_table(record.VALIDATION_COLUMNS, validation_rows),
        "confusion": confusion,
        "reliability": [
            {"decision": rule, "rows_confidence_hits": sums.tolist()} for rule, sums in reliability.items()
        ],
        "offsets": offsets,
    }


def write_probabilities(folder: Path, datamodule: EmbeddingDataModule, test: Sequence[NDArray[np.float64]]) -> str:
    """Write the log probabilities of every test row of every member, and return the file's digest."""
    members = datamodule.members
    path = folder / record.PROBABILITIES
    with replacing(path) as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            seed=np.concatenate([np.full(len(each.test), each.seed) for each in members]),
            fold=np.concatenate([np.full(len(each.test), each.fold, np.int16) for each in members]),
            row=np.concatenate([each.test for each in members]).astype(np.int32),
            label=np.concatenate([datamodule.labels[each.test] for each in members]).astype(np.int16),
            log_probability=np.concatenate(test).astype(np.float32),
        )
    return file_sha256(path)


def describe(datamodule: EmbeddingDataModule, texts: LabelledTexts) -> dict[str, Any]:
    """What the data are: names, counts and digests."""
    return {
        "name": texts.title,
        "fingerprint": texts.fingerprint,
        "embeddings_sha256": datamodule.embeddings_sha256,
        "report": texts.report,
        "class_names": texts.class_names,
        "validation_rows_per_class": np.bincount(
            datamodule.labels[datamodule.members[0].validation], minlength=len(texts.class_names)
        ).tolist(),
        "rows_per_class": texts.rows_per_class.tolist(),
        "minority": [texts.class_names[label] for label in datamodule.minority],
    }


def training_tables(datamodule: EmbeddingDataModule, classifier: Classifier) -> dict[str, Any]:
    """Balance contract, the samplers' diagnostics, curves and best steps."""
    diagnostics = [
        {"seed": each.member.seed, "fold": each.member.fold, **row}
        for each in datamodule.training_sets
        for row in each.augmented.diagnostics
    ]
    for row in diagnostics:
        if isinstance(row.get("class"), int):
            row["class"] = datamodule.class_names[row["class"]]
    return {
        "balance": balance_table(datamodule),
        "diagnostics": diagnostics,
        "curves": curve_table(datamodule, classifier),
        "best": best_table(datamodule, classifier),
    }


def training_work(datamodule: EmbeddingDataModule, classifier: Classifier) -> tuple[int, float]:
    """Rows that all members trained on, and the floating-point operations of training and of judging the epochs."""
    n_members = len(datamodule.members)
    trained = n_members * datamodule.batch_size * datamodule.steps_per_epoch * datamodule.n_epochs
    judged = sum(sum(loader.n_rows) for loader in datamodule.val_dataloader()) * datamodule.n_epochs
    return trained, classifier.flops(trained, judged)


def balance_table(datamodule: EmbeddingDataModule) -> dict[str, Any]:
    """The balance contract of every member and class."""
    rows = []
    for each in datamodule.training_sets:
        for entry in each.augmented.balance:
            fields = asdict(entry) | {"class": datamodule.class_names[entry.label]}
            rows.append([each.member.seed, each.member.fold, *(fields[name] for name in BALANCE_COLUMNS[2:])])
    return record.as_table(BALANCE_COLUMNS, rows)


def curve_table(datamodule: EmbeddingDataModule, classifier: Classifier) -> dict[str, Any]:
    """Losses and minority accuracies of every member after every epoch."""
    rows = [
        [
            member.seed,
            member.fold,
            (epoch + 1) * datamodule.steps_per_epoch,
            *(float(point[name][index]) for name in CURVES),
        ]
        for index, member in enumerate(datamodule.members)
        for epoch, point in enumerate(classifier.curves)
    ]
    return record.as_table(("seed", "fold", "step", *CURVES), rows)


def best_table(datamodule: EmbeddingDataModule, classifier: Classifier) -> dict[str, Any]:
    """The step each member's weights are from, and its gap between training and validation minority accuracy."""
    rows = []
    for index, member in enumerate(datamodule.members):
        step = int(classifier.best_step[index])
        point = classifier.curves[step // datamodule.steps_per_epoch - 1]
        gap = point["train_minority_accuracy"][index] - point["validation_minority_accuracy"][index]
        rows.append([member.seed, member.fold, step, float(point["validation_loss"][index]), float(gap)])
    return record.as_table(("seed", "fold", "step", "validation_loss", "minority_accuracy_gap"), rows)


def summary(result: dict[str, Any]) -> str:
    """The run's table: scores × decision rules, mean ± standard deviation over members."""
    frame = pd.DataFrame(result["scores"]["data"], columns=result["scores"]["columns"])
    overall = frame[frame["class"].isna()]
    grouped = overall.groupby(["metric", "decision"])["value"]
    mean, std = grouped.mean().unstack(), grouped.std(ddof=1).unstack()
    shown = [name for name in TABLE_METRICS if name in mean.index]
    table = pd.DataFrame(
        {rule: [f"{mean[rule][name]:.3f} ± {std[rule][name]:.3f}" for name in shown] for rule in decision.RULES},
        index=shown,
    )
    n_members = len(overall[["seed", "fold"]].drop_duplicates())
    heading = f"mean ± standard deviation over {n_members} members (seeds × folds)"
    return f"{heading}\n{table.to_string()}\n{_minority_rows(result)}"


def _minority_rows(result: dict[str, Any]) -> str:
    """How many real minority rows train and how many validate (the latter choose weights and offsets).

    Where a sampler removed real rows, those that remain, over all members, and of which other classes.
    """
    data, balance = result["data"], pd.DataFrame(**result["balance"])
    given = balance[(balance.seed == balance.seed[0]) & (balance.fold == balance.fold[0])].set_index("class").real
    kept = {} if "kept" not in balance else _kept(balance)  # records of before lack the column
    validation = dict(zip(data["class_names"], data["validation_rows_per_class"], strict=True))
    minority = data["minority"][:5]
    rows = [f"{shown(name)} {kept.get(name, given[name])} and {validation[name]}" for name in minority]
    lines = [f"real minority rows that train, and that validate: {', '.join(rows) or 'no minority'}"]
    others = [f"{shown(name)} {words}" for name, words in kept.items() if name not in minority]
    if others:
        left_out = f" and {len(others) - 5} more" if len(others) > 5 else ""
        lines.append(f"real rows of other classes that the sampler kept: {', '.join(others[:5])}{left_out}")
    return "\n".join(lines)


def _kept(balance: pd.DataFrame) -> dict[str, str]:
    """Of each class of which some member kept fewer real rows than it was given: "3 to 5 of 6"."""
    words = {}
    for name, rows in balance[balance["class"].isin(balance[balance.kept < balance.real]["class"])].groupby(
        "class", sort=False
    ):
        numbers = [f"{low}" if low == high else f"{low} to {high}" for low, high in _ranges(rows[["kept", "real"]])]
        words[str(name)] = " of ".join(numbers)
    return words


def _ranges(columns: pd.DataFrame) -> Iterable[tuple[int, int]]:
    return [(int(columns[name].min()), int(columns[name].max())) for name in columns]
