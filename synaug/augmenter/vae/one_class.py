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

from synaug.augmenter.learned import Made, norm_ratio, variance_ratio
from synaug.augmenter.stack import padded
from synaug.augmenter.vae.diagnosis import of_units
from synaug.augmenter.vae.network import StackedVAE, initial_weights

MIN_ROWS = 2
MIN_HELD_OUT = 2
DIVERGED = 100  # a mean square of new features that no training comes to: of real rows it is 1


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
    """What VAEs must share to share a stack: settings, padded features, steps an epoch, rows a step and judged,
    classes that are a condition.
    """

    settings: Settings
    width: int
    n_steps: int
    batch: int
    judged: int
    n_conditions: int = 0


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
        The rows standardised, then their condition, and one row of zeros: `[n + 1, width + conditions]`.
    share
        Weight of each place in an epoch's batches, `[n_steps, B, 1]`; 0 where the batch is filled up.
    judge_x, judge_noise
        What `judge` wants the network's word on, `[judged, width + conditions]` and `[judged, latent]`.
    weights
        The initial ones, then the best.
    made
        Once trained: what was made of each class, in the order in which it was wanted.
    diagnostics
        Those of the training, among `synaug.augmenter.VAE`'s; `reconstruction` is NaN if its ELBO was never finite.
    spread
        The largest mean square of a class's new rows, standardised.
    """

    def __init__(self, rows: NDArray[Any], wanted: int, seed: int, settings: Settings) -> None:
        n = len(rows)
        n_held_out = round(settings.validation_share * n)
        if n_held_out < MIN_HELD_OUT or n - n_held_out < MIN_ROWS:
            n_held_out = 0
        self._set_up(rows, seed, settings, n, n_held_out)
        self._wanted = wanted
        self.made = [Made(np.zeros((wanted, rows.shape[1])), np.empty(0, np.int64), {})]

    def _set_up(
        self, rows: NDArray[Any], seed: int, settings: Settings, n_learned: int, n_held_out: int, n_conditions: int = 0
    ) -> None:
        self.settings = settings
        self._rows = rows
        self._generator = torch.Generator().manual_seed(seed)
        self._best = -math.inf
        self.spread = 0.0
        self._n_train = n_learned - n_held_out
        self._n_judged = n_held_out or n_learned
        n_steps = math.ceil(self._n_train / settings.batch_size)
        batch = _filled(math.ceil(self._n_train / n_steps))
        self.shape = Shape(settings, padded(rows.shape[1]), n_steps, batch, _filled(self._n_judged), n_conditions)
        self.diagnostics: dict[str, Any] = {
            "rows": len(rows),
            "epochs": 0,
            "best_epoch": 0,
            "stopped_on": "validation" if n_held_out else "training",
            "reconstruction": math.nan,
            "kl": math.nan,
        }

    def start(self) -> None:
        """Standardise the rows, draw the weights and what is held out."""
        standard = self._standardised()
        (n, d), shape = self._rows.shape, self.shape
        # One row more, of zeros, fills batches up.
        self.x = torch.zeros(n + 1, shape.width + padded(shape.n_conditions))
        self.x[:n, :d] = torch.from_numpy(np.where(self.live, standard, 0))
        self._condition()
        self.weights = initial_weights(
            self.live, self.settings.hidden, self.settings.latent_dim, self._generator, shape.n_conditions
        )
        order = self._learned(torch.randperm(n, generator=self._generator))
        # Where none are held out, both are all rows.
        self._train, self._judged = order[len(order) - self._n_train :], order[: self._n_judged]
        # Equal batches, give or take one row, each filled up to one length.
        sizes = torch.tensor([len(part) for part in torch.arange(self._n_train).tensor_split(shape.n_steps)])
        real = torch.arange(shape.batch) < sizes[:, None]
        self._places = real.flatten().nonzero()[:, 0]
        self.share = (real / sizes[:, None])[..., None]
        # One draw for all epochs: their ELBOs differ by the weights only.
        self.judge_x = torch.zeros(shape.judged, self.x.shape[1])
        self.judge_x[: self._n_judged] = self.x[self._judged]
        self.judge_noise = self._normal(shape.judged)

    def _standardised(self) -> NDArray[np.float64]:
        """The rows in units in which the likelihood's noise is 1, `[n, d]`; sets `live`."""
        # Fitted on the class's own rows: only then is each live feature's variance 1, so that the
        # likelihood's unit noise, and the ELBO, mean the same in each class. A scaler of all rows
        # takes the distance between classes for scale: the class's own spread would shrink below
        # the noise, and the latents collapse.
        self._scaler = StandardScaler()
        standard: NDArray[np.float64] = self._scaler.fit_transform(self._rows.astype(np.float64))
        self.live = standard.var(axis=0) > 0.5  # 1, or about 0 where scikit-learn left it unscaled
        return standard

    def in_its_units(self, rows: NDArray[Any], classes: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Rows that it was not given, as it sees its own, `[m, width + conditions]`.

        Parameters
        ----------
        rows
            `[m, d]`.
        classes
            Theirs, `[m]`; not looked at by the VAE of one class.
        """
        seen = np.zeros((len(rows), self.shape.width), np.float32)
        seen[:, : len(self.live)] = np.where(self.live, self._scaler.transform(rows.astype(np.float64)), 0)
        return seen

    def _condition(self) -> None:
        """Write each row's condition beside its features."""

    def _learned(self, order: Tensor) -> Tensor:
        """The rows to learn from, in an order that begins with those to be held out."""
        return order

    def _normal(self, *rows: int, generator: torch.Generator | None = None) -> Tensor:
        noise = torch.zeros(*rows, padded(self.settings.latent_dim))
        generator = generator or self._generator
        drawn = torch.randn(*rows, self.settings.latent_dim, generator=generator, dtype=noise.dtype)
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
        reconstruction = self._log_likelihood(squares[:n])
        divergence = kl[:n].double().mean().item()
        elbo = reconstruction - self.settings.beta * divergence
        if elbo > self._best:
            self._best = elbo
            diagnostics |= {"best_epoch": epoch, "reconstruction": reconstruction, "kl": divergence}
            for best, now in zip(self.weights, weights, strict=True):
                best.copy_(now)
            return True
        return epoch - int(diagnostics["best_epoch"]) < self.settings.patience

    def _log_likelihood(self, squares: Tensor) -> float:
        """Mean over rows, in nats, of squared residuals `[B]`."""
        normalizer = int(self.live.sum()) / 2 * math.log(2 * math.pi)
        return -squares.double().mean().item() / 2 - normalizer

    @property
    def diverged(self) -> bool:
        """Whether no epoch's ELBO was finite, or its rows spread further than any training takes them."""
        # Weights may have grown so far that the ELBO is a number yet and what they decode is none: which it is depends
        # on the processor.
        return not (math.isfinite(self.diagnostics["reconstruction"]) and self.spread < DIVERGED)

    def sample(self) -> None:
        """Make the synthetic rows with the best weights."""
        if not math.isfinite(self.diagnostics["reconstruction"]):
            return
        network = StackedVAE([self.weights])
        made, picked = self._made(network, torch.arange(len(self._rows)), self._wanted, self._generator)
        if self.diverged:
            return
        rows = np.zeros((self._wanted, len(self.live)))
        rows[:, self.live] = made
        synthetic = self._scaler.inverse_transform(rows)
        real = self.x[:-1, : len(self.live)].numpy()[:, self.live]
        diagnostics = self._diagnosed(network, self._judged, self.judge_noise[: self._n_judged], self._train) | {
            "variance_ratio": variance_ratio(made, real),
            "norm_ratio": norm_ratio(synthetic, self._rows),
            "made": self._wanted,
        }
        self.made = [Made(synthetic, picked, self.diagnostics | diagnostics)]

    def _made(
        self, network: StackedVAE, rows: Tensor, wanted: int, generator: torch.Generator, of_several: bool = False
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """New rows like those given, which are of one class, or `of_several`.

        Returns
        -------
        live features, standardised
            `[wanted, live]`.
        their parents
            Places of rows, `[wanted]`; empty where there are none.
        """
        x = self.x[None, rows]
        features, condition = network.parted(x)
        mu, log_var = network.encode(x)
        std = (log_var / 2).exp()
        z = self._normal(1, wanted, generator=generator)
        from_posterior = self.settings.sample_from == "posterior"
        picked = torch.zeros(wanted, dtype=torch.int64)
        if from_posterior or of_several:
            picked = torch.randint(x.shape[1], (wanted,), generator=generator)
        if from_posterior:
            z = mu[:, picked] + std[:, picked] * z
        live = torch.from_numpy(np.flatnonzero(self.live))
        decoded = network.decode(z, condition[:, picked])[0, :, live]
        if self.settings.observation_noise:
            drawn = self._normal(*x.shape[:2], generator=generator)
            residual = (features - network.decode(mu + std * drawn, condition))[0, :, live]
            noise = torch.randn(decoded.shape, generator=generator, dtype=decoded.dtype)
            decoded += residual.square().mean(0).sqrt() * noise
        if decoded.numel():
            spread = decoded.double().square().mean().item()
            self.spread = max(self.spread, spread if math.isfinite(spread) else math.inf)
        return decoded.numpy(), rows[picked if from_posterior else picked[:0]].numpy()

    def _diagnosed(self, network: StackedVAE, judged: Tensor, noise: Tensor, train: Tensor) -> dict[str, Any]:
        """What the latents carry on judged rows, and what their ELBO gains over a constant, the training rows' mean."""
        judge_x = self.x[judged]
        squares, kl = network.elbo_terms(judge_x[None], noise[None])
        deviation = (judge_x - self.x[train].mean(0))[:, : self.shape.width]
        constant = self._log_likelihood(deviation.square().sum(1))
        elbo = self._log_likelihood(squares[0]) - kl.double().mean().item()
        return {"elbo_gain": elbo - constant, **of_units(network, judge_x, noise, self.settings.latent_dim)}


def _filled(rows: int) -> int:
    # Few shapes, so that folds which differ by a row share a stack; and whole vector registers,
    # since what is left over goes another way, with other last bits.
    return -(-rows // 4) * 4
