"""A layer of BERT's kind in as few calls as there are products: for inference, over texts end to end.

Query, key and value are one product; the two sums are taken in place; of transformers' dozen modules a layer, and what
they ask and hand on, four products, an attention, an activation and two norms are left. The numbers are the same.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from synaug.encoder import packed
from synaug.encoder.onednn import says_the_same


@dataclass(frozen=True)
class Parts:
    """What a layer computes with, whatever its modules are called."""

    query: torch.nn.Linear
    key: torch.nn.Linear
    value: torch.nn.Linear
    out: torch.nn.Linear
    norm: torch.nn.LayerNorm
    wide: torch.nn.Linear
    activation: torch.nn.Module
    narrow: torch.nn.Linear
    last_norm: torch.nn.LayerNorm
    n_heads: int


def _bert(layer: Any) -> Parts:
    """BERT's names, which RoBERTa, XLM-R and ELECTRA have, too."""
    attention, output = layer.attention.self, layer.attention.output
    return Parts(
        query=attention.query,
        key=attention.key,
        value=attention.value,
        out=output.dense,
        norm=output.LayerNorm,
        wide=layer.intermediate.dense,
        activation=layer.intermediate.intermediate_act_fn,
        narrow=layer.output.dense,
        last_norm=layer.output.LayerNorm,
        n_heads=attention.num_attention_heads,
    )


def _distilbert(layer: Any) -> Parts:
    attention, feed_forward = layer.attention, layer.ffn
    return Parts(
        query=attention.q_lin,
        key=attention.k_lin,
        value=attention.v_lin,
        out=attention.out_lin,
        norm=layer.sa_layer_norm,
        wide=feed_forward.lin1,
        activation=feed_forward.activation,
        narrow=feed_forward.lin2,
        last_norm=layer.output_layer_norm,
        n_heads=attention.n_heads,
    )


KINDS: tuple[Callable[[Any], Parts], ...] = (_bert, _distilbert)


class FusedLayer(torch.nn.Module):
    """What a transformer's layer says of texts end to end: attention, then two linear layers, a norm after each."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        three = (parts.query, parts.key, parts.value)
        weight, bias = (torch.cat([getattr(each, name) for each in three]) for name in ("weight", "bias"))
        # On no device at first: nothing random is drawn that nobody needs, and whoever draws next finds what was there.
        self.query_key_value = torch.nn.Linear(weight.shape[1], weight.shape[0], device="meta")
        self.query_key_value.weight, self.query_key_value.bias = _frozen(weight), _frozen(bias)
        self.out, self.norm = parts.out, parts.norm
        self.wide, self.activation, self.narrow = parts.wide, parts.activation, parts.narrow
        self.last_norm = parts.last_norm
        self.n_heads = parts.n_heads

    def forward(self, states: torch.Tensor, *_: Any, text_lengths: Sequence[int], **others: Any) -> torch.Tensor:
        """States `[1, tokens, d]` to the next layer's, in place of the layer's own `forward`."""
        before = states[0]
        query, key, value = self.query_key_value(before).view(len(before), 3, self.n_heads, -1).unbind(1)
        attended = packed.attend_texts(query, key, value, text_lengths, scaling=None).flatten(1)
        between: torch.Tensor = self.norm(self.out(attended).add_(before))
        after: torch.Tensor = self.last_norm(self.narrow(self.activation(self.wide(between))).add_(between))
        return after[None]


def _frozen(weights: torch.Tensor) -> torch.nn.Parameter:
    return torch.nn.Parameter(weights.detach(), requires_grad=False)


def enable(model: Any) -> bool:
    """Fuse the layers of a model that `packed.enable` has accepted, if then all of its states are the same.

    Returns
    -------
    bool
        Whether they are; otherwise the model is as it was.
    """
    layers = list(_layers(model))
    if not layers:
        return False
    texts = packed.probe(model)
    # A layer stays, as transformers' hooks hang on it; its modules and its `forward` are others.
    own = [dict(layer._modules) for layer, _ in layers]
    with torch.inference_mode():
        before = packed.forward(model, texts, output_hidden_states=True).hidden_states
        try:
            for layer, parts in layers:
                fused = FusedLayer(parts)
                layer._modules.clear()
                layer.fused, layer.forward = fused, fused.forward
            after = packed.forward(model, texts, output_hidden_states=True).hidden_states
        except (AttributeError, RuntimeError, TypeError):  # of layers without biases, or of other shapes
            after = ()
    if len(after) == len(before) and all(map(says_the_same, after, before)):
        return True
    for (layer, _), modules in zip(layers, own, strict=True):
        layer.__dict__.pop("forward", None)
        layer._modules.clear()
        layer._modules.update(modules)
    return False


def _layers(model: Any) -> Iterator[tuple[Any, Parts]]:
    for module in model.modules():
        for parts_of in KINDS:
            try:
                yield module, parts_of(module)
            except AttributeError:  # it is no layer of this kind
                continue
