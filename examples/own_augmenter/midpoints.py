"""Rows halfway between two rows of a class."""

from typing import Any, ClassVar

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from sklearn.utils import check_random_state

from synaug.augmenter import TooFewRowsError


class Midpoints(BaseOverSampler):
    """A new row is `share` of one row of a class and the rest of another."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, *, sampling_strategy="auto", random_state=None, share=0.5):
        super().__init__(sampling_strategy=sampling_strategy)
        self.random_state = random_state
        self.share = share

    def _fit_resample(self, X, y):
        draw = check_random_state(self.random_state)
        rows, labels = [X], [y]
        for label, n in self.sampling_strategy_.items():  # how many new rows each class gets
            of_class = np.flatnonzero(y == label)
            if len(of_class) < 2:
                raise TooFewRowsError(f"class {label} has {len(of_class)} row; midpoints need 2")
            pairs = np.array([draw.choice(of_class, 2, replace=False) for _ in range(n)], int).reshape(n, 2)
            rows.append((self.share * X[pairs[:, 0]] + (1 - self.share) * X[pairs[:, 1]]).astype(X.dtype))
            labels.append(np.full(n, label, y.dtype))
        return np.concatenate(rows), np.concatenate(labels)
