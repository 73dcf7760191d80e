"""`synaug.Classifier` by scikit-learn's contract, with texts and with vectors."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from synaug import Classifier
from synaug.errors import UserError
from tests import toy

CONFIGS = str(Path(__file__).parent / "conf")
QUICK = ("max_steps=64", "validation.n_folds=2", "classifier.optimizer.lr=0.05", "trainer.enable_progress_bar=false")


def classifier(cache: Path, **options: object) -> Classifier:
    settings = (*QUICK, f"cache_dir={cache}")
    return Classifier(encoder="toy", settings=settings, config_dir=CONFIGS, **options)  # type: ignore[arg-type]


def test_texts_in_a_pipeline_and_in_cross_validation(tmp_path: Path) -> None:
    rows, labels = toy.texts(40)
    one = classifier(tmp_path, augmenter="smote", rule="tuned")
    pipe = make_pipeline(FunctionTransformer(lambda texts: [text.upper().lower() for text in texts]), one)
    assert cross_val_score(pipe, rows, labels, cv=3).mean() > 0.6
    fitted = one.fit(rows, labels)
    assert fitted.classes_.tolist() == ["sport", "trade"]
    probabilities = fitted.predict_proba(rows)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    np.testing.assert_array_equal(fitted.classes_[probabilities.argmax(1)], fitted.predict(rows))
    again = clone(fitted)
    with pytest.raises(NotFittedError):
        again.predict(rows)
    np.testing.assert_array_equal(again.fit(rows, labels).predict_proba(rows), probabilities)
    np.testing.assert_allclose(fitted.predict_proba(fitted.encoder_.encode(rows)), probabilities)


def test_texts_come_in_whatever_holds_them(tmp_path: Path) -> None:
    rows, labels = toy.texts(20)
    fitted = classifier(tmp_path, classifier="linear").fit(rows, labels)
    expected = fitted.predict_proba(rows)
    as_series = pd.Series(rows, index=range(100, 140))
    kinds = [np.array(rows), np.array(rows, dtype=object), as_series, as_series.astype("string"), tuple(rows)]
    for texts in kinds:
        np.testing.assert_array_equal(fitted.predict_proba(texts), expected)
    again = clone(fitted).fit(as_series, pd.Series(labels, dtype="category", index=as_series.index))
    np.testing.assert_array_equal(again.predict_proba(rows), expected)
    with pytest.raises(UserError, match="X is a table with one column: give the column itself"):
        fitted.predict(as_series.to_frame("text"))
    with pytest.raises(UserError, match="row 1: a text is expected, and there is NoneType"):
        fitted.predict([None, rows[0]])


def test_settings_are_parameters_as_scikit_learn_has_them(tmp_path: Path) -> None:
    one = classifier(tmp_path, augmenter="smote")
    pipe = make_pipeline(StandardScaler(), one)
    assert pipe.get_params(deep=True)["classifier__augmenter"] == "smote"
    pipe.set_params(classifier__augmenter="random", classifier__amount=[0, 1])
    assert (one.augmenter, one.amount) == ("random", [0, 1])
    assert clone(one).get_params() == one.get_params()
    with pytest.raises(ValueError, match="Invalid parameter 'augmentor'"):
        one.set_params(augmentor="smote")


def test_vectors_with_labels_that_are_numbers(tmp_path: Path) -> None:
    X = np.random.RandomState(0).randn(90, 6)
    y = np.repeat([7, 3, 5], 30)
    X[np.arange(90), np.repeat([0, 1, 2], 30)] += 3
    one = make_pipeline(StandardScaler(), classifier(tmp_path, augmenter="random", classifier="linear"))
    assert one.fit(X, y).score(X, y) > 0.8
    assert one.classes_.tolist() == [3, 5, 7]


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    rows, labels = toy.texts(10)
    with pytest.raises(UserError, match="smotte"):
        classifier(tmp_path, augmenter="smotte").fit(rows, labels)
    with pytest.raises(UserError, match="names no rule"):
        classifier(tmp_path, rule="best").fit(rows, labels)
    with pytest.raises(UserError, match="row 2 has no text"):
        classifier(tmp_path).fit([rows[0], " "], labels[:2])


def test_scikit_learns_own_checks(tmp_path: Path) -> None:
    results = check_estimator(classifier(tmp_path, classifier="linear"), on_fail=None, on_skip=None)
    others = {each["check_name"]: each["status"] for each in results if each["status"] != "passed"}
    assert others in ({}, {"check_array_api_input": "skipped"})  # which runs where SCIPY_ARRAY_API is set
    assert len(results) > 50
