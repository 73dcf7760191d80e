"""The VAE of one class: what it learns from, draws, keeps and makes, whichever stack it trains in."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from synaug.augmenter.vae.network import StackedVAE, initial_weights, padded

MIN_ROWS = 2
MIN_HELD_OUT = 2
ACTIVE_VARIANCE = 0.01


@dataclass(frozen=True)
class Settings:
    """The parameters of `synaug.augmenter.VAE` that decide how one is trained and sampled."""

    latent_dim: int
    hidden: int
    beta: float
    warmup_epochs: int
    max_epochs: int
    patience: int
    batch_size: int
    lr: float
    validation_share: float
    sample_from: str
    observation_noise: bool


class Shape(NamedTuple):
    """What VAEs must share to share a stack: settings, padded features, steps an epoch, rows a step and judged."""

    settings: Settings
    width: int
    n_steps: int
    batch: int
    judged: int


class ClassVAE:
    """The VAE of one class: its rows, its draws, its best weights and what it made.

    Parameters
    ----------
    rows
        The class's real rows, float `[n, d]`, `n` at least 2.
    wanted
        Synthetic rows to make.
    seed
        Seeds every draw.
    settings
        Shape, training and sampling.

    Attributes
    ----------
    shape
        Known before `start`.
    live
        `[d]`, False where a feature is constant.
    x
        The rows standardised, and one of zeros: `[n + 1, width]`.
    share
        Weight of each place in an epoch's batches, `[n_steps, B, 1]`; 0 where the batch is filled up.
    judge_x, judge_noise
        What `judge` wants the network's word on, `[judged, width]` and `[judged, latent]`.
    weights
        The initial ones, then the best.
    synthetic, parents
        Once trained: float64 `[wanted, d]`, and for "posterior" int64 `[wanted]`, the row each was
        sampled around.
    diagnostics
        Those of `synaug.augmenter.VAE`, but for the class; `reconstruction` is NaN if training diverged.
    """

    def __init__(self, rows: NDArray[Any], wanted: int, seed: int, settings: Settings) -> None:
        self.settings, self.wanted = settings, wanted
        self.synthetic, self.parents = np.zeros((wanted, rows.shape[1])), np.empty(0, np.int64)
        self._rows = rows
        self._generator = torch.Generator().manual_seed(seed)
        self._scaler = StandardScaler()
        self._best = -math.inf
        n = len(rows)
        n_held_out = round(settings.validation_share * n)
        held_out = n_held_out >= MIN_HELD_OUT and n - n_held_out >= MIN_ROWS
        self._n_train, self._n_judged = (n - n_held_out, n_held_out) if held_out else (n, n)
        n_steps = math.ceil(self._n_train / settings.batch_size)
        batch = _filled(math.ceil(self._n_train / n_steps))
        self.shape = Shape(settings, padded(rows.shape[1]), n_steps, batch, _filled(self._n_judged))
        self.diagnostics: dict[str, Any] = {
            "rows": n,
            "epochs": 0,
            "best_epoch": 0,
            "stopped_on": "validation" if held_out else "training",
            "reconstruction": math.nan,
            "kl": math.nan,
        }

    def start(self) -> None:
        """Standardise the rows, draw the weights and what is held out."""
        # Fitted on the class's own rows: only then is each live feature's variance 1, so that the
        # likelihood's unit noise, and the ELBO, mean the same in each class. A scaler of all rows
        # takes the distance between classes for scale: the class's own spread would shrink below
        # the noise, and the latents collapse.
        standard = self._scaler.fit_transform(self._rows.astype(np.float64))
        self.live = standard.var(axis=0) > 0.5  # 1, or about 0 where scikit-learn left it unscaled
        (n, d), shape = self._rows.shape, self.shape
        # One row more, of zeros, fills batches up.
        self.x = torch.zeros(n + 1, shape.width)
        self.x[:n, :d] = torch.from_numpy(np.where(self.live, standard, 0))
        self.weights = initial_weights(self.live, self.settings.hidden, self.settings.latent_dim, self._generator)
        order = torch.randperm(n, generator=self._generator)
        # Where none are held out, both are all rows.
        self._train, judged = order[n - self._n_train :], order[: self._n_judged]
        # Equal batches, give or take one row, each filled up to one length.
        sizes = torch.tensor([len(part) for part in torch.arange(self._n_train).tensor_split(shape.n_steps)])
        real = torch.arange(shape.batch) < sizes[:, None]
        self._places = real.flatten().nonzero()[:, 0]
        self.share = (real / sizes[:, None])[..., None]
        # One draw for all epochs: their ELBOs differ by the weights only.
        self.judge_x = torch.zeros(shape.judged, shape.width)
        self.judge_x[: self._n_judged] = self.x[judged]
        self.judge_noise = self._normal(shape.judged)

    def _normal(self, *rows: int) -> Tensor:
        noise = torch.zeros(*rows, padded(self.settings.latent_dim))
        drawn = torch.randn(*rows, self.settings.latent_dim, generator=self._generator, dtype=noise.dtype)
        noise[..., : self.settings.latent_dim] = drawn
        return noise

    def draw_epoch(self) -> tuple[Tensor, Tensor]:
        """Rows of `x`, `[n_steps, B]`, and noise, `[n_steps, B, latent]`, of an epoch's batches."""
        n_steps, batch = self.shape.n_steps, self.shape.batch
        index = torch.full((n_steps * batch,), len(self.x) - 1)
        index[self._places] = self._train[torch.randperm(self._n_train, generator=self._generator)]
        return index.view(n_steps, batch), self._normal(n_steps, batch)

    def judge(self, epoch: int, squares: Tensor, kl: Tensor, weights: Sequence[Tensor]) -> bool:
        """Keep the weights if the ELBO rose; whether training goes on.

        Parameters
        ----------
        epoch
            Epochs run.
        squares, kl
            From `StackedVAE.elbo_terms` on `judge_x`, `[B]`.
        weights
            This VAE's, as they are now.
        """
        diagnostics, n = self.diagnostics, self._n_judged
        diagnostics["epochs"] = epoch
        normalizer = int(self.live.sum()) / 2 * math.log(2 * math.pi)
        reconstruction = -squares[:n].double().mean().item() / 2 - normalizer
        divergence = kl[:n].double().mean().item()
        elbo = reconstruction - self.settings.beta * divergence
        if elbo > self._best:
            self._best = elbo
            diagnostics |= {"best_epoch": epoch, "reconstruction": reconstruction, "kl": divergence}
            for best, now in zip(self.weights, weights, strict=True):
                best.copy_(now)
            return True
        return epoch - int(diagnostics["best_epoch"]) < self.settings.patience

    def sample(self) -> None:
        """Make the synthetic rows with the best weights."""
        if not math.isfinite(self.diagnostics["reconstruction"]):
            return
        network = StackedVAE([self.weights])
        x = self.x[None, :-1].contiguous()
        mu, log_var = network.encode(x)
        std = (log_var / 2).exp()
        z = self._normal(1, self.wanted)
        if self.settings.sample_from == "posterior":
            picked = torch.randint(x.shape[1], (self.wanted,), generator=self._generator)
            z = mu[:, picked] + std[:, picked] * z
            self.parents = picked.numpy()
        live = torch.from_numpy(np.flatnonzero(self.live))
        decoded = network.decode(z)[0, :, live]
        if self.settings.observation_noise:
            residual = (x - network.decode(mu + std * self._normal(*x.shape[:2])))[0, :, live]
            noise = torch.randn(decoded.shape, generator=self._generator, dtype=decoded.dtype)
            decoded += residual.square().mean(0).sqrt() * noise
        self.synthetic[:, self.live] = decoded.numpy()
        variance = self.synthetic[:, self.live].var(0)
        self.diagnostics |= {
            "active_units": int((mu[0].var(0, correction=0) > ACTIVE_VARIANCE).sum()),
            # The real rows' variance is 1, by the scaler.
            "variance_ratio": float(variance.mean()) if self.wanted > 1 and self.live.any() else None,
            "made": self.wanted,
        }
        self.synthetic = self._scaler.inverse_transform(self.synthetic)


def _filled(rows: int) -> int:
    # Few shapes, so that folds which differ by a row share a stack; and whole vector registers,
    # since what is left over goes another way, with other last bits.
    return -(-rows // 4) * 4
