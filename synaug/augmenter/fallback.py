"""What stands in for a sampler that cannot make the rows of a class: fewer neighbours, plain SMOTE, repetition."""

from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
from imblearn.over_sampling import SMOTE, RandomOverSampler

from synaug.augmenter.resample import resample
from synaug.augmenter.rows import SyntheticRows, TrainingRows
from synaug.augmenter.samplers import change, fresh, parameters
from synaug.augmenter.shortfall import falls_short
from synaug.augmenter.too_few_rows import is_shortage, neighbours


def fall_back(
    sampler: Any, given: TrainingRows, label: int, missing: int, random_state: np.random.RandomState
) -> tuple[str, SyntheticRows]:
    """Make the rows of a class that `sampler` did not make.

    Returns
    -------
    how : str
        By what means, in words.
    rows : SyntheticRows
        So many as are missing, or as the means rounds them to.
    """
    rows = int((given.y == label).sum())
    for how, other in _means(sampler, rows):
        try:
            result = resample(other, given, {label: rows + missing}, random_state)
        except (ValueError, RuntimeError) as error:
            if not is_shortage(other, error, {label: rows}):
                raise
            continue
        synthetic = result.synthetic.where(result.labels == label)
        if not falls_short(len(synthetic), missing):
            return how, synthetic
    raise AssertionError("repetition always succeeds")


def _means(sampler: Any, rows: int) -> Iterator[tuple[str, Any]]:
    if rows >= 2:
        for name, k in neighbours(sampler):
            if rows < k + 1:
                fewer = fresh(sampler)
                value = parameters(fewer)[name]
                if isinstance(value, Integral):
                    change(fewer, name, rows - 1)
                else:
                    value.n_neighbors = rows  # the clone's own
                yield f"{type(sampler).__name__} with {name}={rows - 1}", fewer
        k = min(5, rows - 1)
        yield f"SMOTE with k_neighbors={k}", SMOTE(k_neighbors=k)
    yield "repetition", RandomOverSampler()
