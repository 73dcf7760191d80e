"""Our models beside scikit-learn's and our samplers beside imbalanced-learn's, on the same rows with the same draws."""

from collections.abc import Iterator

import numpy as np
from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE, RandomOverSampler
from numpy.typing import NDArray
from sklearn.base import clone

from synaug.augmenter import Augmenter, ToAugment, TrainingRows
from synaug.check.comparison import Comparison

SAMPLERS = "largest difference of a synthetic row to imbalanced-learn's own, of the same RandomState"
# Rows are of single precision and of length 1, and rounded at each step of an interpolation.
ROUNDING = 1e-6
OVERLAPPING_CLASSES = (300, 80, 30)
WIDTH = 32


def overlapping_classes() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Unequal classes that overlap, so that every sampler finds rows in danger: float32 `[n, d]` and int64 `[n]`."""
    draw = np.random.RandomState(0)
    labels = np.repeat(np.arange(len(OVERLAPPING_CLASSES)), OVERLAPPING_CLASSES)
    centres = 0.4 * draw.standard_normal((len(OVERLAPPING_CLASSES), WIDTH))
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
