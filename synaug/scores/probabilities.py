"""The log probabilities of all test rows, which are kept beside the record."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaug.splits import Split


def probabilities(
    splits: Sequence[Split], labels: NDArray[np.int64], test: Sequence[NDArray[np.float64]]
) -> dict[str, NDArray[Any]]:
    """The log probabilities of every test row of every split, by name.

    Parameters
    ----------
    labels
        int64 `[n]`, of the whole data set.
    test
        Log probabilities `[n_rows, n_classes]` of each split.
    """
    return {
        "seed": np.concatenate([np.full(len(split.test), split.seed) for split in splits]),
        "fold": np.concatenate([np.full(len(split.test), split.fold, np.int16) for split in splits]),
        "row": np.concatenate([split.test for split in splits]).astype(np.int32),
        "label": np.concatenate([labels[split.test] for split in splits]).astype(np.int16),
        "log_probability": np.concatenate(test).astype(np.float32),
    }
