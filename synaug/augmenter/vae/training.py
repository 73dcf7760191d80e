"""Train VAEs, of one class each or conditional ones of all classes, those of one shape as a stack; each as if alone."""

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch

from synaug.augmenter import stack
from synaug.augmenter.stack import padded, train_stacks
from synaug.augmenter.vae.network import StackedVAE, n_weights
from synaug.augmenter.vae.one_class import ClassVAE, Shape


def train_all(vaes: Sequence[ClassVAE]) -> None:
    """Train and sample from VAEs, stacked by shape.

    Parameters
    ----------
    vaes
        Of any shapes.
    """
    train_stacks(_stacks(vaes, torch.get_num_threads()), _train)


def _stacks(vaes: Sequence[ClassVAE], threads: int) -> list[list[ClassVAE]]:
    """Cut the VAEs of each shape into stacks of `stack.STACK_BYTES`, the most laborious first."""
    groups: dict[Shape, list[ClassVAE]] = defaultdict(list)
    for vae in vaes:
        groups[vae.shape].append(vae)
    stacks = []
    for shape, group in groups.items():
        n_bytes = stack.BYTES_OF_A_WEIGHT * n_weights(
            shape.width, shape.settings.hidden, shape.settings.latent_dim, padded(shape.n_conditions)
        )
        n_stacks = math.ceil(len(group) * n_bytes / stack.STACK_BYTES)
        if n_stacks > 1:  # equal work for each thread
            n_stacks = math.ceil(n_stacks / threads) * threads
        stacks += [[group[i] for i in part] for part in np.array_split(range(len(group)), n_stacks) if len(part)]
    return sorted(stacks, key=lambda vaes: -len(vaes) * vaes[0].shape.n_steps * vaes[0].shape.batch)


@torch.no_grad()
def _train(vaes: Sequence[ClassVAE]) -> None:
    """Train VAEs of one shape, each until it stops, and sample from each."""
    settings, _, n_steps, batch, *_ = vaes[0].shape
    for vae in vaes:
        vae.start()
    network = StackedVAE([vae.weights for vae in vaes])
    running = list(vaes)
    fixed = _Fixed(running)
    for epoch in range(1, settings.max_epochs + 1):
        beta = settings.beta * min(1.0, epoch / max(1, settings.warmup_epochs))
        drawn = [vae.draw_epoch() for vae in running]
        index = torch.stack([rows for rows, _ in drawn], dim=1) + fixed.first_row
        noise = torch.stack([noise for _, noise in drawn], dim=1)
        for step in range(n_steps):
            x = fixed.x.index_select(0, index[step].flatten()).view(-1, batch, fixed.x.shape[1])
            network.differentiate(x, noise[step], fixed.share[step], beta)
            network.step(settings.lr)
        if epoch < min(settings.warmup_epochs, settings.max_epochs):
            continue
        terms = network.elbo_terms(fixed.judge_x, fixed.judge_noise)
        now = zip(running, *terms, zip(*network.weights, strict=True), strict=True)
        going_on = [place for place, (vae, *judged) in enumerate(now) if vae.judge(epoch, *judged)]
        if not going_on:
            break
        if len(going_on) < len(running):
            running = [running[place] for place in going_on]
            network.keep(going_on)
            fixed = _Fixed(running)
    for vae in vaes:
        vae.sample()


class _Fixed:
    """What a stack needs in each epoch: all rows one after another, shares `[n_steps, v, B, 1]`, judged rows."""

    def __init__(self, vaes: Sequence[ClassVAE]) -> None:
        self.x = torch.cat([vae.x for vae in vaes])
        lengths = torch.tensor([len(vae.x) for vae in vaes])
        self.first_row = (lengths.cumsum(0) - lengths)[:, None]
        self.share = torch.stack([vae.share for vae in vaes], dim=1)
        self.judge_x = torch.stack([vae.judge_x for vae in vaes])
        self.judge_noise = torch.stack([vae.judge_noise for vae in vaes])
