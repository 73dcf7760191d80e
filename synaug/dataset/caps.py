"""How many rows of each class the caps keep, and which."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaug.seeding import derive_seed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Caps:
    """At most so many rows.

    Attributes
    ----------
    max_per_class
        Of each class; None for all.
    max_rows
        In all, of each class in proportion; None for all.
    proportional
        Let `max_per_class` cap the largest class, and thin the others in proportion to it.
    at_least
        Rows that are left each class (all, where it has fewer), even if out of proportion.
    """

    max_per_class: int | None
    max_rows: int | None
    proportional: bool = False
    at_least: int = 1

    def problem(self, counts: NDArray[np.int64]) -> str | None:
        """Say why the caps cannot be kept to with so many rows of each class, `[n_classes]`; None if they can."""
        needed = min(self.at_least, int(counts.max()))
        if self.max_per_class is not None and self.max_per_class < needed:
            return (
                f"dataset.max_per_class={self.max_per_class} leaves no class the {needed} rows that each needs: "
                f"raise it to {needed} or more, or lower n_folds"
            )
        least = int(np.minimum(self._floor(counts), self._of_each_class(counts)).sum())
        if self.max_rows is not None and self.max_rows < least:
            return (
                f"dataset.max_rows={self.max_rows} is too few for {np.count_nonzero(counts)} classes that need "
                f"{self.at_least} rows each: raise it to {least} or more"
            )
        return None

    def rows_per_class(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows that each class keeps of those that it has, `[n_classes]` both."""
        keep = self._of_each_class(counts)
        if self.max_rows is None or self.max_rows >= keep.sum():
            return keep
        return _in_proportion(keep, self.max_rows, np.minimum(self._floor(counts), keep))

    def kept(self, labels: NDArray[np.int64], draw_of: tuple[str, int]) -> NDArray[np.int64]:
        """The rows that are kept, ascending; a smaller cap keeps a part of what a larger one does.

        Parameters
        ----------
        labels
            int64 `[n]`.
        draw_of
            The data set's name and its seed.
        """
        counts = np.bincount(labels)
        keep = self.rows_per_class(counts)
        if (keep == counts).all():
            return np.arange(len(labels))
        kept = []
        for label in np.unique(labels):
            # Named after the older of the caps, whose draws are those of all.
            draw = np.random.RandomState(derive_seed("max_per_class", *draw_of, int(label)))
            kept.append(draw.permutation(np.flatnonzero(labels == label))[: keep[label]])
        return np.sort(np.concatenate(kept))

    def tell_proportions(self, counts: NDArray[np.int64], class_names: Sequence[str], title: str) -> dict[str, Any]:
        """Say whether classes kept their proportions, where they should: one may need more rows than its share is.

        Returns
        -------
        dict
            For the data report: rows of each class before the caps, and whether proportions changed.
        """
        keep, floor = self.rows_per_class(counts), self._floor(counts)
        if not self.proportional or (keep == counts).all():
            return {}
        report = {"rows_per_class_before_caps": counts.tolist()}
        share = keep.max() / counts.max()
        raised = [
            f"{class_names[label]!r} {keep[label]} of {counts[label]}"
            for label in np.flatnonzero((keep == floor) & (counts * share < floor - 0.5)).tolist()
        ]
        if not raised:
            log.info("%s: the caps kept %d of %d rows, in proportion", title, keep.sum(), counts.sum())
            return report
        log.warning(
            "%s: the caps changed the proportions of the classes, as each needs some rows: of the largest %d of %d "
            "are kept, of %s%s",
            title,
            keep.max(),
            counts.max(),
            ", ".join(raised[:12]),
            f" and {len(raised) - 12} more" if len(raised) > 12 else "",
        )
        return {**report, "proportions_changed": True}

    def _floor(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.minimum(counts, self.at_least)

    def _of_each_class(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """What the cap on each class keeps, before the one on all rows."""
        if self.max_per_class is None:
            return counts
        cap = min(self.max_per_class, int(counts.max()))
        keep: NDArray[np.int64] = np.minimum(counts, cap)
        if self.proportional:
            in_proportion = np.rint(counts * (cap / counts.max())).astype(np.int64)
            keep = np.minimum(np.maximum(in_proportion, self._floor(counts)), keep)
        return keep


def _in_proportion(counts: NDArray[np.int64], total: int, floor: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of each class, `total` in all, by Webster's method: with a larger total no class has fewer.

    Balinski and Young, "Fair Representation", 1982, chapter 9: the k-th row of a class of n has the claim
    n / (2k − 1), and the greatest claims are met; the first `floor` rows of a class go before all others.
    """
    label = np.repeat(np.arange(len(counts)), counts)
    place = np.concatenate([np.arange(count) for count in counts])
    claim = np.where(place < floor[label], np.inf, counts[label] / (2 * place + 1))
    kept = np.argsort(-claim, kind="stable")[:total]
    shares: NDArray[np.int64] = np.bincount(label[kept], minlength=len(counts))
    return shares
