"""Distances between few rows, and neighbours by them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
Squared = NDArray[np.float32]
Ids = NDArray[np.int64]
PAIRS_AT_ONCE = 2**22  # distances that are held at a time: 16 MiB


@dataclass(frozen=True)
class Base:
    """Rows that others are compared with, laid out once.

    Attributes
    ----------
    rows
        Them, moved so that their mean is 0: what rounding takes is then a share of their spread, and not of their
        distance from 0. `[o, d]`.
    centre
        What they were moved by, `[d]`.
    lengths
        Their squared norms, `[o]`.
    """

    rows: Rows
    centre: Rows
    lengths: NDArray[np.float32]

    @classmethod
    def of(cls, rows: Rows) -> "Base":
        """Lay rows `[o, d]` out."""
        centre = rows.mean(axis=0)
        moved = rows - centre
        return cls(moved, centre, np.einsum("od,od->o", moved, moved))

    def squared(self, rows: Rows) -> Squared:
        """Squared Euclidean distances of rows `[r, d]` to these, float32 `[r, o]`."""
        moved: Rows = rows - self.centre
        squared: Squared = moved @ self.rows.T
        squared *= np.float32(-2)
        squared += np.einsum("rd,rd->r", moved, moved)[:, None]
        squared += self.lengths
        return np.maximum(squared, 0, out=squared)

    def blocks(self, rows: Rows) -> Iterator[tuple[int, Squared]]:
        """`squared` in blocks of rows, each with the place of its first."""
        size = max(1, PAIRS_AT_ONCE // len(self.rows))
        for start in range(0, len(rows), size):
            yield start, self.squared(rows[start : start + size])


def squared_distances(rows: Rows, others: Rows) -> Squared:
    """Squared Euclidean distances, float32 `[r, o]`, of rows `[r, d]` and others `[o, d]`."""
    return Base.of(others).squared(rows)


def among_themselves(rows: Rows) -> Squared:
    """Squared distances of rows `[r, d]` to each other, `[r, r]`; to itself no row has any: infinity."""
    squared = squared_distances(rows, rows)
    np.fill_diagonal(squared, np.inf)
    return squared


def lengths_between(rows: Rows, others: Rows) -> NDArray[np.float64]:
    """Distances of pairs of rows, both `[r, d]`, exact also where they are the same, float64 `[r]`."""
    lengths: NDArray[np.float64] = np.linalg.norm(rows.astype(np.float64) - others, axis=1)
    return lengths
