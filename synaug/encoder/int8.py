"""Linear layers that multiply whole numbers of 8 bits: about twice as fast, and not quite the same.

Weights are rounded to 255 levels, for each output by itself; each token's states to 127, for each token by itself, so
that a text's vector does not depend on the texts beside it. With more levels, two products could overflow the 16 bits
in which processors without VNNI add them, and numbers would depend on the processor.
"""

from functools import cache

import torch
from torch.nn.functional import linear as by_torch

from synaug.encoder.onednn import linear_layers, says_the_same

WEIGHT_LEVELS = 127  # on either side of 0
STATE_LEVELS = 63
TINIEST = 1e-12  # a token of zeros alone has no scale


class Int8Linear(torch.nn.Module):
    """A linear layer for inference on a CPU, its weights and its input rounded.

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
    torch's operators for it are not public. `has_int8` says whether they are there and mean what is meant here. torch's
    own dynamic quantisation (``torch.ao.quantization``) is deprecated, and scales all tokens of a batch alike.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None, rows: int) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        weight = weight.detach()
        self._scales = weight.abs().amax(1).clamp_min(TINIEST) / WEIGHT_LEVELS
        rounded = (weight / self._scales[:, None]).round().to(torch.int8)
        self._weight = torch.ops.onednn.qlinear_prepack(rounded, [rows, self.in_features])
        self._zero_points = torch.zeros(self.out_features, dtype=torch.int64)
        self._bias = torch.zeros(self.out_features) if bias is None else bias.detach()

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """States `[..., in]` to `[..., out]`."""
        rows = states.flatten(0, -2)
        scales = rows.abs().amax(1, keepdim=True).clamp_min_(TINIEST).div_(STATE_LEVELS)
        levels = (rows / scales).round_().add_(STATE_LEVELS).to(torch.uint8)
        product = torch.ops.onednn.qlinear_pointwise(
            levels,
            1.0,
            STATE_LEVELS,
            self._weight,
            self._scales,
            self._zero_points,
            None,
            1.0,
            0,
            torch.float32,
            "none",
            [],
            "",
        )
        return torch.addcmul(self._bias, product, scales).view(*states.shape[:-1], self.out_features)


@cache
def has_int8() -> bool:
    """Whether this torch has the operators, and they multiply without overflow: tried on a small layer of extremes."""
    states, weight = (torch.tensor(values)[:, None].expand(-1, 64).contiguous() for values in ([1.0, -1], [1.0, -1, 0]))
    bias = torch.tensor([0.0, 1, 2])
    with torch.inference_mode():
        try:
            rounded = Int8Linear(weight, bias, 2)(states)
        # What torch raises if it was built without oneDNN, or if its operators are gone or have changed.
        except (AttributeError, RuntimeError, TypeError):
            return False
        return says_the_same(rounded, by_torch(states, weight, bias))


def round_layers(model: torch.nn.Module, rows: int) -> None:
    """Give a model on a CPU `Int8Linear` layers in place of its linear ones in float32.

    Parameters
    ----------
    model
        For inference only.
    rows
        As in `Int8Linear`.
    """
    for parent, name, layer in list(linear_layers(model)):
        setattr(parent, name, Int8Linear(layer.weight, layer.bias, rows))
