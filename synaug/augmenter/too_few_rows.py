"""When a class has too few rows for a sampler, told by facts: its own word, the rows of a class, known behaviour."""

import re
from collections.abc import Iterator, Mapping
from numbers import Integral
from typing import Any

import numpy as np
from imblearn.combine import SMOTEENN, SMOTETomek
from imblearn.over_sampling import ADASYN, SMOTE, SVMSMOTE, BorderlineSMOTE, KMeansSMOTE

from synaug.augmenter.samplers import NEIGHBOURS, parameters, parts, sampling_type
from synaug.errors import TooFewRowsError, UserError, is_out_of_memory

# What needs so many rows of a class, though it names no neighbours.
NEEDS_AS_MANY = ("n_clusters", "n_components")
# No sampler can be blamed for what it makes of one row.
LEAST_ROWS = 2
# What imbalanced-learn's samplers raise where they can make no row, or find too few to draw from, and how it begins.
KNOWN = (
    (ADASYN, RuntimeError, "Not any neigbours belong to the majority"),
    (ADASYN, ValueError, "No samples will be generated"),
    (SVMSMOTE, ValueError, "All support vectors are considered as noise"),
    (SVMSMOTE, ValueError, "Found array with 0 sample"),
    (KMeansSMOTE, RuntimeError, "No clusters found with sufficient samples"),
    (KMeansSMOTE, ValueError, "Expected n_neighbors <="),  # among a cluster's rows
    (KMeansSMOTE, ValueError, "cannot convert float NaN to integer"),  # its clusters hold copies of one row alone
    (
        SVMSMOTE | BorderlineSMOTE,
        ValueError,
        "Expected n_neighbors <=",
    ),  # among the support vectors, or those in danger
)
# scikit-learn's own words: "n_neighbors = 6, n_samples_fit = 4", "n_samples=2 should be >= n_clusters=3".
ROWS_THERE = re.compile(r"\bn_samples(?:_fit)? ?= ?(\d+)")
ROWS_WANTED = re.compile(r"\bn_(?:neighbors|clusters|components) ?= ?(\d+)")


class NotFiniteError(UserError):
    """A sampler made NaN or infinity."""


def neighbours(sampler: Any) -> Iterator[tuple[str, int]]:
    """Parameters that name neighbours within a class, and how many, not counting the row itself."""
    for name, value in parameters(sampler).items():
        if NEIGHBOURS.fullmatch(name):
            if isinstance(value, int | np.integer) and not isinstance(value, bool):
                yield name, int(value)
            elif isinstance(getattr(value, "n_neighbors", None), Integral):
                yield name, value.n_neighbors - 1  # an object counts the row itself


def too_few_rows(sampler: Any, rows: int) -> str | None:
    """Say what a sampler needs, and the remedy, where a class has fewer rows than neighbours; else None."""
    for name, k in neighbours(sampler):
        if rows < k + 1:
            is_count = isinstance(parameters(sampler)[name], Integral)
            setting = name if is_count else f"{name}.n_neighbors"
            required = f"{name} + 1" if is_count else setting
            return (
                f"{type(sampler).__name__} needs {k + 1} ({required}): lower augmenter.{setting} or the imbalance ratio"
            )
    return None


def is_shortage(sampler: Any, error: ValueError | RuntimeError, rows: Mapping[int, int]) -> bool:
    """Whether an error means that a class has too few rows for a sampler, or that it could make none.

    Parameters
    ----------
    sampler
        As it was told to work.
    error
        What it raised.
    rows
        Of each class that rows were asked for.
    """
    if isinstance(error, TooFewRowsError):
        return True
    # scikit-learn's InvalidParameterError is a TypeError, too: a wrong setting, whatever the rows.
    if isinstance(error, TypeError) or is_out_of_memory(error):
        return False
    fewest = min(rows.values())
    if isinstance(error, UserError) and not isinstance(error, NotFiniteError):
        return False
    if fewest < max(map(_rows_needed, parts(sampler))):
        return True
    message = str(error)
    for part in parts(sampler):
        for kind, raised, start in KNOWN:
            if isinstance(part, kind) and isinstance(error, raised) and message.startswith(start):
                return True
    there, wanted = ROWS_THERE.search(message), ROWS_WANTED.search(message)
    return (
        there is not None and wanted is not None and int(there[1]) in rows.values() and int(wanted[1]) > int(there[1])
    )


def _rows_needed(sampler: Any) -> int:
    """Of a class, at least."""
    if sampling_type(sampler) in ("clean-sampling", "under-sampling"):
        return LEAST_ROWS  # its neighbours are of all classes
    needed = [LEAST_ROWS, *(k + 1 for _, k in neighbours(sampler))]
    if isinstance(sampler, SMOTEENN | SMOTETomek) and sampler.smote is None:
        needed.append(SMOTE().k_neighbors + 1)
    for name, value in parameters(sampler).items():
        if name in NEEDS_AS_MANY and isinstance(value, Integral):
            needed.append(int(value))
    return max(needed)
