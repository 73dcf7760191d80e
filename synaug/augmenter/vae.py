"""Variational autoencoder as an imbalanced-learn sampler: one for each class to be added to."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from imblearn.over_sampling.base import BaseOverSampler
from numpy.typing import NDArray
from scipy import sparse
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from torch import Tensor, nn

MIN_ROWS = 2
MIN_HELD_OUT = 2
ACTIVE_VARIANCE = 0.01
_AT_LEAST_1 = [Interval(Integral, 1, None, closed="left")]


@contextmanager
def _one_thread() -> Iterator[None]:
    # From four threads on, matrix products differ in the last bits from those of one thread.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class _Linear(nn.Linear):
    def reset_parameters(self) -> None:
        """Leave the weights to `_Network`: here they would come from torch's global generator."""


class _Network(nn.Module):
    """Encoder of `[n, d]` into `mu, log var`, both `[n, latent_dim]`, and the decoder back."""

    def __init__(self, d: int, hidden: int, latent_dim: int, generator: torch.Generator) -> None:
        super().__init__()
        self.encoder = nn.Sequential(_Linear(d, hidden), nn.ReLU(), _Linear(hidden, 2 * latent_dim))
        self.decoder = nn.Sequential(_Linear(latent_dim, hidden), nn.ReLU(), _Linear(hidden, d))
        for layer in (*self.encoder, *self.decoder):
            if isinstance(layer, nn.Linear):  # torch's own default distribution
                bound = 1 / math.sqrt(max(layer.in_features, 1))
                nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
                nn.init.uniform_(layer.bias, -bound, bound, generator=generator)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mu, log_var = self.encoder(x).chunk(2, dim=1)
        return mu, log_var

    def elbo_terms(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstruction and KL terms, nats per row, mean over the rows; `noise` is N(0, I)."""
        mu, log_var = self.encode(x)
        residual = x - self.decoder(mu + (log_var / 2).exp() * noise)
        log_likelihood = -residual.square().sum(1) / 2 - x.shape[1] / 2 * math.log(2 * math.pi)
        kl = (mu.square() + log_var.exp() - 1 - log_var).sum(1) / 2
        return log_likelihood.mean(), kl.mean()


class VAE(BaseOverSampler):  # type: ignore[misc]
    """Over-sample with one variational autoencoder for each class [1]_.

    The encoder (``d -> hidden -> mu, log var``) and the mirrored decoder are trained on the rows
    of one class to maximise the evidence lower bound, in nats per row ::

        ELBO(x) = E_q(z|x)[log p(x|z)] - beta * KL(q(z|x) || N(0, I))
        log p(x|z) = -|x - decode(z)|^2 / 2 - d / 2 * log(2 pi)
        KL = sum_j (mu_j^2 + var_j - 1 - log var_j) / 2

    over the `d` live (not constant) features of the class, standardised: the likelihood is
    Gaussian with unit variance, the expectation is one draw. `beta` is that of [2]_; it grows
    linearly from 0 over `warmup_epochs`, against collapse [3]_ [4]_. Training stops when the ELBO
    with the whole `beta` has not risen for `patience` epochs, and the best weights are kept; it is
    measured on held-out rows, or on the training rows where the held-out part would have fewer
    than 2 rows (below 15 rows in the class at the default share). Constant features keep their
    value. All work is done on the CPU in float32, on one thread.

    Parameters
    ----------
    sampling_strategy : float, str, dict or callable, default="auto"
        As in imbalanced-learn; a dict holds the total number of rows of each class.
    random_state : int, RandomState or None, default=None
        Source of every draw: weights, held-out rows, batches, latents, parents.
    latent_dim, hidden : int, default=32, 256
        Width of the latent and of the hidden layer.
    beta : float, default=1.0
        Weight of the KL term.
    warmup_epochs, max_epochs, patience : int, default=20, 200, 20
        Epochs of KL warm-up, epochs at most, epochs without a better ELBO before stopping.
    batch_size : int, default=64
        Rows per step at most; the batches of an epoch are of equal size, give or take one row.
    lr : float, default=1e-3
        Learning rate of Adam.
    validation_share : float in [0, 1), default=0.1
        Share of a class's rows held out for early stopping.
    sample_from : {"prior", "posterior"}, default="prior"
        Decode `z ~ N(0, I)`, or `z ~ q(z|x)` of a real row `x` of the class picked at random.
    observation_noise : bool, default=False
        Add Gaussian noise with each feature's root mean square training residual to the decoded
        means, which alone vary less than real rows.

    Attributes
    ----------
    sampling_strategy_ : dict
        Rows to add to each class.
    diagnostics_ : list of dict
        For each class added to: `class`; `rows`, real ones; `epochs` run and `best_epoch`, from 1;
        `stopped_on` "validation" or "training" rows; on those rows at the best epoch
        `reconstruction` and `kl`, the expectation and the unweighted KL of the ELBO, in nats per
        row; `active_units`, latent units with `Var_x(E_q[z|x]) > 0.01` [5]_; `variance_ratio`,
        the variance of synthetic over that of real rows, mean over live features (None where all
        are constant or one row was made); `made`, synthetic rows.
    parents_ : ndarray of int64, shape [n_synthetic, 1], or None
        Index in `X` of the row each synthetic row was sampled around; None for "prior".

    Raises
    ------
    ValueError
        From `fit_resample`: a parameter out of range (scikit-learn's InvalidParameterError), a
        class to be added to with fewer than 2 rows, or training that diverged.

    References
    ----------
    .. [1] Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014.
    .. [2] Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a Constrained
       Variational Framework", ICLR 2017.
    .. [3] Bowman et al., "Generating Sentences from a Continuous Space", CoNLL 2016.
    .. [4] Sønderby et al., "Ladder Variational Autoencoders", NeurIPS 2016.
    .. [5] Burda, Grosse and Salakhutdinov, "Importance Weighted Autoencoders", ICLR 2016.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseOverSampler._parameter_constraints,
        "latent_dim": _AT_LEAST_1,
        "hidden": _AT_LEAST_1,
        "max_epochs": _AT_LEAST_1,
        "patience": _AT_LEAST_1,
        "batch_size": _AT_LEAST_1,
        "beta": [Interval(Real, 0, None, closed="left")],
        "warmup_epochs": [Interval(Integral, 0, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "validation_share": [Interval(Real, 0, 1, closed="left")],
        "sample_from": [StrOptions({"prior", "posterior"})],
        "observation_noise": ["boolean"],
    }

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        random_state: int | np.random.RandomState | None = None,
        latent_dim: int = 32,
        hidden: int = 256,
        beta: float = 1.0,
        warmup_epochs: int = 20,
        max_epochs: int = 200,
        patience: int = 20,
        batch_size: int = 64,
        lr: float = 1e-3,
        validation_share: float = 0.1,
        sample_from: Literal["prior", "posterior"] = "prior",
        observation_noise: bool = False,
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.random_state = random_state
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.beta = beta
        self.warmup_epochs = warmup_epochs
        self.max_epochs = max_epochs
        self.patience = patience
        self.batch_size = batch_size
        self.lr = lr
        self.validation_share = validation_share
        self.sample_from = sample_from
        self.observation_noise = observation_noise

    @_one_thread()
    def _fit_resample(self, X: Any, y: NDArray[Any]) -> tuple[Any, NDArray[Any]]:
        wanted = {label: int(n) for label, n in self.sampling_strategy_.items() if n > 0}
        members = {label: np.flatnonzero(y == label) for label in np.unique(y)}
        for label in wanted:
            if len(members[label]) < MIN_ROWS:
                raise ValueError(
                    f"class {label} has {len(members[label])} row; the VAE needs at least "
                    f"{MIN_ROWS}: lower the imbalance ratio or use augmenter=random"
                )
        # A seed for every class, so that a class's rows do not depend on which others are wanted.
        draws = check_random_state(self.random_state).randint(2**31, size=len(members))
        seeds = dict(zip(members, draws.tolist(), strict=True))

        self.diagnostics_: list[dict[str, Any]] = []
        rows, labels, parents = [], [y], []
        for label, n in wanted.items():
            generator = torch.Generator().manual_seed(seeds[label])
            real = X[members[label]]
            real = real.toarray() if sparse.issparse(real) else real
            made, picked, diagnostics = self._make(real, n, generator)
            if not math.isfinite(diagnostics["reconstruction"]):
                raise ValueError(
                    f"the VAE of class {label} diverged with lr={self.lr}; its ELBO must be finite: lower lr"
                )
            rows.append(made.astype(X.dtype if X.dtype.kind == "f" else np.float64))
            labels.append(np.full(n, label, dtype=y.dtype))
            parents.append(members[label][picked])
            self.diagnostics_.append({"class": np.asarray(label).item(), **diagnostics})

        self.parents_ = None
        if self.sample_from == "posterior":
            self.parents_ = np.concatenate([np.empty(0, np.int64), *parents]).reshape(-1, 1)
        if sparse.issparse(X):
            return sparse.vstack([X, *rows], format=X.format), np.concatenate(labels)
        return np.vstack([X, *rows]), np.concatenate(labels)

    def _make(
        self, real: NDArray[Any], n: int, generator: torch.Generator
    ) -> tuple[NDArray[Any], NDArray[np.int64], dict[str, Any]]:
        """Train on the rows of one class; `n` synthetic rows, their parents, diagnostics."""
        # Fitted on the class's own rows: only then is each live feature's variance 1, so that the
        # likelihood's unit noise, and the ELBO, mean the same in each class. A scaler of all rows
        # takes the distance between classes for scale: the class's own spread would shrink below
        # the noise, and the latents collapse.
        scaler = StandardScaler()
        standard = scaler.fit_transform(real.astype(np.float64))
        live = standard.var(axis=0) > 0.5  # 1, or about 0 where scikit-learn left it unscaled
        x = torch.from_numpy(standard[:, live].astype(np.float32))

        def normal(rows: int) -> Tensor:
            return torch.randn(rows, self.latent_dim, generator=generator, dtype=torch.float32)

        network = _Network(x.shape[1], self.hidden, self.latent_dim, generator)
        diagnostics = self._train(network, x, generator)
        with torch.no_grad():
            mu, log_var = network.encode(x)
            std = (log_var / 2).exp()
            picked = torch.empty(0, dtype=torch.int64)
            z = normal(n)
            if self.sample_from == "posterior":
                picked = torch.randint(len(x), (n,), generator=generator)
                z = mu[picked] + std[picked] * z
            decoded = network.decoder(z)
            if self.observation_noise:
                residual = x - network.decoder(mu + std * normal(len(x)))
                noise = torch.randn(decoded.shape, generator=generator, dtype=torch.float32)
                decoded += residual.square().mean(0).sqrt() * noise
        made = np.zeros((n, real.shape[1]))
        made[:, live] = decoded.numpy()
        diagnostics |= {
            "active_units": int((mu.var(0, correction=0) > ACTIVE_VARIANCE).sum()),
            # The real rows' variance is 1, by the scaler.
            "variance_ratio": float(made[:, live].var(0).mean()) if n > 1 and live.any() else None,
            "made": n,
        }
        return scaler.inverse_transform(made), picked.numpy(), diagnostics

    def _train(self, network: _Network, x: Tensor, generator: torch.Generator) -> dict[str, Any]:
        """Maximise the ELBO of `x` `[n, d]`, leave the best weights in `network`."""
        order = torch.randperm(len(x), generator=generator)
        n_held_out = round(self.validation_share * len(x))
        held_out = n_held_out >= MIN_HELD_OUT and len(x) - n_held_out >= MIN_ROWS
        train = x[order[n_held_out:]] if held_out else x
        judge = x[order[:n_held_out]] if held_out else x
        # One draw for all epochs: their ELBOs differ by the weights only.
        noise = torch.randn(len(judge), self.latent_dim, generator=generator, dtype=x.dtype)
        n_batches = math.ceil(len(train) / self.batch_size)
        optimizer = torch.optim.Adam(network.parameters(), lr=self.lr, fused=True)
        best = (-math.inf, math.nan, math.nan)
        best_epoch, weights = 0, network.state_dict()
        for epoch in range(1, self.max_epochs + 1):
            beta = self.beta * min(1.0, epoch / max(1, self.warmup_epochs))
            order = torch.randperm(len(train), generator=generator)
            for batch in order.tensor_split(n_batches):
                draw = torch.randn(len(batch), self.latent_dim, generator=generator, dtype=x.dtype)
                log_likelihood, kl = network.elbo_terms(train[batch], draw)
                optimizer.zero_grad()
                (beta * kl - log_likelihood).backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            if epoch < min(self.warmup_epochs, self.max_epochs):
                continue
            with torch.no_grad():
                reconstruction, divergence = (t.item() for t in network.elbo_terms(judge, noise))
            elbo = reconstruction - self.beta * divergence
            if elbo > best[0]:
                best, best_epoch = (elbo, reconstruction, divergence), epoch
                weights = {name: w.clone() for name, w in network.state_dict().items()}
            elif epoch - best_epoch >= self.patience:
                break
        network.load_state_dict(weights)
        return {
            "rows": len(x),
            "epochs": epoch,
            "best_epoch": best_epoch,
            "stopped_on": "validation" if held_out else "training",
            "reconstruction": best[1],
            "kl": best[2],
        }
