"""Texts of many lengths in batches, and what they cost."""

from collections.abc import Sequence
from typing import Any


def token_batches(lengths: Sequence[int], budget: int, *, padded: bool = True) -> list[list[int]]:
    """Cut rows, sorted by length, into batches of at most `budget` tokens.

    A row longer than the budget is a batch of its own. The longest come first, so that memory runs
    short at the start or not at all, and that the workers end at about the same time.

    Parameters
    ----------
    padded
        Whether a row counts as long as the longest of its batch.
    """
    batches: list[list[int]] = []
    filled = 0
    for row in sorted(range(len(lengths)), key=lambda row: (-lengths[row], row)):
        counted = lengths[batches[-1][0]] if batches and padded else lengths[row]
        if batches and filled + counted <= budget:
            batches[-1].append(row)
            filled += counted
        else:
            batches.append([row])
            filled = lengths[row]
    return batches


def flops(model: Any, lengths: Sequence[int]) -> int:
    """Floating-point operations that texts of so many tokens need.

    Each token meets every weight of the linear layers (a multiplication and an addition), the
    pooler's apart, and in each layer every token of its text twice (scores, and the mean of
    values): ``4 layers s d``. Weights that layers share, as ALBERT's, are counted once.
    """
    import torch

    linear = sum(
        layer.weight.numel()
        for name, layer in model.named_modules()
        if isinstance(layer, torch.nn.Linear) and "pooler" not in name
    )
    attention: int = 4 * model.config.num_hidden_layers * model.config.hidden_size
    return 2 * linear * sum(lengths) + attention * sum(length**2 for length in lengths)
