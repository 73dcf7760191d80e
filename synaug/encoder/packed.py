"""A transformer's forward over texts laid end to end: transformers' own modules, and no padding.

All but attention works token by token, so that texts need no rectangle; attention is taken text by text.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

ATTENTION = "synaug_packed"  # our name among transformers' attention implementations
PLAIN_ATTENTION = "eager"
ATTRIBUTE = "_attn_implementation"  # of a config of transformers: the implementation that is chosen
PROBE_LENGTHS = (7, 4, 4, 2)


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    text_lengths: Sequence[int],
    scaling: float | None = None,
    dropout: float = 0.0,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Let each text attend to itself, neighbours of one length at once.

    Parameters
    ----------
    query, key, value
        `[1, heads, tokens, d]`.
    text_lengths
        Tokens of each text, in order.

    Returns
    -------
    Tensor
        `[1, tokens, heads, d]`; and None, as nobody asks for the weights.

    Raises
    ------
    ValueError
        If the model asks for more than plain attention.
    """
    if getattr(module, "is_causal", False) or others.get("sliding_window") is not None:
        raise ValueError(f"{type(module).__name__} looks at a part of the text alone: it cannot be packed")
    packed = [states.transpose(1, 2)[0] for states in (query, key, value)]
    blocks, start = [], 0
    for length, same in groupby(text_lengths):
        n_texts = len(list(same))
        end = start + n_texts * length
        q, k, v = (states[start:end].view(n_texts, length, *states.shape[1:]).transpose(1, 2) for states in packed)
        attended = scaled_dot_product_attention(q, k, v, dropout_p=dropout, scale=scaling)
        blocks.append(attended.transpose(1, 2).flatten(0, 1))
        start = end
    return torch.cat(blocks)[None], None


AttentionInterface.register(ATTENTION, attend)


def padding_position(model: Any) -> int | None:
    """Position of a padding token, after which RoBERTa and its kin begin to count; None where 0 is the first."""
    table = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    position: int | None = getattr(table, "padding_idx", None)
    return position


def _positions(ids: torch.Tensor, padding: int | None) -> torch.Tensor:
    if padding is None:
        return torch.arange(len(ids))
    counted = (ids != padding).long()  # as RoBERTa does: a padding token that is spelt out in a text is not counted
    return counted.cumsum(0) * counted + padding


def forward(model: Any, tokens: Sequence[Sequence[int]], **options: Any) -> Any:
    """Run a model that `enable` has accepted over texts end to end.

    Parameters
    ----------
    tokens
        Token ids of each text. Those of one length stand best side by side.

    Returns
    -------
    ModelOutput
        transformers' own, with states `[1, tokens of all texts, d]`.
    """
    texts = [torch.tensor(ids) for ids in tokens]
    padding = padding_position(model)
    return model(
        input_ids=torch.cat(texts)[None],
        position_ids=torch.cat([_positions(ids, padding) for ids in texts])[None],
        text_lengths=[len(ids) for ids in tokens],
        **options,
    )


def probe(model: Any) -> list[list[int]]:
    """Token ids of some texts, always the same, by which two ways of running a model can be compared."""
    draw = torch.Generator().manual_seed(0)
    return [torch.randint(model.config.vocab_size, (n,), generator=draw).tolist() for n in PROBE_LENGTHS]


def enable(model: Any) -> bool:
    """Switch a model to packed attention, if then it says of each text what it says of it alone.

    Returns
    -------
    bool
        Whether it does; otherwise the model is as it was, and needs padding.
    """
    texts = probe(model)
    # Not public; any model of transformers has the plain attention that stands in where it is not to be had.
    before = getattr(model.config, ATTRIBUTE, PLAIN_ATTENTION)
    with torch.inference_mode():
        alone = torch.cat([model(input_ids=torch.tensor([ids])).last_hidden_state[0] for ids in texts])
        try:
            model.set_attn_implementation(ATTENTION)
            together = forward(model, texts).last_hidden_state[0]
        # What models say that take no such positions, attention or argument.
        except (AttributeError, IndexError, RuntimeError, TypeError, ValueError):
            together = None
    if together is not None and together.shape == alone.shape and torch.allclose(together, alone, rtol=1e-4, atol=1e-4):
        return True
    model.set_attn_implementation(before)
    return False
