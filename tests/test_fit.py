"""Any classifier can be fitted: what stands behind `Predictions` does not know the stack."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE
from numpy.typing import NDArray
from omegaconf import OmegaConf
from pytorch_lightning import Trainer
from pytorch_lightning.loggers import CSVLogger
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid

from synaug import pipeline, record
from synaug.augmenter import Augmenter
from synaug.classifier import Classifier
from synaug.dataset import LabelledTexts
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.record.cost import Cost
from synaug.splits import make_splits
from synaug.tracking import wandb_run
from synaug.training import fit, progress, tables
from synaug.training.fit import Curves, Fits, Predictions, StackedTraining
from synaug.training.training_sets import TrainingData, augment, neighbour_graphs
from tests import fabricated

NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def data() -> TrainingData:
    draw = np.random.RandomState(0)
    labels = np.repeat([0, 1, 2], 60)
    embeddings = (draw.standard_normal((180, 8)) + 3 * np.eye(8)[labels]).astype(np.float32)
    texts = LabelledTexts("toy", [str(row) for row in range(180)], labels, NAMES)
    options: dict[str, Any] = {"seeds": [0], "n_folds": 3, "validation_share": 0.2, "thin_validation": False}
    splits = make_splits("toy", labels, NAMES, ImbalanceRatio(4.0), [2], **options)
    graphs = neighbour_graphs(embeddings, labels)
    sampler = Augmenter(SMOTE(k_neighbors=2))
    return augment(texts, embeddings, splits, sampler, graphs, minority=[2], ratio=4.0, standardize=True)


@dataclass(frozen=True)
class ScikitLearn:
    """A classifier of scikit-learn's for each split."""

    estimator: type

    def fit(self, data: TrainingData) -> Predictions:
        validation, test, n_trained = [], [], 0
        for training_set in data.training_sets:
            split, synthetic = training_set.split, training_set.augmented

            def scaled(rows: NDArray[Any], mean: Any = training_set.mean, scale: Any = training_set.scale) -> Any:
                return (rows - mean) / scale

            X = np.concatenate([data.embeddings[training_set.real], synthetic.synthetic_embeddings])
            y = np.concatenate([data.labels[training_set.real], synthetic.labels])
            fitted = self.estimator().fit(scaled(X), y)
            validation.append(np.log(fitted.predict_proba(scaled(data.embeddings[split.validation]))))
            test.append(np.log(fitted.predict_proba(scaled(data.embeddings[split.test]))))
            n_trained += len(y)
        return Predictions(validation, test, data.class_frequencies(), n_trained)


