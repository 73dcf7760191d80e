"""Draws with the covariance of given rows, without a matrix of the features' covariances where rows are few."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.floating[Any]]

# A feature whose standard deviation is below this share of the others' (root mean square) is constant. Encoders have
# such: 3 of MiniLM's 384 vary by 5e-9.
CONSTANT = 1e-4


def factor(rows: Rows, divisor: int) -> Rows:
    """F `[at most d, d]` with F'F the covariance of rows, so that w F has it for w ~ N(0, I).

    Parameters
    ----------
    rows
        `[n, d]`.
    divisor
        n, or n - 1 for the unbiased covariance.
    """
    centred: Rows = (rows - rows.mean(axis=0, dtype=np.float64)).astype(rows.dtype) / np.sqrt(divisor, dtype=rows.dtype)
    if len(rows) <= rows.shape[1]:
        return centred
    return np.asarray(np.linalg.qr(centred, mode="r"))


def draws(of_factor: Rows, n: int, draw: np.random.RandomState) -> Rows:
    """`n` draws of N(0, F'F), `[n, d]`."""
    drawn: Rows = draw.standard_normal(size=(n, len(of_factor))).astype(of_factor.dtype) @ of_factor
    return drawn


def varies(variances: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which features are not constant, from their variances `[d]`."""
    return np.asarray(variances > CONSTANT**2 * variances.mean())
