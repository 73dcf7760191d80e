"""What is done for a class that a sampler cannot serve: fewer neighbours, then plain SMOTE, then repetition."""

from collections.abc import Iterator
from numbers import Integral
from typing import Any

import numpy as np
from imblearn.over_sampling import SMOTE, RandomOverSampler
from sklearn.base import clone

from synaug.augmenter.resample import resample
from synaug.augmenter.rows import SyntheticRows, TrainingRows
from synaug.errors import is_out_of_memory

NEIGHBOUR_PARAMETERS = ("k_neighbors", "n_neighbors")
# ADASYN rounds the rows of each parent, so that it ends a few per cent off what was asked; a
# sampler that misses more than this did not do its work.
TOLERATED_SHORTFALL = 0.1


def neighbours(sampler: Any) -> Iterator[tuple[str, int]]:
    """Parameters that name neighbours within a class, and how many, not counting the row itself."""
    for name in NEIGHBOUR_PARAMETERS:
        value = sampler.get_params(deep=False).get(name)
        if isinstance(value, Integral):
            yield name, int(value)
        elif hasattr(value, "n_neighbors"):
            yield name, value.n_neighbors - 1  # an object counts the row itself


def too_few_rows(sampler: Any, rows: int) -> str | None:
    """Say what a sampler needs, and the remedy, where a class has fewer rows than neighbours; else None."""
    parameters = sampler.get_params(deep=False)
    for name, k in neighbours(sampler):
        if rows < k + 1:
            is_count = isinstance(parameters[name], Integral)
            setting = name if is_count else f"{name}.n_neighbors"
            required = f"{name} + 1" if is_count else setting
            return (
                f"{type(sampler).__name__} needs {required} = {k + 1}: lower augmenter.{setting} or the imbalance ratio"
            )
    return None


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
            if is_out_of_memory(error):
                raise
            continue
        made = result.synthetic.where(result.labels == label)
        if len(made) >= (1 - TOLERATED_SHORTFALL) * missing:
            return how, made
    raise AssertionError("repetition always succeeds")


def _means(sampler: Any, rows: int) -> Iterator[tuple[str, Any]]:
    if rows >= 2:
        for name, k in neighbours(sampler):
            if rows < k + 1:
                fewer = clone(sampler)
                value = fewer.get_params(deep=False)[name]
                if isinstance(value, Integral):
                    fewer.set_params(**{name: rows - 1})
                else:
                    value.n_neighbors = rows  # the clone's own
                yield f"{type(sampler).__name__} with {name}={rows - 1}", fewer
        k = min(5, rows - 1)
        yield f"SMOTE with k_neighbors={k}", SMOTE(k_neighbors=k)
    yield "repetition", RandomOverSampler()
