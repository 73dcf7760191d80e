"""The memory of an accelerator: how much of it there is, and what is done where it is too little."""

import gc
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

# What is left alone of the free memory: fragments, libraries' own work space, and other programs' growth.
MARGIN = 0.25
# What errors say where an accelerator's memory ran short. Where a CPU's did, halves do not help: those say otherwise.
OUT_OF_MEMORY = r"\b(CUDA|HIP|MPS|XPU)\b.*\bout of memory|(CUBLAS|CUDNN|CUSOLVER|HIPBLAS)_STATUS_ALLOC_FAILED"


def usable_bytes(device: "torch.device") -> int | None:
    """Bytes that may be planned with on an accelerator; None where torch does not say, as on a CPU."""
    import torch

    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # torch keeps what it has freed for itself: that is free, too.
        free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    elif device.type == "mps":
        free = torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    else:
        return None
    return max(int(free * (1 - MARGIN)), 0)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that an accelerator's memory ran short."""
    import torch

    if isinstance(error, torch.OutOfMemoryError):
        return True
    # A driver, MPS and the libraries of products have no class of their own for it.
    return isinstance(error, RuntimeError) and re.search(OUT_OF_MEMORY, str(error)) is not None


def release() -> None:
    """Give memory back that torch keeps for itself, and what only garbage holds."""
    import torch

    gc.collect()  # an error's traceback and Lightning's trainers stand in circles
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def in_halves(work: Callable[[list[Item]], Result], items: Sequence[Item]) -> list[Result]:
    """Work on all items at once; where an accelerator's memory runs short, on halves of them, and on halves of those.

    Parameters
    ----------
    work
        May be called again with items for which it failed.
    items
        At least one.

    Returns
    -------
    list
        Results, in the order of the items.

    Raises
    ------
    RuntimeError
        Where memory is too little for one item; and whatever else `work` raises, at once.
    """
    waiting, results = [list(items)], []
    while waiting:
        part = waiting.pop(0)
        try:
            results.append(work(part))
        except RuntimeError as error:
            if len(part) < 2 or not is_out_of_memory(error):
                raise
            middle = len(part) // 2
            waiting[:0] = [part[:middle], part[middle:]]
        else:
            continue
        release()  # out here, where no traceback holds the tensors of what failed
    return results
