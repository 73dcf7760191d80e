"""One conditional VAE of all classes: they share their shape, and each is centred on its own mean."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from synaug.augmenter.learned import Made, norm_ratio, variance_ratio
from synaug.augmenter.vae.network import StackedVAE
from synaug.augmenter.vae.one_class import MIN_HELD_OUT, ClassVAE, Settings


class AllClassesVAE(ClassVAE):
    """The conditional VAE of a training set: its rows, its draws, its best weights and what it made of each class.

    Parameters
    ----------
    rows
        Real rows of all classes, float `[n, d]`.
    classes
        Their classes, `[n]`, from 0.
    wanted
        Synthetic rows to make, by class.
    seed
        Seeds every draw.
    settings
        Shape, training and sampling.
    """

    def __init__(
        self,
        rows: NDArray[Any],
        classes: NDArray[np.int64],
        wanted: Mapping[int, int],
        seed: int,
        settings: Settings,
    ) -> None:
        self._classes, self._of_class = torch.from_numpy(classes), wanted
        # So many of each class; none of a class that has too few for it.
        per_class = np.rint(settings.validation_share * np.bincount(classes)).astype(np.int64)
        self._held_out = np.where(per_class < MIN_HELD_OUT, 0, per_class)
        self._set_up(rows, seed, settings, int(self._held_out.sum()), len(per_class))
        nothing = np.empty(0, np.int64)
        self.made = [Made(np.zeros((n, rows.shape[1])), nothing, {}) for n in wanted.values()]

    def _standardised(self) -> NDArray[np.float64]:
        # Around each class's own mean, by the scale that all classes share: a class of few rows takes the scale, as
        # the latents' meaning, from those that have many.
        classes = self._classes.numpy()
        rows = self._rows.astype(np.float64)
        self._means = np.zeros((len(self._held_out), rows.shape[1]))
        variance = np.zeros(rows.shape[1])
        for label in np.unique(classes):
            scaler = StandardScaler()
            own = scaler.fit_transform(rows[classes == label])
            self._means[label] = scaler.mean_
            variance += np.where(own.var(0) > 0.5, scaler.var_, 0) * len(own) / len(rows)
        self.live = variance > 0
        self._scale = np.sqrt(np.where(self.live, variance, 1))
        standard: NDArray[np.float64] = (rows - self._means[classes]) / self._scale
        return standard

    def in_its_units(self, rows: NDArray[Any], classes: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Rows that it was not given, of classes `[m]`, as it sees its own, `[m, width + conditions]`."""
        assert classes is not None
        seen = np.zeros((len(rows), self.x.shape[1]), np.float32)
        standard = (rows.astype(np.float64) - self._means[classes]) / self._scale
        seen[:, : len(self.live)] = np.where(self.live, standard, 0)
        seen[np.arange(len(rows)), self.shape.width + classes] = 1
        return seen

    def _condition(self) -> None:
        self.x[torch.arange(len(self._rows)), self.shape.width + self._classes] = 1

    def _held_out_first(self, order: Tensor) -> Tensor:
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
        self.made = []
        for label, wanted in self._of_class.items():
            own = torch.from_numpy(np.flatnonzero(classes == label))
            made, parents = self._made(network, own, wanted)
            synthetic = np.tile(self._means[label], (wanted, 1))
            synthetic[:, self.live] += made * self._scale[self.live]
            held_out = bool(self._held_out[label])
            judged = self._judged[self._classes[self._judged] == label] if held_out else own
            train = self._train[self._classes[self._train] == label]
            standard = self.x[own, : len(self.live)].numpy()[:, self.live]
            diagnostics = {
                **self.diagnostics,
                "rows": len(own),
                "judged_on": "validation" if held_out else "training",
                **self._diagnosed(network, judged, self._normal(len(judged)), train),
                "variance_ratio": variance_ratio(made, standard),
                "norm_ratio": norm_ratio(synthetic, self._rows[own.numpy()]),
                "made": wanted,
            }
            self.made.append(Made(synthetic, parents, diagnostics))
