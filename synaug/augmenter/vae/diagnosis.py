"""What a trained VAE's latents carry: figures that tell a sound VAE from a collapsed one."""

from typing import Any

import torch
from torch import Tensor

from synaug.augmenter.vae.network import StackedVAE

ACTIVE_KL = 0.01  # nats a row
ACTIVE_VARIANCE = 0.01
DIGITS = 4


def of_units(network: StackedVAE, x: Tensor, noise: Tensor, latent_dim: int) -> dict[str, Any]:
    """Which latent units carry anything, told on judged rows.

    Parameters
    ----------
    network
        A stack of one.
    x
        Judged rows, `[B, d + c]`.
    noise
        N(0, I), `[B, latent]`: what `StackedVAE.elbo_terms` judges by.
    latent_dim
        Units that are no padding.

    Returns
    -------
    dict
        `active_units`, those whose mean KL term is above `ACTIVE_KL`; `kl_by_unit`, their KL in nats a row, the largest
        first; `varying_units`, those with ``Var_x(E_q[z|x]) > 0.01`` (Burda et al. 2016); `useful_units`, the active
        ones without which the ELBO of these rows would be lower by more than `ACTIVE_KL`: what the reconstruction loses
        if a unit is held at 0, the prior's mean, is more than its KL. Initial weights meet the first two criteria, so a
        VAE that stops after a few dozen steps does, too. An active unit that is not useful costs more than it brings.
    """
    rows = x[None]
    mu, log_var = network.encode(rows)
    by_unit = ((mu.square() + log_var.exp() - 1 - log_var) / 2)[0].double().mean(0)[:latent_dim]
    z = mu + (log_var / 2).exp() * noise[None]
    features, condition = network.parted(rows)

    def squares(latents: Tensor) -> float:
        return (features - network.decode(latents, condition)).square().sum(2).double().mean().item()

    whole = squares(z)
    useful = 0
    for unit in torch.nonzero(by_unit > ACTIVE_KL)[:, 0].tolist():
        without = z.clone()
        without[..., unit] = 0
        useful += (squares(without) - whole) / 2 > by_unit[unit].item() + ACTIVE_KL
    active = by_unit[by_unit > ACTIVE_KL].sort(descending=True).values
    return {
        "active_units": len(active),
        "varying_units": int((mu[0].var(0, correction=0) > ACTIVE_VARIANCE).sum()),
        "useful_units": useful,
        "kl_by_unit": active.numpy().round(DIGITS).tolist(),
    }
