"""Linear layers whose products oneDNN computes.

torch multiplies float32 matrices by MKL, which on processors of other makers than its own leaves AVX-512 unused;
oneDNN, which comes with torch, uses what the processor has. On a Zen 5 it is more than twice as fast.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

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

    Raises
    ------
    AttributeError, RuntimeError
        If this torch was built without oneDNN, or has these operators no more.
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


def linear(weight: torch.Tensor, bias: torch.Tensor | None, rows: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """What maps rows `[r, in]` to `[r, out]`: an `OneDNNLinear`, of the same parameters, or else torch's own."""
    try:
        return OneDNNLinear(weight, bias, rows)
    except (AttributeError, RuntimeError):
        return partial(by_torch, weight=weight, bias=bias)


def prepare(model: torch.nn.Module, rows: int, probe: dict[str, Any]) -> bool:
    """Give a model `OneDNNLinear` layers in place of its own, if then it says the same.

    Parameters
    ----------
    model
        On a CPU, for inference only; of its layers only the linear ones in float32 are replaced.
    rows
        As in `OneDNNLinear`.
    probe
        Arguments of the model, whose outcome, its `last_hidden_state`, must not change.

    Returns
    -------
    bool
        Whether it did; otherwise the model is as it was.
    """
    found = list(_linear_layers(model))
    with torch.inference_mode():
        before = model(**probe).last_hidden_state
        try:
            for parent, name, layer in found:
                setattr(parent, name, OneDNNLinear(layer.weight, layer.bias, rows))
            after = model(**probe).last_hidden_state
        # A torch without oneDNN, and models that read their layers' weights.
        except (AttributeError, RuntimeError, TypeError):
            after = None
    if after is not None and torch.allclose(after, before, rtol=1e-4, atol=1e-4):
        return True
    for parent, name, layer in found:
        setattr(parent, name, layer)
    return False


def _linear_layers(model: torch.nn.Module) -> Iterator[tuple[torch.nn.Module, str, torch.nn.Linear]]:
    for parent in model.modules():
        for name, child in parent.named_children():
            if type(child) is torch.nn.Linear and child.weight.dtype == torch.float32:
                yield parent, name, child
