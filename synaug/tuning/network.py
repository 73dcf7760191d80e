"""One member's network: an encoder whose weights, or adapters, are its own, and a linear layer above it."""

import copy
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from synaug.classifier import FineTuned
from synaug.encoder import TransformerEncoder, packed
from synaug.encoder.tuned import LORA_A, LORA_B
from synaug.encoder.tuned import Weights as Kept

Weights = Mapping[str, torch.Tensor]
HEAD = "head."
BODY = "encoder."


class TextClassifier(nn.Module):
    """Token ids to representations, and these to logits.

    Parameters
    ----------
    encoder
        Pools what `body` says.
    body
        A model of `transformers`. Members with adapters share it.
    adapter
        The name of this member's adapters in `body`; None where it has none.
    head
        Representations `[B, d]` to logits `[B, C]`.
    trains_body
        Whether all of the body's weights are this member's own, and train.
    is_packed
        Whether the body takes texts end to end.
    dropout
        Before the head; that of the body is set.
    """

    def __init__(
        self,
        encoder: TransformerEncoder,
        body: nn.Module,
        head: nn.Linear,
        *,
        adapter: str | None,
        trains_body: bool,
        is_packed: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.body = body
        self.head = head
        self.adapter = adapter
        self.trains_body = trains_body
        self.is_packed = is_packed
        self.dropout = dropout
        self.adapted = {name: layer for name, layer in body.named_modules() if adapter and _has(layer, adapter)}

    def representations(self, tokens: Sequence[Sequence[int]]) -> torch.Tensor:
        """Pooled representations of texts, `[B, d]`."""
        for layer in self.adapted.values():
            if layer.active_adapters != [self.adapter]:
                layer.set_adapter(self.adapter)
        return self.encoder.pooled(self.body, tokens, packed=self.is_packed).float()

    def logits(self, representations: torch.Tensor) -> torch.Tensor:
        """Logits `[B, C]`, float32."""
        kept = functional.dropout(representations, self.dropout, self.training)
        with torch.autocast(representations.device.type, enabled=False):
            logits: torch.Tensor = self.head(kept.float())
        return logits

    def trained(self) -> dict[str, nn.Parameter]:
        """The parameters that train, by name; those of the body begin with `BODY`, whatever the adapter is called."""
        found: dict[str, nn.Parameter] = {f"{HEAD}{name}": each for name, each in self.head.named_parameters()}
        if self.trains_body:
            of_body = self.body.named_parameters()
            is_pooled = self.encoder.pooling == "pooler"
            found |= {f"{BODY}{name}": each for name, each in of_body if is_pooled or not _of_pooler(name)}
        for name, layer in self.adapted.items():
            for part in (LORA_A, LORA_B):
                found[f"{BODY}{name}.{part}"] = getattr(layer, part)[self.adapter].weight
        return found

    def weights(self) -> dict[str, torch.Tensor]:
        """A copy, on the CPU, of what trains."""
        return {name: each.detach().cpu().clone() for name, each in self.trained().items()}

    def load(self, weights: Weights) -> None:
        """Take the weights of `weights`."""
        with torch.no_grad():
            for name, each in self.trained().items():
                each.copy_(weights[name])

    def encoder_weights(self) -> Kept:
        """What the encoder has of its own: weights that were trained, or adapters."""
        found = {name.removeprefix(BODY): each for name, each in self.weights().items() if name.startswith(BODY)}
        for name, layer in self.adapted.items():
            found[f"{name}.{LORA_B}"] *= layer.scaling[self.adapter]
        return {name: each.float().numpy() for name, each in found.items()}

    def layers(self) -> Kept:
        """The linear layer as a member of `synaug.classifier.stacked.StackedMLP` has it."""
        weight, bias = (each.detach().cpu().numpy() for each in (self.head.weight, self.head.bias))
        return {"layers.0.weight": weight.T.copy(), "layers.0.bias": bias[None].copy()}


def networks(
    encoder: TransformerEncoder, settings: FineTuned, n_classes: int, seeds: Sequence[int], *, on_cpu: bool
) -> list[TextClassifier]:
    """Make members side by side.

    Parameters
    ----------
    encoder
        Whose weights they start from.
    n_classes
        Width of the logits.
    seeds
        One for each member; seeds the weights that it does not find in the encoder's files.
    on_cpu
        Whether they are to be trained there: then texts stand end to end, where the model can read them so.
    """
    own = encoder.anew()
    body = own.network().to("cpu").float().eval()
    is_packed = on_cpu and encoder.pooling != "pooler" and packed.enable(body)
    for module in body.modules():
        if isinstance(module, nn.Dropout):
            module.p = settings.dropout
    adapters = [f"member{number}" if settings.rank else None for number in range(len(seeds))]
    with torch.random.fork_rng(devices=[]):
        body.requires_grad_(settings.rank is None)
        heads = []
        for adapter, seed in zip(adapters, seeds, strict=True):
            torch.manual_seed(seed)
            heads.append(_head(body.config.hidden_size, n_classes))
            if adapter is not None:
                _adapt(body, adapter, settings)
    return [
        TextClassifier(
            own,
            copy.deepcopy(body) if settings.rank is None and number else body,
            head,
            adapter=adapter,
            trains_body=settings.rank is None,
            is_packed=is_packed,
            dropout=settings.dropout,
        )
        for number, (adapter, head) in enumerate(zip(adapters, heads, strict=True))
    ]


def _head(n_features: int, n_classes: int) -> nn.Linear:
    """A linear layer, drawn as torch.nn.Linear draws it."""
    head = nn.Linear(n_features, n_classes)
    bound = 1 / math.sqrt(n_features)
    nn.init.uniform_(head.weight, -bound, bound)
    nn.init.uniform_(head.bias, -bound, bound)
    return head


def _adapt(body: nn.Module, adapter: str, settings: FineTuned) -> None:
    """Give all linear layers of a body low-rank adapters, in place."""
    from peft import LoraConfig, inject_adapter_in_model

    names = {name for name, layer in body.named_modules() if type(layer) is nn.Linear and not _of_pooler(name)}
    # Of layers that have adapters already, the layer itself is inside.
    names = {name.removesuffix(".base_layer") for name in names if ".lora_" not in name}
    config = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, target_modules=sorted(names), lora_dropout=0.0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Already found a `peft_config` attribute")  # it is meant to have several
        inject_adapter_in_model(config, body, adapter)


def _has(layer: Any, adapter: str) -> bool:
    from peft.tuners.lora import LoraLayer

    return isinstance(layer, LoraLayer) and adapter in layer.lora_A


def _of_pooler(name: str) -> bool:
    return "pooler" in name
