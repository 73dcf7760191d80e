"""One conditional VAE of all classes: they share their shape, and each is centred on its own mean."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from synaug.augmenter.learned import Made, norm_ratio, unbiased, variance_ratio
from synaug.augmenter.vae.network import StackedVAE
from synaug.augmenter.vae.one_class import MIN_HELD_OUT, MIN_ROWS, ClassVAE, Settings


class AllClassesVAE(ClassVAE):
    """The conditional VAE of a training set: its rows, its draws, its best weights and what it made of each class.

    Parameters
    ----------
    rows
        Real rows of all classes, float `[n, d]`; at least 2 of one class.
    classes
        Their classes, `[n]`, from 0.
    wanted
        Synthetic rows to make, by class.
    seed, seeds_of_classes
        Seed every draw: of training, and of each class's new rows `[c]`.
    settings
        Shape, training and sampling.
    """

    def __init__(
        self,
        rows: NDArray[Any],
        classes: NDArray[np.int64],
        wanted: Mapping[int, int],
        seed: int,
        seeds_of_classes: Sequence[int],
        settings: Settings,
    ) -> None:
        self._classes, self._of_class = torch.from_numpy(classes), wanted
        self._seeds_of_classes = seeds_of_classes
        counts = np.bincount(classes)
        # One row of a class is its mean: nothing is to be learned from it.
        self._is_learned = counts >= MIN_ROWS
        # So many of each class; none of a class that has too few for it.
        per_class = np.rint(settings.validation_share * counts).astype(np.int64)
        too_few = (per_class < MIN_HELD_OUT) | (counts - per_class < MIN_ROWS)
        self._held_out = np.where(too_few, 0, per_class)
        n_learned = int(counts[self._is_learned].sum())
        self._set_up(rows, seed, settings, n_learned, int(self._held_out.sum()), len(counts))
        nothing = np.empty(0, np.int64)
        self.made = [Made(np.zeros((n, rows.shape[1])), nothing, {}) for n in wanted.values()]

    def _standardised(self) -> NDArray[np.float64]:
        # Around each class's own mean, by the scale that all classes share: a class of few rows takes the scale, as
        # the latents' meaning, from those that have many. Rows have a part in the mean that they differ from, and
        # so differ too little: they are moved away from it, and the variance has the divisor rows less classes.
        classes = self._classes.numpy()
        counts = np.bincount(classes, minlength=len(self._held_out))
        free = (counts[self._is_learned] - 1).sum()
        rows = self._rows.astype(np.float64)
        self._means = np.zeros((len(self._held_out), rows.shape[1]))
        variance = np.zeros(rows.shape[1])
        for label in np.unique(classes):
            scaler = StandardScaler()
            own = scaler.fit_transform(rows[classes == label])
            self._means[label] = scaler.mean_
            variance += np.where(own.var(0) > 0.5, scaler.var_, 0) * len(own) / free
        self.live = variance > 0
        self._scale = np.sqrt(np.where(self.live, variance, 1))
        standard: NDArray[np.float64] = (rows - self._means[classes]) / self._scale * unbiased(counts)[classes, None]
        return standard

    def in_its_units(self, rows: NDArray[Any], classes: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Rows that it was not given, of classes `[m]` with 2 training rows or more, `[m, width + conditions]`.

        They are seen as its own, but not moved: they lie no nearer to the mean for having a part in it.
        """
        assert classes is not None
        seen = np.zeros((len(rows), self.x.shape[1]), np.float32)
        standard = (rows.astype(np.float64) - self._means[classes]) / self._scale
        seen[:, : len(self.live)] = np.where(self.live, standard, 0)
        seen[np.arange(len(rows)), self.shape.width + classes] = 1
        return seen

    def _condition(self) -> None:
        self.x[torch.arange(len(self._rows)), self.shape.width + self._classes] = 1

    def _learned(self, order: Tensor) -> Tensor:
        order = order[torch.from_numpy(self._is_learned)[self._classes[order]]]
        of_class = self._classes[order].numpy()
        first = np.zeros(len(order), dtype=bool)
        for label, n in enumerate(self._held_out):
            first[np.flatnonzero(of_class == label)[:n]] = True
        return torch.cat([order[first], order[~first]])

    def sample(self) -> None:
        """Make the synthetic rows of each class with the best weights."""
        if not math.isfinite(self.diagnostics["reconstruction"]):
            return
        network = StackedVAE([self.weights])
        classes = self._classes.numpy()
        learned = torch.from_numpy(np.flatnonzero(self._is_learned[classes]))
        self.made = []
        for label, wanted in self._of_class.items():
            own = torch.from_numpy(np.flatnonzero(classes == label))
            generator = torch.Generator().manual_seed(self._seeds_of_classes[label])
            if self._is_learned[label]:
                made, parents = self._made(network, own, wanted, generator)
                on, judged = ("validation", self._judged) if self._held_out[label] else ("training", own)
                judged = judged[self._classes[judged] == label]
                train = self._train[self._classes[self._train] == label]
            else:
                # The network knows nothing of the class: its rows differ from its only one as those of the others do.
                made, others = self._made(network, learned, wanted, generator, of_several=True)
                parents = np.full(len(others), own.item())
                on, judged, train = "other classes", self._judged, self._train
            if self.diverged:
                return
            synthetic = np.tile(self._means[label], (wanted, 1))
            synthetic[:, self.live] += made * self._scale[self.live]
            standard = self.x[own, : len(self.live)].numpy()[:, self.live]
            diagnostics = {
                **self.diagnostics,
                "rows": len(own),
                "judged_on": on,
                **self._diagnosed(network, judged, self._normal(len(judged), generator=generator), train),
                "variance_ratio": variance_ratio(made, standard),
                "norm_ratio": norm_ratio(synthetic, self._rows[own.numpy()]),
                "made": wanted,
            }
            self.made.append(Made(synthetic, parents, diagnostics))
