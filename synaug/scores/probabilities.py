"""The log probabilities of all test rows, beside the record."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synaug.files.atomic import replacing
from synaug.files.digest import file_sha256
from synaug.record import PROBABILITIES
from synaug.splits import Split


def write_probabilities(
    folder: Path, splits: Sequence[Split], labels: NDArray[np.int64], test: Sequence[NDArray[np.float64]]
) -> str:
    """Write the log probabilities of every test row of every split, and return the file's digest.

    Parameters
    ----------
    labels
        int64 `[n]`, of the whole data set.
    test
        Log probabilities `[n_rows, n_classes]` of each split.
    """
    path = folder / PROBABILITIES
    with replacing(path) as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            seed=np.concatenate([np.full(len(split.test), split.seed) for split in splits]),
            fold=np.concatenate([np.full(len(split.test), split.fold, np.int16) for split in splits]),
            row=np.concatenate([split.test for split in splits]).astype(np.int32),
            label=np.concatenate([labels[split.test] for split in splits]).astype(np.int16),
            log_probability=np.concatenate(test).astype(np.float32),
        )
    return file_sha256(path)
