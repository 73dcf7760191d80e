"""What a run promises of a method: the mean of its outer test scores, with an interval."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synaug import record as records
from synaug.comparison.stats import corrected_t_test, intervals
from synaug.errors import UserError
from synaug.files.digest import file_sha256
from synaug.scores import metrics
from synaug.scores.decision import CANDIDATES, OutOfFold
from synaug.scores.needs import Need
from synaug.training.looks import parts_of

OF = CANDIDATES[0].name  # whose log probabilities a need starts from
# Of probabilities; all other scores are of decisions.
OF_PROBABILITIES = frozenset({"log_loss", "balanced_log_loss", "brier_score", "calibration_error", "auroc_macro"})

Scores = Mapping[tuple[str, str | None], NDArray[np.float64]]


@dataclass(frozen=True)
class Estimate:
    """A score of rows that did not train, over the splits of a run.

    Attributes
    ----------
    metric, label
        The score, and the class that it is of; None for all classes.
    value, low, high
        Mean over splits, and the ends of its 95 % interval; None where there is none, as of one split.
    n_splits
        How many.
    """

    metric: str
    label: str | None
    value: float
    low: float | None
    high: float | None
    n_splits: int


def estimates(scores: Scores, n_folds: int) -> list[Estimate]:
    """Means over splits, with intervals that know that training sets overlap (Nadeau and Bengio 2003).

    Parameters
    ----------
    scores
        By metric and class, one value a split.
    """
    found = []
    for (metric, label), values in scores.items():
        known = values[np.isfinite(values)]
        if not len(known):
            continue
        mean, error, *_ = corrected_t_test(known, n_folds)
        low, high = (float(end) for end in intervals(mean, error, len(known)))
        ends = (low, high) if np.isfinite(low) else (None, None)
        found.append(Estimate(metric, label, float(mean), *ends, len(known)))
    return found


def of_rule(scores: pd.DataFrame, rule: str) -> Scores:
    """Scores of one run under a rule that it recorded: columns decision, metric, class, value."""
    rows = scores[scores["decision"] == rule]
    found: dict[tuple[str, str | None], list[float]] = defaultdict(list)
    for metric, label, value in zip(
        rows["metric"].tolist(), rows["class"].astype(object).tolist(), rows["value"].tolist(), strict=True
    ):
        found[metric, label if isinstance(label, str) else None].append(np.nan if value is None else value)
    return {key: np.array(values, dtype=np.float64) for key, values in found.items()}


def of_need(folder: Path, record: Mapping[str, Any], need: Need) -> Scores:
    """Scores of one run under what is asked for: in each split chosen on its out-of-fold rows, judged on its test rows.

    Raises
    ------
    UserError
        If the run's log probabilities are gone or were altered.
    """
    kept = _kept(folder, record)
    names = record["data"]["class_names"]
    counts = np.array(record["data"]["rows_per_class"], dtype=np.float64)
    found: dict[tuple[str, str | None], list[float]] = defaultdict(list)
    for seed, fold in np.unique(np.stack([kept["seed"], kept["fold"]], axis=1), axis=0).tolist():
        test = (kept["seed"] == seed) & (kept["fold"] == fold)
        left_out = (kept["oof_seed"] == seed) & (kept["oof_fold"] == fold)
        labels, inner = kept["oof_label"][left_out].astype(np.int64), kept["oof_inner"][left_out].astype(np.int64)
        known = OutOfFold(
            kept[f"oof_{OF}"][left_out].astype(np.float64), labels, parts_of(labels, inner), _target(record, counts)
        )
        decision = need.choose(known, names, counts / counts.sum())
        said = kept[OF][test].astype(np.float64)
        minority = [names.index(name) for name in record["data"]["minority_by_seed"][str(seed)]]
        of_test = kept["label"][test].astype(np.int64)
        decided = np.eye(len(names))[decision.classes(said)]
        for probabilities, wanted in ((decided, False), (decision.probabilities(said), True)):
            for metric, label, value in metrics.scores(of_test, probabilities, minority):
                if (metric in OF_PROBABILITIES) == wanted:
                    found[metric, None if label is None else names[label]].append(float(value))
    return {key: np.array(values) for key, values in found.items()}


def wanted(found: Iterable[Estimate], names: Iterable[str]) -> list[Estimate]:
    """Estimates of some metrics of all classes, in this order."""
    of = {each.metric: each for each in found if each.label is None}
    return [of[name] for name in names if name in of]


def _target(record: Mapping[str, Any], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    if record["config"].get("target_prior") == "natural":
        return counts / counts.sum()
    return np.full(len(counts), 1 / len(counts))


def _kept(folder: Path, record: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    remedy = "copy them there from where the run was made, or make the run anew with force=true"
    path = records.probabilities_file(folder, record)
    if path is None:
        raise UserError(f"{folder} lacks the log probabilities that a rule is judged on: {remedy}")
    if file_sha256(path) != record["probabilities_sha256"]:
        raise UserError(f"{path} does not hold the log probabilities that were recorded: {remedy}")
    names = ("seed", "fold", "label", OF, "oof_seed", "oof_fold", "oof_label", "oof_inner", f"oof_{OF}")
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in names}
