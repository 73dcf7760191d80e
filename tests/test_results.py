"""Predictions to tables, each entry computed again from what it must be of."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from imblearn import FunctionSampler
from numpy.typing import NDArray

from synaug import record
from synaug.augmenter import Augmenter
from synaug.classifier.module import Classifier
from synaug.dataset import LabelledTexts
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.scores import decision, metrics
from synaug.scores import score as results
from synaug.splits import split
from synaug.training.datamodule import EmbeddingDataModule

NAMES = ("many", "some", "few")
COUNTS = (61, 32, 16)  # no multiples of the folds: the members' class frequencies differ

Logs = list[NDArray[np.float64]]


@pytest.fixture(scope="module")
def datamodule() -> EmbeddingDataModule:
    labels = np.repeat(np.arange(3), COUNTS)
    embeddings = np.random.RandomState(0).standard_normal((len(labels), 4)).astype(np.float32)
    texts = LabelledTexts("toy", [str(row) for row in range(len(labels))], labels, NAMES)
    ratio = ImbalanceRatio(None)
    members = split("toy", labels, NAMES, ratio, seeds=[0, 7], n_folds=3, validation_share=0.3, thin_validation=False)
    return EmbeddingDataModule(
        embeddings,
        texts,
        list(members),
        imbalance_ratio=ratio,
        augmenter=Augmenter(FunctionSampler()),
        batch_size=8,
        max_steps=6,
        steps_per_epoch=2,
        standardize=False,
    )


@pytest.fixture(scope="module")
def predictions(datamodule: EmbeddingDataModule) -> tuple[Logs, Logs]:
    """Log probabilities of each member's validation rows and test rows, somewhat better than chance."""
    draw = np.random.RandomState(1)

    def guess(rows: NDArray[np.int64]) -> NDArray[np.float64]:
        logits = draw.standard_normal((len(rows), 3)) + 1.5 * np.eye(3)[datamodule.labels[rows]] + [1.0, 0.0, -1.0]
        logs: NDArray[np.float64] = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        return logs

    return [guess(each.validation) for each in datamodule.members], [guess(each.test) for each in datamodule.members]


def frame(table: dict[str, Any], *by: str) -> pd.Series:
    """A table's values by the columns named."""
    return pd.DataFrame(**table).set_index(list(by))["value"]


def target_of(datamodule: EmbeddingDataModule, index: int, target_prior: str) -> NDArray[np.float64]:
    if target_prior == "uniform":
        return np.full(3, 1 / 3)
    outside = np.setdiff1d(np.arange(len(datamodule.labels)), datamodule.members[index].test)
    return np.array([np.mean(datamodule.labels[outside] == label) for label in range(3)])


@pytest.mark.parametrize("target_prior", ["uniform", "natural"])
def test_each_member_has_offsets_of_its_own(
    datamodule: EmbeddingDataModule, predictions: tuple[Logs, Logs], target_prior: str
) -> None:
    validation, test = predictions
    found = results.score(datamodule, validation, test, target_prior)["offsets"]
    offsets = {(each["seed"], each["fold"], each["decision"]): each["offset"] for each in found}
    assert len(offsets) == 6 * 3
    for index, member in enumerate(datamodule.members):
        target = target_of(datamodule, index, target_prior)
        trained_on = np.array([np.mean(datamodule.labels[member.train] == label) for label in range(3)])
        tuned = decision.tune(validation[index], datamodule.labels[member.validation], target)
        key = member.seed, member.fold
        assert offsets[*key, "argmax"] == [0, 0, 0]
        assert offsets[*key, "prior_corrected"] == pytest.approx(np.log(target / trained_on))
        assert offsets[*key, "tuned"] == pytest.approx(tuned)


