"""Variational autoencoders side by side: weights `[v, in, out]`, one batched product a layer."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synaug.augmenter.stack import StackedNetworks, drawn_layer, padded


def initial_weights(
    live: NDArray[np.bool_], hidden: int, latent_dim: int, generator: torch.Generator, n_conditions: int = 0
) -> list[Tensor]:
    """Draw one VAE's weights, uniform in ±1/√n_in as in ``torch.nn.Linear``.

    Parameters
    ----------
    live
        `[d]`, False for features that take no part.
    hidden, latent_dim
        Widths; `hidden` 0 leaves the hidden layers out: a linear VAE.
    generator
        The only source of the draws.
    n_conditions
        Width of the condition that stands beside the features and beside the latents.

    Returns
    -------
    list of Tensor
        Weight `[in, out]` and bias `[1, out]` of ``d + conditions -> hidden -> (mu, log var)`` and of
        ``latent + conditions -> hidden -> d``, all widths padded. Zero for padding and for features that take
        no part: their activations, and hence their gradients, are zero, so they stay zero.
    """
    features = torch.from_numpy(np.flatnonzero(live))
    d, wide, narrow = padded(len(live)), padded(hidden), padded(latent_dim)
    units, latents, condition = torch.arange(hidden), torch.arange(latent_dim), torch.arange(n_conditions)
    code = torch.cat([latents, narrow + latents])
    given = d + padded(n_conditions), torch.cat([features, d + condition])
    drawn_from = narrow + padded(n_conditions), torch.cat([latents, narrow + condition])
    middle, to_code, to_features = (wide, units), (2 * narrow, code), (d, features)
    layers = [(given, middle), (middle, to_code), (drawn_from, middle), (middle, to_features)]
    weights = []
    for (n_in, rows), (n_out, columns) in layers if hidden else [(given, to_code), (drawn_from, to_features)]:
        weights += drawn_layer(n_in, n_out, rows, columns, generator)
    return weights


class StackedVAE(StackedNetworks):
    """`v` VAEs of one shape, and their Adam.

    Parameters
    ----------
    weights
        For each VAE its weights, in the form that `initial_weights` gives them.

    Notes
    -----
    Rows are `[v, B, d + c]`: features, then the condition (a class as one-hot, say; `c` may be 0), both padded. The
    encoder sees all of it, the decoder a latent and the condition [1]_, and only the features are reconstructed.

    .. [1] Sohn, Lee and Yan, "Learning Structured Output Representation using Deep Conditional Generative Models",
       NeurIPS 2015.
    """

    @property
    def width(self) -> int:
        """Of the features, padded."""
        return self.weights[-1].shape[2]

    @property
    def _is_linear(self) -> bool:
        return len(self.weights) == 4

    def parted(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Features `[v, B, d]` and condition `[v, B, c]` of rows."""
        return x[..., : self.width], x[..., self.width :]

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`mu` and `log var`, both `[v, B, latent]`, of rows `[v, B, d + c]`."""
        return self._code(x if self._is_linear else self._hidden(x, 0))

    def decode(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        """Means `[v, B, d]` of latents `[v, B, latent]`, under conditions `[v, B, c]` where the VAEs have them."""
        if condition is not None and condition.shape[2]:
            z = torch.cat([z, condition], dim=2)
        return torch.baddbmm(self.weights[-1], z if self._is_linear else self._hidden(z, 4), self.weights[-2])

    def _hidden(self, x: Tensor, layer: int) -> Tensor:
        return torch.baddbmm(self.weights[layer + 1], x, self.weights[layer]).relu_()

    def _code(self, hidden: Tensor) -> tuple[Tensor, Tensor]:
        last = len(self.weights) // 2 - 2
        mu, log_var = torch.baddbmm(self.weights[last + 1], hidden, self.weights[last]).chunk(2, dim=2)
        return mu, log_var

    def elbo_terms(self, x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Squared residual `|x - decode(z)|^2` and KL term (nats) of each row, both `[v, B]`.

        Parameters
        ----------
        x
            Rows, `[v, B, d + c]`.
        noise
            N(0, I), `[v, B, latent]`; zero where latents are padding.
        """
        mu, log_var = self.encode(x)
        features, condition = self.parted(x)
        residual = features - self.decode(mu + (log_var / 2).exp() * noise, condition)
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
            features, condition = self.parted(x)
            loss = ((self.decode(z, condition) - features).square() * share).sum() / 2 + of_kl
            self.gradients = torch.autograd.grad(loss, self.weights)
        for weight in self.weights:
            weight.requires_grad_(False)


def n_weights(n_features: int, hidden: int, latent_dim: int, n_conditions: int = 0) -> int:
    """Weights of one VAE, biases left out."""
    if not hidden:
        return 3 * latent_dim * (n_features + n_conditions)
    return 2 * (n_features + n_conditions) * hidden + 3 * hidden * latent_dim
