"""Distances between few rows, and neighbours by them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
Squared = NDArray[np.float32]
Ids = NDArray[np.int64]
PAIRS_AT_ONCE = 2**22  # distances that are held at a time: 16 MiB


def squared_distances(rows: Rows, others: Rows) -> Squared:
    """Squared Euclidean distances, float32 `[r, o]`, of rows `[r, d]` and others `[o, d]`.

    Both are moved by the others' mean first, so that what rounding takes is a share of their spread, and not of their
    distance from 0.
    """
    centre = others.mean(axis=0)
    rows, others = rows - centre, others - centre
    lengths = np.einsum("od,od->o", others, others)
    squared: Squared = rows @ (-2 * others).T
    squared += np.einsum("rd,rd->r", rows, rows)[:, None] + lengths
    return np.maximum(squared, 0, out=squared)


def blocks(rows: Rows, others: Rows) -> Iterator[tuple[int, Squared]]:
    """`squared_distances` in blocks of rows, each with the place of its first."""
    size = max(1, PAIRS_AT_ONCE // len(others))
    for start in range(0, len(rows), size):
        yield start, squared_distances(rows[start : start + size], others)


def among_themselves(rows: Rows) -> Squared:
    """Squared distances of rows `[r, d]` to each other, `[r, r]`; to itself no row has any: infinity."""
    squared = squared_distances(rows, rows)
    np.fill_diagonal(squared, np.inf)
    return squared


def kth_smallest(squared: Squared, k: int) -> NDArray[np.float32]:
    """The `k`-th smallest number of each line, `[r]`; `k` = 1 is the smallest."""
    smallest: NDArray[np.float32] = np.partition(squared, k - 1, axis=1)[:, k - 1]
    return smallest


def lengths_between(rows: Rows, others: Rows) -> NDArray[np.float64]:
    """Distances of pairs of rows, both `[r, d]`, exact also where they are the same, float64 `[r]`."""
    lengths: NDArray[np.float64] = np.linalg.norm(rows.astype(np.float64) - others, axis=1)
    return lengths