def test_scores_are_of_the_test_rows_under_the_offsets_beside_them(
    datamodule: EmbeddingDataModule, predictions: tuple[Logs, Logs]
) -> None:
    tables = results.score(datamodule, *predictions, "natural")
    values = frame(tables["scores"], "seed", "fold", "decision", "metric", "class")
    members = {(member.seed, member.fold): index for index, member in enumerate(datamodule.members)}
    sums = {rule: np.zeros((metrics.CALIBRATION_BINS, 3)) for rule in decision.RULES}
    for offset, confusion in zip(tables["offsets"], tables["confusion"], strict=True):
        key = offset["seed"], offset["fold"], offset["decision"]
        assert key == (confusion["seed"], confusion["fold"], confusion["decision"])
        index = members[key[:2]]
        labels = datamodule.labels[datamodule.members[index].test]
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
    datamodule: EmbeddingDataModule, predictions: tuple[Logs, Logs]
) -> None:
    validation, _ = predictions
    tables = results.score(datamodule, *predictions, "natural")
    values = frame(tables["validation_scores"], "seed", "fold", "decision", "metric")
    offsets = {(each["seed"], each["fold"], each["decision"]): np.array(each["offset"]) for each in tables["offsets"]}
    for index, member in enumerate(datamodule.members):
        labels = datamodule.labels[member.validation]
        target = target_of(datamodule, index, "natural")
        for rule in decision.RULES:
            key = member.seed, member.fold, rule
            probabilities = decision.shift(validation[index], offsets[key])
            if rule == "tuned":
                flattered = probabilities
                probabilities = decision.cross_fitted(validation[index], labels, target)
                assert not np.allclose(probabilities, flattered)
            expected = metrics.overall_scores(labels, probabilities, [1, 2])
            assert values[key].to_dict() == pytest.approx(expected)


def test_tables_of_training_name_the_step_that_a_point_is_of(datamodule: EmbeddingDataModule) -> None:
    model = Classifier(n_features=4, n_classes=3, minority=[1, 2], seeds=range(6))
    draw = np.random.RandomState(0)
    model.curves = [{name: draw.uniform(size=6) for name in results.CURVES} for _ in range(3)]
    model.best_step = np.array([2, 4, 6, 6, 4, 2])
    curves = pd.DataFrame(**results.curve_table(datamodule, model)).set_index(["seed", "fold", "step"])
    best = pd.DataFrame(**results.best_table(datamodule, model))
    assert best["step"].tolist() == model.best_step.tolist()
    for index, row in enumerate(best.to_dict("records")):
        point = model.curves[model.best_step[index] // 2 - 1]
        assert row["validation_loss"] == point["validation_loss"][index]
        gap = point["train_minority_accuracy"][index] - point["validation_minority_accuracy"][index]
        assert row["minority_accuracy_gap"] == gap
        assert curves["validation_loss"][row["seed"], row["fold"], row["step"]] == row["validation_loss"]


def result(*rows: tuple[int, str, int, int], minority: tuple[str, ...] = ("rare",)) -> dict[str, Any]:
    """Members' (fold, class, real, kept)."""
    data = [(0, fold, name, real, kept, 0, 0, 0, None) for fold, name, real, kept in rows]
    names = list(dict.fromkeys(name for _, name, _, _ in rows))
    return {
        "data": {
            "class_names": names,
            "validation_rows_per_class": [3] * len(names),
            "minority": list(minority),
        },
        "balance": record.as_table(results.BALANCE_COLUMNS, data),
    }


def test_where_all_real_rows_train_their_number_is_said() -> None:
    found = result((0, "big", 45, 45), (0, "rare", 6, 6), (1, "big", 44, 44), (1, "rare", 5, 5))
    assert results._minority_rows(found) == "real minority rows that train, and that validate: rare 6 and 3"


def test_rows_that_a_sampler_removed_are_not_counted_as_training() -> None:
    found = result((0, "big", 45, 8), (0, "rare", 6, 2), (1, "big", 45, 14), (1, "rare", 6, 6))
    assert results._minority_rows(found) == (
        "real minority rows that train, and that validate: rare 2 to 6 of 6 and 3\n"
        "real rows of other classes that the sampler kept: big 8 to 14 of 45"
    )


def test_of_many_classes_the_first_five_are_named() -> None:
    found = result(*((0, f"class {number}", 9, 4) for number in range(8)), (0, "rare", 2, 2))
    assert results._minority_rows(found).endswith("class 4 4 of 9 and 3 more")


@pytest.mark.parametrize("minority", [(), ("rare",)])
def test_a_balance_of_before_has_no_kept_rows(minority: tuple[str, ...]) -> None:
    found = result((0, "big", 45, 8), (0, "rare", 6, 2), minority=minority)
    at = found["balance"]["columns"].index("kept")
    for row in [found["balance"]["columns"], *found["balance"]["data"]]:
        del row[at]
    words = "rare 6 and 3" if minority else "no minority"
    assert results._minority_rows(found) == f"real minority rows that train, and that validate: {words}"
