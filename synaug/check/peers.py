"""Our models beside scikit-learn's and our samplers beside imbalanced-learn's, on the same rows with the same draws."""

import warnings
from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE, RandomOverSampler
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from synaug.augmenter import Augmenter, ToAugment, TrainingRows
from synaug.check.comparison import Comparison
from synaug.check.ours import first_weights, fitted

Set = tuple[NDArray[np.float32], NDArray[np.int64]]

MODELS = "largest difference of a probability to scikit-learn's, fitted on the same rows"
SAMPLERS = "largest difference of a synthetic row to imbalanced-learn's own, of the same RandomState"
# Rows are of single precision and of length 1, and rounded at each step of an interpolation.
ROUNDING = 1e-6
OVERLAPPING_CLASSES = (300, 80, 30)
WIDTH = 32


# Ours computes in single precision, scikit-learn's in double; what a step rounds, later steps carry on.
SINGLE_PRECISION = 1e-4
# Adam divides a gradient by its size, and so makes steps of what is rounding alone where that is nearly 0.
OF_ADAM = 5e-3
PENALTY = 1e-2
LINEAR_STEPS, MLP_STEPS = 400, 200
HIDDEN = (128,)


def overlapping_classes(seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Unequal classes that overlap, so that every sampler finds rows in danger: float32 `[n, d]` and int64 `[n]`."""
    centres = 0.4 * np.random.RandomState(0).standard_normal((len(OVERLAPPING_CLASSES), WIDTH))
    draw = np.random.RandomState(1 + seed)
    labels = np.repeat(np.arange(len(OVERLAPPING_CLASSES)), OVERLAPPING_CLASSES)
    rows = centres[labels] + draw.standard_normal((len(labels), WIDTH))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


def compare_samplers() -> Iterator[Comparison]:
    """Synthetic rows of each sampler, made by way of `synaug.augmenter` and by imbalanced-learn alone."""
    X, y = overlapping_classes()
    for sampler in (RandomOverSampler(), SMOTE(), BorderlineSMOTE(), ADASYN()):
        to_augment = ToAugment(TrainingRows.of(X, y), np.random.RandomState(0))
        (ours,) = Augmenter(sampler).augment_all([to_augment])
        theirs, their_labels = clone(sampler).set_params(random_state=np.random.RandomState(0)).fit_resample(X, y)
        same = np.array_equal(ours.labels, their_labels[len(X) :])
        difference = np.abs(ours.synthetic_embeddings - theirs[len(X) :]).max() if same else np.inf
        name = type(sampler).__name__
        yield Comparison(f"{name}, {len(ours.labels)} rows", float(difference), 0.0, ROUNDING)


def compare_models() -> Iterator[Comparison]:
    """Our linear model at its optimum, and our MLP after as many steps from the same weights."""
    train, test = overlapping_classes(), overlapping_classes(1)
    descent = partial(torch.optim.SGD, lr=1.0, momentum=0.9, weight_decay=PENALTY)
    said = fitted(train, test, hidden=[], optimizer=descent, n_steps=LINEAR_STEPS)
    expected = _logistic_regression(train, test[0])
    yield Comparison("linear model, at the optimum", _furthest(said, expected), 0.0, SINGLE_PRECISION)
    nesterov = partial(torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True)
    adam = partial(torch.optim.Adam, lr=1e-3)
    for optimizer, solver, tolerance in ((nesterov, "sgd", SINGLE_PRECISION), (adam, "adam", OF_ADAM)):
        said = fitted(train, test, hidden=HIDDEN, optimizer=optimizer, n_steps=MLP_STEPS)
        expected = _mlp(train, test[0], solver, optimizer.keywords["lr"])
        name = f"MLP-{HIDDEN[0]}, after {MLP_STEPS} steps of {solver}"
        yield Comparison(name, _furthest(said, expected), 0.0, tolerance)


def _furthest(log_probabilities: NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    return float(np.abs(np.exp(log_probabilities) - expected).max())


def _logistic_regression(train: Set, test: NDArray[np.float32]) -> NDArray[np.float64]:
    """With our penalty: torch's weight decay shrinks the bias, too, so that it is a weight of a constant here."""
    X, y = train
    model = LogisticRegression(C=1 / (len(X) * PENALTY), fit_intercept=False, max_iter=10_000, tol=1e-10)
    return np.asarray(model.fit(_with_constant(X), y).predict_proba(_with_constant(test)))


def _with_constant(X: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.column_stack([X, np.ones(len(X))]).astype(np.float64)


def _mlp(train: Set, test: NDArray[np.float32], solver: str, rate: float) -> NDArray[np.float64]:
    """From our initial weights, all rows in each step."""
    X, y = train[0].astype(np.float64), train[1]
    model = MLPClassifier(
        HIDDEN,
        solver=solver,
        learning_rate_init=rate,
        alpha=0.0,
        batch_size=len(X),
        shuffle=False,
        warm_start=True,
        max_iter=1,
        n_iter_no_change=MLP_STEPS,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # so many steps are what is compared
        model.fit(X, y)
        layers = first_weights(WIDTH, len(OVERLAPPING_CLASSES), HIDDEN)
        model.coefs_ = [weight.astype(np.float64) for weight, _ in layers]
        model.intercepts_ = [bias.astype(np.float64) for _, bias in layers]
        model.set_params(max_iter=MLP_STEPS).fit(X, y)
    return np.asarray(model.predict_proba(test.astype(np.float64)))
