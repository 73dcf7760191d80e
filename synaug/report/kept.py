"""The log probabilities that a run kept beside its record, split by split, at the class frequencies of its data set."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from synaug import record as records
from synaug.errors import UserError
from synaug.files.digest import file_sha256
from synaug.scores.decision import CANDIDATES, OutOfFold
from synaug.scores.prior_correction import prior_correction

OF = CANDIDATES[0].name  # whose log probabilities are taken
REMEDY = "copy them there from where the run was made, or make the run anew with force=true"

Array = NDArray[np.float64]


@dataclass(frozen=True)
class KeptSplit:
    """What one split of a run kept.

    Attributes
    ----------
    seed, fold
        Which split.
    known
        The out-of-fold rows, with log probabilities corrected to the run's `target_prior`; no row in a record that is
        older than they are.
    labels, log_probabilities
        Of the test rows, int64 `[n]` and float64 `[n, n_classes]`, corrected likewise.
    frequencies
        Class frequencies of the data set `[n_classes]`, which test rows have, too.
    """

    seed: int
    fold: int
    known: OutOfFold
    labels: NDArray[np.int64]
    log_probabilities: Array
    frequencies: Array

    @property
    def as_met(self) -> Array:
        """Log probabilities of the test rows at the class frequencies of the data set, `[n, n_classes]`."""
        move = prior_correction(self.known.target, self.frequencies)
        moved: Array = log_softmax(self.log_probabilities + move, axis=-1)
        return moved


def frequencies(record: Mapping[str, Any]) -> Array:
    """Class frequencies of a run's data set, before any row was taken away, `[n_classes]`."""
    counts = np.maximum(np.asarray(record["data"]["rows_per_class"], np.float64), 1)
    shares: Array = counts / counts.sum()
    return shares


def is_there(folder: Path, record: Mapping[str, Any]) -> bool:
    """Whether the file stands where it should."""
    return records.probabilities_file(folder, record) is not None


def splits(folder: Path, record: Mapping[str, Any]) -> Iterator[KeptSplit]:
    """What a run kept, in the order of its splits.

    Raises
    ------
    UserError
        If it is gone, or is other than was recorded.
    """
    path = records.probabilities_file(folder, record)
    if path is None:
        raise UserError(f"{folder} lacks the log probabilities that rules are judged on: {REMEDY}")
    if file_sha256(path) != record["probabilities_sha256"]:
        raise UserError(f"{path} does not hold the log probabilities that were recorded: {REMEDY}")
    with np.load(path, allow_pickle=False) as stored:
        names = [f"{of}{name}" for of in ("", "oof_") for name in ("seed", "fold", "label", OF)]
        kept = {name: stored[name] for name in (*names, "oof_inner") if name in stored}
    shares = frequencies(record)
    uniform = np.full(len(shares), 1 / len(shares))
    target = shares if record["config"].get("target_prior", "uniform") == "natural" else uniform
    for seed, fold in np.unique(np.stack([kept["seed"], kept["fold"]], axis=1), axis=0).tolist():
        test = (kept["seed"] == seed) & (kept["fold"] == fold)
        yield KeptSplit(
            seed,
            fold,
            _known(kept, seed, fold, target),
            kept["label"][test].astype(np.int64),
            kept[OF][test].astype(np.float64),
            shares,
        )


def _known(kept: Mapping[str, NDArray[Any]], seed: int, fold: int, target: Array) -> OutOfFold:
    """The out-of-fold rows of a split; none of a record that is older than they are."""
    if f"oof_{OF}" not in kept:
        nothing = np.zeros(0, np.int64)
        return OutOfFold(np.zeros((0, len(target))), nothing, nothing, target)
    rows = (kept["oof_seed"] == seed) & (kept["oof_fold"] == fold)
    return OutOfFold(
        kept[f"oof_{OF}"][rows].astype(np.float64),
        kept["oof_label"][rows].astype(np.int64),
        kept["oof_inner"][rows].astype(np.int64),
        target,
    )
