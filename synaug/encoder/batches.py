"""Texts of many lengths in batches, and what they cost."""

import math
from collections.abc import Sequence
from typing import Any

# Batches without padding come in a multiple of so many, so that two or four workers end together.
EVEN_BATCHES = 4


def token_batches(lengths: Sequence[int], budget: int, *, padded: bool = True) -> list[list[int]]:
    """Cut rows, sorted by length, into batches of about `budget` tokens.

    The longest come first, so that memory runs short at the start or not at all.

    Parameters
    ----------
    padded
        Whether a row counts as long as the longest of its batch. Then a batch holds at most `budget` tokens, but for
        a row that is longer by itself. Else all batches hold about as many tokens, within one row, and not more
        than `budget` in the mean.
    """
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    batches: list[list[int]] = []
    if padded:
        for row in order:
            if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= budget:
                batches[-1].append(row)
            else:
                batches.append([row])
        return batches
    total, before = sum(lengths), 0
    n_batches = math.ceil(total / budget)
    if n_batches > 1:
        n_batches = math.ceil(n_batches / EVEN_BATCHES) * EVEN_BATCHES
    last = -1
    for row in order:
        place = before * n_batches // total
        if place > last:
            batches.append([])
            last = place
        batches[-1].append(row)
        before += lengths[row]
    return batches


def flops(model: Any, lengths: Sequence[int]) -> int:
    """Floating-point operations that texts of so many tokens need.

    Each token meets every weight of the linear layers (a multiplication and an addition), the
    pooler's apart, and in each layer every token of its text twice (scores, and the mean of
    values): ``4 layers s d``. Weights that layers share, as ALBERT's, are counted once.
    """
    import torch

    from synaug.encoder.int8 import Int8Linear
    from synaug.encoder.onednn import OneDNNLinear

    linear = sum(
        layer.in_features * layer.out_features
        for name, layer in model.named_modules()
        if isinstance(layer, torch.nn.Linear | OneDNNLinear | Int8Linear) and "pooler" not in name
    )
    attention: int = 4 * model.config.num_hidden_layers * model.config.hidden_size
    return 2 * linear * sum(lengths) + attention * sum(length**2 for length in lengths)
