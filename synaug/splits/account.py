"""What splits say of themselves, seed by seed: their minority classes, and those that nothing judges."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from synaug.settings import names
from synaug.splits.split import Split


def minority_by_seed(splits: Sequence[Split], class_names: Sequence[str]) -> dict[str, list[str]]:
    """Names of the minority classes of each seed."""
    return {str(split.seed): [class_names[label] for label in split.minority] for split in splits}


def unjudged_by_seed(
    splits: Sequence[Split], labels: NDArray[np.int64], class_names: Sequence[str]
) -> dict[str, dict[str, int]]:
    """For each seed, the classes of which some of its splits leave out no row, and how many splits these are."""
    counts: dict[str, dict[str, int]] = {str(split.seed): {} for split in splits}
    for split in splits:
        of_seed = counts[str(split.seed)]
        left_out = np.bincount(labels[split.out_of_fold], minlength=len(class_names))
        for label in np.flatnonzero(left_out == 0).tolist():
            of_seed[class_names[label]] = of_seed.get(class_names[label], 0) + 1
    return counts


def said_of_unjudged(by_seed: Mapping[str, Mapping[str, int]], n_folds: int) -> list[str]:
    """The sentence about classes without an out-of-fold row, over all seeds; none where there is nothing to say."""
    counts = Counter[str]()
    for of_seed in by_seed.values():
        counts.update(of_seed)
    if not counts:
        return []
    n_splits = len(by_seed) * n_folds
    said = ", ".join(f"{names.cut(name)} (in {count} of {n_splits} splits)" for name, count in counts.most_common(5))
    more = f" and {len(counts) - 5} more classes" if len(counts) > 5 else ""
    return [
        f"no row is left out to choose by of class {said}{more}; steps, rules and methods are chosen there without "
        "regard to it: use more data or a lower imbalance_ratio.ratio"
    ]
