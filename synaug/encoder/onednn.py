"""Linear layers whose products oneDNN computes.

torch multiplies float32 matrices by MKL, which on processors of other makers than its own leaves AVX-512 unused;
oneDNN, which comes with torch, uses what the processor has. On a Zen 5 it is more than twice as fast; an encoder asks
`synaug.encoder.products` whether it is faster here.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial

import torch
from torch.nn.functional import linear as by_torch


class OneDNNLinear(torch.nn.Module):
    """A linear layer for inference on a CPU, its weights laid out as oneDNN wants them.

    Parameters
    ----------
    weight
        float32 `[out, in]`.
    bias
        float32 `[out]`, or None.
    rows
        For how many rows the layout should suit best; any number is computed.

    Notes
    -----
    torch's operators for it are not public. `has_onednn` says whether they are there and mean what is meant here.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None, rows: int) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), rows)
        self._bias = None if bias is None else bias.detach()

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows `[..., in]` to `[..., out]`."""
        product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(rows, self._weight, self._bias, "none", [], "")
        return product


@cache
def has_onednn() -> bool:
    """Whether this torch has oneDNN's operators and they give linear layers: tried once, on a small one."""
    draw = torch.Generator().manual_seed(0)
    rows, weight, bias = (
        torch.randn(shape, generator=draw, dtype=torch.float32) for shape in ((2, 3, 5), (4, 5), (4,))
    )
    bias[0] = -torch.inf  # of scores that must never be the highest
    with torch.inference_mode():
        try:
            same = [
                says_the_same(OneDNNLinear(weight, offset, 8)(rows), by_torch(rows, weight, offset))
                for offset in (bias, None)
            ]
        # What torch raises if it was built without oneDNN, or if its operators are gone or have changed.
        except (AttributeError, RuntimeError, TypeError):
            return False
    return all(same)


def says_the_same(product: torch.Tensor, expected: torch.Tensor) -> bool:
    """Whether two ways of computing agree, but for rounding."""
    return product.shape == expected.shape and torch.allclose(product, expected, rtol=1e-4, atol=1e-4)


def linear(weight: torch.Tensor, bias: torch.Tensor | None, rows: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """What maps rows `[r, in]` to `[r, out]`: an `OneDNNLinear`, of the same parameters, or else torch's own."""
    return OneDNNLinear(weight, bias, rows) if has_onednn() else partial(by_torch, weight=weight, bias=bias)


def linear_layers(model: torch.nn.Module) -> Iterator[tuple[torch.nn.Module, str, torch.nn.Linear]]:
    """A model's linear layers in float32: the module each is part of, by which name, and the layer."""
    for parent in model.modules():
        for name, child in parent.named_children():
            if type(child) is torch.nn.Linear and child.weight.dtype == torch.float32:
                yield parent, name, child
