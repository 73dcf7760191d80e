"""Draws of rows that depend on what a stage depends on, and on nothing else."""

import numpy as np
from numpy.typing import NDArray

from synaug.seeding import derive_seed
from synaug.splits.split import Rows


def first_of_each_class(rows: Rows, labels: NDArray[np.int64], keep: Rows, seed_parts: tuple[str | int, ...]) -> Rows:
    """Keep the first `keep[c]` rows of class `c` in a permutation that depends on the seed's parts alone."""
    kept = [
        permuted(rows[labels[rows] == label], *seed_parts, label)[:count] for label, count in enumerate(keep.tolist())
    ]
    return np.sort(np.concatenate(kept))


def permuted(rows: Rows, *seed_parts: str | int) -> Rows:
    """Rows in an order that depends on the seed's parts and their number alone."""
    return np.random.RandomState(derive_seed(*seed_parts)).permutation(rows)
