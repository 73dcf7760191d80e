"""Rows whose label is doubtful: what models that did not train on them say of them, against what they are called."""

import numpy as np
from numpy.typing import NDArray

ROUNDING = 1e-6  # of a threshold, as cleanlab has it


def doubtful(log_probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Rows that are confidently of another class than their label says: confident learning [1]_.

    A row is confidently of class `j` if its probability of `j` is at least the mean that rows labelled `j` have; of
    several such classes, and where it decides, the most probable one counts. Rows of which that class is another than
    the label are the off-diagonal ones of the confident joint. As in cleanlab (``find_label_issues`` with
    ``filter_by="confident_learning"``), a row whose most probable class is its label is none of them.

    Parameters
    ----------
    log_probabilities
        Of models that the row did not train, float64 `[n, n_classes]`.
    labels
        int64 `[n]`; a class may have no row, and then no row is of it.

    Returns
    -------
    ndarray
        bool `[n]`.

    References
    ----------
    .. [1] Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 2021,
       eq. 1.
    """
    probabilities = np.exp(log_probabilities)
    n_classes = probabilities.shape[1]
    of_label = probabilities[np.arange(len(labels)), labels]
    counts = np.bincount(labels, minlength=n_classes)
    sums = np.bincount(labels, weights=of_label, minlength=n_classes)
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    is_confident = probabilities >= thresholds - ROUNDING
    n_confident = is_confident.sum(axis=1)
    most_probable = probabilities.argmax(axis=1)
    guess = np.where(n_confident > 1, most_probable, is_confident.argmax(axis=1))
    found: NDArray[np.bool_] = (n_confident > 0) & (guess != labels) & (most_probable != labels)
    return found
