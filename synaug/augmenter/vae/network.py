"""Variational autoencoders side by side: weights `[v, in, out]`, one batched product a layer."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.adam import adam

LANES = 16
# torch.optim.Adam's own constants, and its quickest kernel.
ADAM: dict[str, Any] = {
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "weight_decay": 0.0,
    "amsgrad": False,
    "maximize": False,
    "fused": True,
}


def padded(width: int) -> int:
    """Width rounded up, so that each VAE's slice of a stack begins at a multiple of 64 bytes.

    The last bits of a matrix product depend on where its operands begin; aligned alike, a VAE's
    are the same wherever it stands in a stack.
    """
    return -(-width // LANES) * LANES


def initial_weights(live: NDArray[np.bool_], hidden: int, latent_dim: int, generator: torch.Generator) -> list[Tensor]:
    """Draw one VAE's weights, uniform in ±1/√n_in as in ``torch.nn.Linear``.

    Parameters
    ----------
    live
        `[d]`, False for features that take no part.
    hidden, latent_dim
        Widths.
    generator
        The only source of the draws.

    Returns
    -------
    list of Tensor
        Weight `[in, out]` and bias `[1, out]` of ``d -> hidden -> (mu, log var)`` and of
        ``latent -> hidden -> d``, all widths padded. Zero for padding and for features that take
        no part: their activations, and hence their gradients, are zero, so they stay zero.
    """
    features = torch.from_numpy(np.flatnonzero(live))
    d, wide, narrow = padded(len(live)), padded(hidden), padded(latent_dim)
    units, latents = torch.arange(hidden), torch.arange(latent_dim)
    code = torch.cat([latents, narrow + latents])
    weights = []
    for n_in, n_out, rows, columns in (
        (d, wide, features, units),
        (wide, 2 * narrow, units, code),
        (narrow, wide, latents, units),
        (wide, d, units, features),
    ):
        bound = 1 / math.sqrt(max(len(rows), 1))
        drawn = torch.empty(len(rows) + 1, len(columns)).uniform_(-bound, bound, generator=generator)
        weight, bias = torch.zeros(n_in, n_out), torch.zeros(1, n_out)
        weight[rows[:, None], columns] = drawn[:-1]
        bias[0, columns] = drawn[-1]
        weights += [weight, bias]
    return weights


class StackedVAE:
    """`v` VAEs of one shape, and their Adam.

    Nothing couples them. On one thread, and with widths that `padded` made, a VAE's numbers are the
    same to the bit whatever `v` is.

    Parameters
    ----------
    weights
        For each VAE its weights, in the form that `initial_weights` gives them.
    """

    def __init__(self, weights: Sequence[Sequence[Tensor]]) -> None:
        self.weights = [torch.stack(of_vaes) for of_vaes in zip(*weights, strict=True)]
        self.gradients: Sequence[Tensor] = []
        self._means, self._squares = ([torch.zeros_like(weight) for weight in self.weights] for _ in range(2))
        self._steps = [torch.zeros(()) for _ in self.weights]

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`mu` and `log var`, both `[v, B, latent]`, of rows `[v, B, d]`."""
        return self._code(self._hidden(x, 0))

    def decode(self, z: Tensor) -> Tensor:
        """Means `[v, B, d]` of latents `[v, B, latent]`."""
        return torch.baddbmm(self.weights[7], self._hidden(z, 4), self.weights[6])

    def _hidden(self, x: Tensor, layer: int) -> Tensor:
        return torch.baddbmm(self.weights[layer + 1], x, self.weights[layer]).relu_()

    def _code(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        mu, log_var = torch.baddbmm(self.weights[3], hidden, self.weights[2]).chunk(2, dim=2)
        return mu, log_var

    def elbo_terms(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Squared residual `|x - decode(z)|^2` and KL term (nats) of each row, both `[v, B]`.

        Parameters
        ----------
        x
            Rows, `[v, B, d]`.
        noise
            N(0, I), `[v, B, latent]`; zero where latents are padding.
        """
        mu, log_var = self.encode(x)
        residual = x - self.decode(mu + (log_var / 2).exp() * noise)
        kl = (mu.square() + log_var.exp() - 1 - log_var).sum(2) / 2
        return residual.square().sum(2), kl

    def differentiate(self, x: Tensor, noise: Tensor, share: Tensor, beta: float) -> None:
        """Set `gradients` to those of `beta` KL plus half the squared residual, as weighted sum over the rows.

        Parameters
        ----------
        x, noise
            As for `elbo_terms`.
        share
            Weight of each row, `[v, B, 1]`: 0 for padding, elsewhere one over the number of rows.
        beta
            Weight of the KL term.
        """
        with torch.enable_grad():
            for weight in self.weights:
                weight.requires_grad_()
            mu, log_var = self.encode(x)
            log_std = log_var / 2
            std = log_std.detach().exp()
            deviation, kl_share = std * noise, beta * share
            # std * noise, whose derivative by log std is itself; and the KL term's part of log std by its derivative.
            # torch's own way over exp has the same gradients but for rounding: these have the bits of earlier records.
            z = torch.addcmul(mu, deviation, log_std - log_std.detach()) + deviation
            slope = (std.square() - 1) * kl_share
            of_kl = (mu.square() * kl_share).sum() / 2 + (slope * log_std).sum()
            loss = ((self.decode(z) - x).square() * share).sum() / 2 + of_kl
            self.gradients = torch.autograd.grad(loss, self.weights)
        for weight in self.weights:
            weight.requires_grad_(False)

    def step(self, lr: float) -> None:
        """Adam's step along `gradients`."""
        # What torch.optim.Adam calls: the class itself would hold the moments out of reach of `keep`.
        gradients = list(self.gradients)
        adam(self.weights, gradients, self._means, self._squares, [], self._steps, lr=lr, **ADAM)

    def keep(self, places: Sequence[int]) -> None:
        """Let the others leave the stack."""
        chosen = torch.tensor(places)
        self.weights, self._means, self._squares = (
            [stacked[chosen] for stacked in state] for state in (self.weights, self._means, self._squares)
        )


def n_weights(n_features: int, hidden: int, latent_dim: int) -> int:
    """Weights of one VAE, biases left out."""
    return 2 * n_features * hidden + 3 * hidden * latent_dim
