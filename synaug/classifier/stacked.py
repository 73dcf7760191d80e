"""Layers of all members side by side: weights `[m, in, out]`, one batched product a layer."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional


class StackedLinear(nn.Module):
    """`m` linear layers side by side: `[m, B, n_in]` to `[m, B, n_out]`.

    Parameters
    ----------
    n_in, n_out
        Width before and after.
    generators
        One for each member; its weights are drawn from it alone, uniform in ±1/√n_in as in
        ``torch.nn.Linear``.
    """

    def __init__(self, n_in: int, n_out: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        bound = 1 / math.sqrt(n_in)
        weights, biases = [], []
        for generator in generators:
            weights.append(torch.empty(n_in, n_out).uniform_(-bound, bound, generator=generator))
            biases.append(torch.empty(1, n_out).uniform_(-bound, bound, generator=generator))
        self.weight = nn.Parameter(torch.stack(weights))
        self.bias = nn.Parameter(torch.stack(biases))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply each member's layer to its own rows."""
        return torch.baddbmm(self.bias, x, self.weight)

    def without_bias(self, x: torch.Tensor) -> torch.Tensor:
        """Products of each member's own rows with the weights of each output, `[m, B, n_out]`."""
        return torch.bmm(x, self.weight)


class StackedMLP(nn.Module):
    """`m` multilayer perceptrons with ReLU: `[m, B, n_features]` to logits `[m, B, n_classes]`.

    Parameters
    ----------
    n_features, n_classes
        Width of the input and of the output.
    hidden
        Widths of the hidden layers; none makes `m` linear (multinomial logistic) models.
    seeds
        One for each member; seeds its initial weights.
    """

    def __init__(self, n_features: int, n_classes: int, hidden: Sequence[int], seeds: Sequence[int]) -> None:
        super().__init__()
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        widths = [n_features, *hidden, n_classes]
        self.layers = nn.ModuleList(StackedLinear(n_in, n_out, generators) for n_in, n_out in pairwise(widths))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of rows `[m, B, n_features]`."""
        return self.last(self.features(x))  # type: ignore[no-any-return]

    @property
    def last(self) -> StackedLinear:
        """The layer that makes logits."""
        last = self.layers[-1]
        assert isinstance(last, StackedLinear)
        return last

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """What the last layer makes logits of; without hidden layers the rows themselves."""
        for layer in list(self.layers)[:-1]:
            x = functional.relu(layer(x))
        return x
