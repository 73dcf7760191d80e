"""Predictions to tables, each entry computed again from what it must be of."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from synaug.imbalance_ratio import ImbalanceRatio
from synaug.scores import decision, metrics
from synaug.scores.score import score
from synaug.scores.tuned_offsets import tune
from synaug.splits import Split, make_splits

NAMES = ("many", "some", "few")
COUNTS = (61, 32, 16)  # no multiples of the folds: the splits' class frequencies differ
LABELS = np.repeat(np.arange(3), COUNTS)

Logs = list[NDArray[np.float64]]


@pytest.fixture(scope="module")
def splits() -> list[Split]:
    options: dict[str, Any] = {"seeds": [0, 7], "n_folds": 3, "validation_share": 0.3, "thin_validation": False}
    return make_splits("toy", LABELS, NAMES, ImbalanceRatio(None), [1, 2], **options)


@pytest.fixture(scope="module")
def predictions(splits: list[Split]) -> tuple[Logs, Logs]:
    """Log probabilities of each split's validation rows and test rows, somewhat better than chance."""
    draw = np.random.RandomState(1)

    def guess(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        logits = draw.standard_normal((len(rows), 3)) + 1.5 * np.eye(3)[LABELS[rows]] + [1.0, 0.0, -1.0]
        logs: NDArray[np.float64] = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        return logs

    return [guess(split.validation) for split in splits], [guess(split.test) for split in splits]


def trained_on(splits: list[Split]) -> NDArray[np.float64]:
    return np.array([[np.mean(LABELS[split.train] == label) for label in range(3)] for split in splits])


def scored(splits: list[Split], predictions: tuple[Logs, Logs], target_prior: str) -> dict[str, Any]:
    validation, test = predictions
    options: dict[str, Any] = {"prior": trained_on(splits), "target_prior": target_prior}
    return score(splits, LABELS, NAMES, [1, 2], validation=validation, test=test, **options)


def frame(table: dict[str, Any], *by: str) -> pd.Series:
    """A table's values by the columns named."""
    return pd.DataFrame(**table).set_index(list(by))["value"]


def target_of(splits: list[Split], index: int, target_prior: str) -> NDArray[np.float64]:
    if target_prior == "uniform":
        return np.full(3, 1 / 3)
    outside = np.setdiff1d(np.arange(len(LABELS)), splits[index].test)
    return np.array([np.mean(LABELS[outside] == label) for label in range(3)])


@pytest.mark.parametrize("target_prior", ["uniform", "natural"])
def test_each_split_has_offsets_of_its_own(
    splits: list[Split], predictions: tuple[Logs, Logs], target_prior: str
) -> None:
    validation, _ = predictions
    found = scored(splits, predictions, target_prior)["offsets"]
    offsets = {(each["seed"], each["fold"], each["decision"]): each["offset"] for each in found}
    assert len(offsets) == 6 * 3
    for index, split in enumerate(splits):
        target = target_of(splits, index, target_prior)
        tuned = tune(validation[index], LABELS[split.validation], target)
        key = split.seed, split.fold
        assert offsets[*key, "argmax"] == [0, 0, 0]
        assert offsets[*key, "prior_corrected"] == pytest.approx(np.log(target / trained_on(splits)[index]))
        assert offsets[*key, "tuned"] == pytest.approx(tuned)


def test_scores_are_of_the_test_rows_under_the_offsets_beside_them(
    splits: list[Split], predictions: tuple[Logs, Logs]
) -> None:
    tables = scored(splits, predictions, "natural")
    values = frame(tables["scores"], "seed", "fold", "decision", "metric", "class")
    place = {(split.seed, split.fold): index for index, split in enumerate(splits)}
    sums = {rule: np.zeros((metrics.CALIBRATION_BINS, 3)) for rule in decision.RULES}
    for offset, confusion in zip(tables["offsets"], tables["confusion"], strict=True):
        key = offset["seed"], offset["fold"], offset["decision"]
        assert key == (confusion["seed"], confusion["fold"], confusion["decision"])
        index = place[key[:2]]
        labels = LABELS[splits[index].test]
        logits = predictions[1][index] + offset["offset"]
        probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        decided = logits.argmax(1)
        recall = [np.mean(decided[labels == label] == label) for label in range(3)]
        assert [values[(*key, "recall", name)] for name in NAMES] == pytest.approx(recall)
        overall = values[key][values[key].index.get_level_values("class").isna()]
        overall = overall.droplevel("class")
        assert tuple(overall.index) == metrics.METRICS
        assert overall["majority_recall"] == pytest.approx(recall[0])
        assert overall["minority_recall"] == pytest.approx(np.mean(recall[1:]))
        assert overall["log_loss"] == pytest.approx(-np.log(probabilities[np.arange(len(labels)), labels]).mean())
        matrix = [[int(((labels == actual) & (decided == said)).sum()) for said in range(3)] for actual in range(3)]
        assert confusion["matrix"] == matrix
        sums[key[2]] += metrics.reliability(labels, probabilities)
    for each in tables["reliability"]:
        np.testing.assert_allclose(each["rows_confidence_hits"], sums[each["decision"]])


def test_validation_scores_are_of_validation_rows_and_the_tuned_ones_cross_fitted(
    splits: list[Split], predictions: tuple[Logs, Logs]
) -> None:
    validation, _ = predictions
    tables = scored(splits, predictions, "natural")
    values = frame(tables["validation_scores"], "seed", "fold", "decision", "metric")
    offsets = {(each["seed"], each["fold"], each["decision"]): np.array(each["offset"]) for each in tables["offsets"]}
    for index, split in enumerate(splits):
        labels = LABELS[split.validation]
        target = target_of(splits, index, "natural")
        for rule in decision.DECISION_RULES:
            key = split.seed, split.fold, rule.name
            probabilities = decision.shift(validation[index], offsets[key])
            if rule.looks_at_rows:
                flattered = probabilities
                probabilities = decision.on_validation_rows(
                    rule, decision.Known(validation[index], labels, trained_on(splits)[index], target)
                )
                assert not np.allclose(probabilities, flattered)
            expected = metrics.overall_scores(labels, probabilities, [1, 2])
            assert values[key].to_dict() == pytest.approx(expected)
