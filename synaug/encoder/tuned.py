"""Encoders that were tuned: a pretrained one with weights of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synaug.encoder.contract import Encoder
from synaug.encoder.transformer import TransformerEncoder
from synaug.errors import UserError
from synaug.files.digest import array_sha256, json_sha256

if TYPE_CHECKING:
    import torch

# What a tuned encoder has of its own, by name, float32: whole weights as the pretrained network names them; and of each
# layer with a low-rank adapter `<layer>.lora_A` `[r, n_in]` and `<layer>.lora_B` `[n_out, r]`, whose product `B A` is
# added to the layer's weight.
Weights = Mapping[str, NDArray[np.float32]]
LORA_A, LORA_B = "lora_A", "lora_B"


def sha256_of(weights: Weights) -> str:
    """Digest of weights and of their names."""
    return json_sha256([[name, list(each.shape), array_sha256(each)] for name, each in sorted(weights.items())])


@dataclass
class TunedEncoder:
    """A pretrained encoder with weights of its own, which may be tuned when they are first needed.

    Attributes
    ----------
    base
        What it was before.
    name
        What decides its weights, as JSON holds it.
    weights
        They are asked for when there is a text to encode.
    """

    base: TransformerEncoder
    name: Mapping[str, Any]
    weights: Callable[[], Weights]

    @classmethod
    def of(cls, base: TransformerEncoder, weights: Weights) -> "TunedEncoder":
        """One whose weights are known, and which goes by their digest."""
        return cls(base, {"weights_sha256": sha256_of(weights)}, lambda: weights)

    def source(self) -> str:
        """See `synaug.encoder.contract.Encoder`."""
        return self.base.source()

    def identity(self) -> dict[str, Any]:
        """What decides the numbers: the encoder that was tuned, and how."""
        return {**self.base.identity(), "tuned": dict(self.name)}

    @cached_property
    def _encoder(self) -> TransformerEncoder:
        tuned = self.base.anew()
        tuned.load(whole(tuned.network(), self.weights()))
        return tuned

    def encode(
        self, texts: Sequence[str], progress: Callable[[int], object] = lambda done: None
    ) -> NDArray[np.float32]:
        """See `synaug.encoder.contract.Encoder`."""
        return self._encoder.encode(texts, progress)

    @property
    def tokens_done(self) -> int:
        """Tokens encoded so far."""
        return self._encoder.tokens_done if "_encoder" in self.__dict__ else 0

    @property
    def flops_done(self) -> int:
        """The floating-point operations that they needed."""
        return self._encoder.flops_done if "_encoder" in self.__dict__ else 0


@dataclass(frozen=True)
class SideBySide:
    """Several encoders of the same texts, whose vectors stand side by side, float32 `[n, sum of d]`."""

    encoders: Sequence[Encoder]

    def source(self) -> str:
        """See `synaug.encoder.contract.Encoder`."""
        return json_sha256([encoder.source() for encoder in self.encoders])

    def identity(self) -> dict[str, Any]:
        """What decides the numbers: those of each, in order."""
        return {"side_by_side": [encoder.identity() for encoder in self.encoders]}

    def encode(
        self, texts: Sequence[str], progress: Callable[[int], object] = lambda done: None
    ) -> NDArray[np.float32]:
        """See `synaug.encoder.contract.Encoder`; each of them calls `progress`."""
        return np.hstack([encoder.encode(texts, progress) for encoder in self.encoders])


def whole(network: Any, weights: Weights) -> "dict[str, torch.Tensor]":
    """Whole weights by the names that a network has: adapters are added to the weights that it has now.

    Raises
    ------
    UserError
        If the weights are not of such a network.
    """
    import torch

    own = network.state_dict()
    found = {}
    for name, array in weights.items():
        layer, _, part = name.rpartition(".")
        tensor = torch.tensor(array)
        if part == LORA_B:
            continue
        if part == LORA_A:
            name, tensor = f"{layer}.weight", _product(weights.get(f"{layer}.{LORA_B}"), tensor)
        if name not in own or own[name].shape != tensor.shape:
            raise UserError(f"the encoder has no weight {name} of shape {list(tensor.shape)}: fit the model again")
        found[name] = tensor if part != LORA_A else own[name].float().cpu() + tensor
    return found


def _product(lora_b: NDArray[np.float32] | None, lora_a: "torch.Tensor") -> "torch.Tensor":
    """What an adapter adds to a layer's weight; of no shape where its halves do not fit."""
    import torch

    if lora_b is None or lora_b.ndim != 2 or lora_a.dim() != 2 or lora_b.shape[1] != lora_a.shape[0]:
        return torch.empty(0)
    return torch.tensor(lora_b) @ lora_a
