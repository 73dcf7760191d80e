"""Linear discriminant analysis with a shrunk covariance: the cheap classifier of the audit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from synaug.quality.distances import Rows

LEAST = 1e-3  # shrinkage, so that dimensions in which no row differs leave the covariance regular


@dataclass(frozen=True)
class Discriminant:
    """A linear rule: of each class a direction and an offset.

    Attributes
    ----------
    directions, offsets
        `[c, d]` and `[c]`.
    """

    directions: NDArray[np.float32]
    offsets: NDArray[np.float32]

    def decide(self, rows: Rows) -> NDArray[np.int64]:
        """The class of each row `[r, d]`, by its place among those that were learned, `[r]`."""
        places: NDArray[np.int64] = (rows @ self.directions.T + self.offsets).argmax(axis=1)
        return places


def fit(classes: Sequence[Rows]) -> Discriminant:
    """Learn to tell classes, `[n_c, d]` each, which count alike whatever their numbers of rows.

    All share one covariance, which is that of the rows about the means of their classes, shrunk towards a multiple of
    the identity matrix (`shrinkage`).
    """
    means = np.stack([rows.mean(axis=0) for rows in classes])
    centred = np.concatenate([rows - mean for rows, mean in zip(classes, means, strict=True)])
    covariance = (centred.T @ centred) / len(centred)
    share = max(shrinkage(centred, covariance), LEAST)
    variance = float(np.trace(covariance)) / len(covariance)
    if variance <= 0:  # no row differs from its class's mean
        directions = means
    else:
        shrunk = (1 - share) * covariance
        shrunk[np.diag_indices_from(shrunk)] += share * variance
        directions = linalg.solve(shrunk, means.T, assume_a="pos", check_finite=False, overwrite_a=True).T
    return Discriminant(directions, -np.einsum("cd,cd->c", directions, means) / 2)


def shrinkage(centred: Rows, covariance: NDArray[np.float32]) -> float:
    """By how much to shrink a covariance: 0 not at all, 1 to a multiple of the identity matrix.

    The share that has the least expected squared error (Ledoit and Wolf 2004, "A well-conditioned estimator for
    large-dimensional covariance matrices"), as scikit-learn's `ledoit_wolf_shrinkage` computes it.

    Parameters
    ----------
    centred
        Rows about their mean, `[n, d]`.
    covariance
        Of them, `[d, d]`.
    """
    n, d = centred.shape
    squared_norm = float(np.einsum("ij,ij->", covariance, covariance, dtype=np.float64))
    lengths = np.einsum("nd,nd->n", centred, centred, dtype=np.float64)
    away = squared_norm / d - (float(np.trace(covariance)) / d) ** 2
    error = (float(np.square(lengths).mean()) - squared_norm) / (n * d)
    return min(error / away, 1.0) if away > 0 and error > 0 else float(away <= 0)
