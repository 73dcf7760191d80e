"""The reject option: no class where none is probable enough, and what that gives (Chow 1970).

References
----------
Chow, "On optimum recognition error and reject tradeoff", IEEE Transactions on Information Theory 16, 1970. El-Yaniv and
Wiener, "On the foundations of noise-free selective classification", JMLR 11, 2010 (coverage and risk). Geifman and
El-Yaniv, "Selective classification for deep neural networks", NeurIPS 2017; Geifman, Uziel and El-Yaniv, "Bias-reduced
uncertainty estimation for deep neural classifiers", ICLR 2019 (the area under their curve).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synaug.errors import UserError

Array = NDArray[np.float64]


def read_level(text: str, said: str | None = None) -> float:
    """Read the probability below which no class is decided for.

    Parameters
    ----------
    said
        How the user has written it, for messages; ``--abstain=text`` if not given.

    Raises
    ------
    UserError
        If it is no number above 0 and below 1.
    """
    try:
        level = float(text)
    except ValueError:
        level = np.nan
    if not 0 < level < 1:
        said = f"--abstain={text}" if said is None else said
        raise UserError(f"{said} must be a probability above 0 and below 1, e.g. {said.removesuffix(text)}0.7")
    return level


def judged_without_abstained(
    labels: NDArray[np.int64], decided: NDArray[np.int64], minority: Sequence[int]
) -> dict[str, float]:
    """Coverage and risk, each a share.

    Parameters
    ----------
    labels, decided
        int64 `[n]`; −1 where no class was decided for.

    Returns
    -------
    dict
        `coverage`, of the rows; `risk`, the share of the decided rows that are decided wrongly; `balanced_risk`, its
        mean over the classes that have decided rows; `minority_coverage`, the mean over the minority classes of the
        share of their rows decided on. Not a number where there is no row to take a share of.
    """
    is_decided = decided >= 0
    wrong = is_decided & (decided != labels)
    n_classes = int(max(labels.max(), *minority, 0)) + 1 if len(labels) else 1
    rows, taken, missed = (
        np.bincount(labels, of, n_classes) for of in (None, is_decided.astype(float), wrong.astype(float))
    )
    of_minority = [taken[label] / rows[label] for label in minority if rows[label]]
    has_decided = taken > 0
    return {
        "coverage": float(is_decided.mean()),
        "risk": float(missed.sum() / taken.sum()) if has_decided.any() else np.nan,
        "balanced_risk": float((missed[has_decided] / taken[has_decided]).mean()) if has_decided.any() else np.nan,
        "minority_coverage": float(np.mean(of_minority)) if of_minority else np.nan,
    }


def risk_by_coverage(confidence: Array, right: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Risk where only the surest rows are decided on, from one row to all.

    Parameters
    ----------
    confidence, right
        Of each row `[n]`: the probability of its class, and whether that is right.

    Returns
    -------
    coverage, risk
        `[n]` each: of the k surest rows, k from 1 to n. Rows of one confidence have no order: each counts as wrong as
        they are in the mean, so the result does not depend on the order in which they come.
    """
    _, group = np.unique(-confidence, return_inverse=True)
    errors = np.bincount(group, ~right) / np.bincount(group)
    counts = np.arange(1, len(confidence) + 1)
    risk: Array = np.cumsum(errors[np.sort(group)]) / counts
    return counts / len(confidence), risk


def area_under_risk(confidence: Array, right: NDArray[np.bool_]) -> float:
    """Area under the curve of risk against coverage, the mean of `risk_by_coverage`; less is better."""
    return float(risk_by_coverage(confidence, right)[1].mean())
