"""How many rows of each class a training set keeps."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synaug import settings
from synaug.errors import UserError
from synaug.settings import names


class ImbalanceRatio:
    """A ratio of the largest to the smallest class, and how the classes between them fall.

    Classes are ordered majority first, minority last, each in the order of their labels (under ``rotate``, in that
    order from the first class after the minority, and again from the first after the last). With `n`
    rows in the largest of `C` classes and the ratio ρ, class `i = 0 … C − 1` of that order keeps

    - ``step``: `n` if it is a majority class, `n / ρ` if it is a minority class (Buda et al. 2018);
    - ``linear``: `n − i / (C − 1) · (n − n / ρ)` (Buda et al. 2018);
    - ``exponential``: `n · μ^i` with `μ = ρ^(−1 / (C − 1))`, the long tail (Cui et al. 2019).

    Parameters
    ----------
    ratio
        ρ ≥ 1; None leaves the classes as they are.
    profile
        ``step``, ``linear`` or ``exponential``.
    minority
        Names of the minority classes; a value that YAML makes of one (true, 1e3) stands for the class
        so written. None: the later half of the classes (of an odd number, the smaller half), and where
        nothing is thinned, those with fewer rows than the mean class. ``rotate``: with seed 0 the later half, and
        with each seed the classes that follow, as many, from the first again after the last, so that over the seeds
        every class is in the minority; it needs a ratio, as under ``ratio=None`` no class is thinned.

    References
    ----------
    Buda, Maki and Mazurowski, "A systematic study of the class imbalance problem in convolutional
    neural networks", Neural Networks 106, 2018, section 3.1. Cui et al., "Class-balanced loss based
    on effective number of samples", CVPR 2019, section 4.1.
    """

    def __init__(
        self, ratio: float | None, profile: str = "step", minority: Sequence[str | float | None] | str | None = None
    ) -> None:
        table = settings.OF_A_TARGET["synaug.imbalance_ratio.ImbalanceRatio"]
        settings.require("imbalance_ratio", table, {"ratio": ratio, "profile": profile})
        self.rotates = minority == settings.ROTATE
        if self.rotates and ratio is None:
            raise UserError(
                "imbalance_ratio.minority=rotate thins other classes with each seed, but imbalance_ratio.ratio=null "
                "thins none: choose a ratio, or leave imbalance_ratio.minority out"
            )
        self.ratio = ratio
        self.profile = profile
        self.minority = None if minority is None or self.rotates else _names_given(minority)

    def minority_classes(self, class_names: Sequence[str], rows_per_class: NDArray[np.int64], seed: int) -> list[int]:
        """Labels of the minority classes of a seed, in the order in which they keep fewer rows.

        Raises
        ------
        UserError
            If a name is no class, or if no class or every class is named.
        """
        if self.minority is None:
            if self.ratio is None:
                return [int(label) for label in np.flatnonzero(rows_per_class < rows_per_class.mean())]
            n_classes = len(class_names)
            half = n_classes // 2
            first = n_classes - half + (seed * half if self.rotates else 0)
            return [label % n_classes for label in range(first, first + half)]
        meant = {names.class_meant("imbalance_ratio.minority", name, class_names, '["{}"]') for name in self.minority}
        chosen = [label for label, name in enumerate(class_names) if name in meant]
        if not 0 < len(chosen) < len(class_names):
            raise UserError(
                f"imbalance_ratio.minority names {len(chosen)} of {len(class_names)} classes: "
                "name at least one, and leave at least one"
            )
        return chosen

    def rows_to_keep(self, rows_per_class: NDArray[np.int64], minority: Sequence[int]) -> NDArray[np.int64]:
        """Rows that each class keeps, `[n_classes]`, rounded to whole rows (so that it may be none).

        Parameters
        ----------
        rows_per_class
            Rows that there are, `[n_classes]`.
        minority
            As `minority_classes` has them.
        """
        if self.ratio is None:
            return rows_per_class.copy()
        n_classes = len(rows_per_class)
        first = minority[-1] + 1 if self.rotates else 0
        turned = [label % n_classes for label in range(first, first + n_classes)]
        order = [label for label in turned if label not in minority] + list(minority)
        rank = np.empty(n_classes)
        rank[order] = np.arange(n_classes) / (n_classes - 1)
        share = {
            "step": np.where(np.isin(np.arange(n_classes), minority), 1 / self.ratio, 1.0),
            "linear": 1 - rank * (1 - 1 / self.ratio),
            "exponential": self.ratio**-rank,
        }[self.profile]
        keep: NDArray[np.int64] = np.rint(rows_per_class.max() * share).astype(np.int64)
        return np.minimum(keep, rows_per_class)


def _names_given(minority: object) -> tuple[str | float | None, ...]:
    if isinstance(minority, str) or not isinstance(minority, Sequence):
        word = names.as_yaml(minority) if names.is_written(minority) else minority
        raise UserError(f"imbalance_ratio.minority={word} must be rotate or a list of class names: write [{word}]")
    strange = [name for name in minority if not names.is_written(name)]
    if strange:
        raise UserError(f"imbalance_ratio.minority holds {strange[0]}, but each entry must be a class name")
    return tuple(minority)
