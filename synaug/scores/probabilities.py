"""The log probabilities of all test rows and all out-of-fold rows, which are kept beside the record.

Any later rule, cost, threshold or metric is computed from them without training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaug.splits import Split

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Said:
    """Log probabilities of one split's rows.

    Attributes
    ----------
    split
        The rows.
    test, out_of_fold
        By what they are called, `[n_rows, n_classes]` each; rows as in `Split.test` and `Split.out_of_fold`.
    """

    split: Split
    test: Mapping[str, Array]
    out_of_fold: Mapping[str, Array]


def probabilities(labels: NDArray[np.int64], said: Sequence[Said]) -> dict[str, NDArray[Any]]:
    """The log probabilities of every split, by name.

    Test rows: `seed`, `fold`, `row` (of the data set), `label`, and float32 `[n, n_classes]` under each name. The same
    of out-of-fold rows, with `oof_` before each name, and `oof_inner`, the inner fold that left the row out.

    Parameters
    ----------
    labels
        int64 `[n]`, of the whole data set.
    """
    test = _columns([of.split for of in said], [of.split.test for of in said], labels)
    out_of_fold = _columns([of.split for of in said], [of.split.out_of_fold for of in said], labels)
    out_of_fold["inner"] = np.concatenate(
        [np.full(len(fold.left_out), inner, np.int16) for of in said for inner, fold in enumerate(of.split.inner)]
    )
    for columns, values in ((test, [of.test for of in said]), (out_of_fold, [of.out_of_fold for of in said])):
        for name in values[0]:
            columns[name] = np.concatenate([of_split[name] for of_split in values]).astype(np.float32)
    return {**test, **{f"oof_{name}": column for name, column in out_of_fold.items()}}


def _columns(
    splits: Sequence[Split], rows: Sequence[NDArray[np.int64]], labels: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    pairs = list(zip(splits, rows, strict=True))
    return {
        "seed": np.concatenate([np.full(len(of_split), split.seed) for split, of_split in pairs]),
        "fold": np.concatenate([np.full(len(of_split), split.fold, np.int16) for split, of_split in pairs]),
        "row": np.concatenate(rows).astype(np.int32),
        "label": labels[np.concatenate(rows)].astype(np.int16),
    }
