"""The best answer that is the same for all rows: what a loss would have said of a row that tells nothing."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax

from synaug.errors import UserError

RowLosses = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]

# Of a gradient whose classes are scaled to one size: at most so much of it is left at the minimum.
FLAT = 1e-6


def best_constant(loss: RowLosses, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Probabilities that, said of every row of a training set, make a loss the smallest.

    Parameters
    ----------
    loss
        As `synaug.loss.Loss` is called; in float64.
    counts
        Rows of each class of each member, `[m, C]`.

    Returns
    -------
    ndarray
        `[m, C]`; each member's own, whoever else is there.

    Raises
    ------
    UserError
        If no minimum is found.
    """
    members = list(map(tuple, counts.tolist()))
    found = {of_member: _of_one(loss, np.array(of_member)) for of_member in dict.fromkeys(members)}
    return np.stack([found[of_member] for of_member in members])


def _of_one(loss: RowLosses, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    shares = counts / counts.sum()
    # The curvature along a class is about its share: in these units, a rare class is as easy as a frequent one.
    unit = 1 / np.sqrt(shares)
    labels, told = torch.arange(len(counts))[None], torch.from_numpy(counts)[None]

    def risk(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = torch.from_numpy(point * unit).requires_grad_()
        # One row of each class.
        losses = loss(logits.expand(1, len(counts), -1), labels, told)[0]
        expected = (losses * torch.from_numpy(shares)).sum()
        (gradient,) = torch.autograd.grad(expected, logits)
        return expected.item(), gradient.numpy() * unit

    with np.errstate(over="ignore", invalid="ignore"):  # of a search that runs away
        found = minimize(risk, np.log(shares) / unit, jac=True, method="BFGS", options={"gtol": FLAT / 100})
    if not np.abs(found.jac).max() < FLAT:
        raise UserError(
            f"{type(loss).__name__} has no smallest value over constant logits for classes of {counts.tolist()} rows, "
            "so that the class frequencies that its logits follow are not known: give it a method carried_prior"
        )
    constant: NDArray[np.float64] = softmax(found.x * unit)
    return constant
