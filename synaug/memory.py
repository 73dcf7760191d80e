"""What running out of memory looks like, whoever asked for it."""

import re


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was short: Python and NumPy raise a MemoryError, torch a RuntimeError of these words."""
    if isinstance(error, RuntimeError):
        return re.search(r"out of memory|not enough memory|can't allocate memory", str(error)) is not None
    return isinstance(error, MemoryError)