def stack(**changes: Any) -> StackedTraining:
    quiet = {"accelerator": "cpu", "enable_progress_bar": False}
    settings: dict[str, Any] = {"batch_size": 16, "max_steps": 60, "steps_per_epoch": 20, "trainer": quiet}
    return StackedTraining(Classifier, **{**settings, **changes})


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_the_bar_is_closed_when_the_training_breaks_off(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    closed: list[bool] = []

    class Bar:
        n = 0

        def __init__(self, **_: Any) -> None: ...

        def update(self, n: int) -> None:
            raise error

        def close(self) -> None:
            closed.append(True)

    monkeypatch.setattr(progress, "tqdm", Bar)
    with pytest.raises((error, SystemExit)):
        stack(trainer={"accelerator": "cpu"}).fit(data)
    assert closed


@pytest.mark.parametrize("training", [ScikitLearn(LogisticRegression), ScikitLearn(NearestCentroid), stack()])
def test_any_classifier_is_scored_and_recorded_alike(data: TrainingData, tmp_path: Path, training: Fits) -> None:
    cost = Cost()
    predictions = pipeline.fit(training, data, cost)
    (folder,) = fabricated.write_runs(tmp_path, ["toy"], [4.0], ["smote"], n_folds=3, class_names=NAMES)
    scored = pipeline.score(OmegaConf.create({"target_prior": "uniform"}), data, predictions, cost)
    content = {
        **record.read(folder),
        **scored,
        "balance": tables.balance(data),
        "diagnostics": tables.diagnostics(data),
        "curves": tables.curves(data, predictions.curves),
        "best": tables.best(data, predictions.curves),
    }
    content["cost"] |= cost.table()
    record.write(folder, content)
    assert record.problem(folder, content["identity"]) is None
    scores = pd.DataFrame(**record.read(folder)["scores"])
    overall = scores[scores["class"].isna()].groupby(["metric", "decision"])["value"].mean()
    assert scores["decision"].nunique() == 3
    assert overall["accuracy"].min() > 0.8


def test_a_classifier_without_steps_has_neither_curves_nor_best_steps(data: TrainingData) -> None:
    none = ScikitLearn(LogisticRegression).fit(data).curves
    assert tables.curves(data, none)["data"] == tables.best(data, none)["data"] == []


def test_a_logger_takes_the_scores_of_a_classifier_without_steps(data: TrainingData, tmp_path: Path) -> None:
    (folder,) = fabricated.write_runs(tmp_path, ["toy"], [4.0], ["smote"], n_folds=3)
    curves = tables.curves(data, ScikitLearn(LogisticRegression).fit(data).curves)
    logger = CSVLogger(str(tmp_path / "logs"))
    wandb_run.log_result(logger, {**record.read(folder), "curves": curves})
    logged = pd.read_csv(Path(logger.log_dir) / "metrics.csv")
    assert logged["step"].tolist() == [0]
    assert "argmax/accuracy" in logged


def test_the_stack_predicts_every_row_of_validation_and_test(data: TrainingData) -> None:
    predictions = stack().fit(data)
    for name in ("validation", "test"):
        for split, logs in zip(data.splits, getattr(predictions, name), strict=True):
            assert logs.shape == (len(getattr(split, name)), 3)
            np.testing.assert_allclose(np.exp(logs).sum(1), 1)
    assert predictions.n_predicted == sum(len(split.validation) + len(split.test) for split in data.splits)
    assert predictions.n_trained == 3 * 60 * 16
    np.testing.assert_array_equal(predictions.prior, data.class_frequencies())
    assert predictions.curves.steps.tolist() == [20, 40, 60]
    assert np.isin(predictions.curves.best, [20, 40, 60]).all()


def test_tables_of_training_name_the_step_that_a_point_is_of(data: TrainingData) -> None:
    draw = np.random.RandomState(0)
    points = {name: draw.uniform(size=(3, 3)) for name in record.tables.CURVES}
    noted = Curves(np.array([2, 4, 6]), points, best=np.array([2, 6, 4]))
    curves = pd.DataFrame(**tables.curves(data, noted)).set_index(["seed", "fold", "step"])
    best = pd.DataFrame(**tables.best(data, noted))
    assert best["step"].tolist() == [2, 6, 4]
    for index, row in enumerate(best.to_dict("records")):
        point = row["step"] // 2 - 1
        assert row["validation_loss"] == points["validation_loss"][point, index]
        accuracy = [points[f"{part}_minority_accuracy"][point, index] for part in ("train", "validation")]
        assert row["minority_accuracy_gap"] == accuracy[0] - accuracy[1]
        assert curves["validation_loss"][row["seed"], row["fold"], row["step"]] == row["validation_loss"]


def test_a_trainer_s_own_arguments_reach_lightning(data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []

    def trainer(**arguments: Any) -> Trainer:
        given.append(arguments)
        return Trainer(**arguments)

    monkeypatch.setattr(fit, "Trainer", trainer)
    stack(trainer={"accelerator": "cpu", "enable_progress_bar": False, "limit_val_batches": 1.0}).fit(data)
    assert given[0]["limit_val_batches"] == 1.0
    assert given[0]["max_epochs"] == 3
