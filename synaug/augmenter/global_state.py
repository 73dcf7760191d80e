"""What a sampler finds and may alter in the whole process: global generators, seeded around a call, and settings."""

import copy
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from synaug.seeding import derive_seed


@contextmanager
def seeded(random_state: np.random.RandomState, *parts: str) -> Iterator[None]:
    """Seed numpy's, Python's and torch's (CPU) generators for the block; afterwards they are as they were.

    So are numpy's handling of floating-point errors, torch's default type and the filters of warnings: a sampler
    that turns its own warnings into errors must not turn those of the training into errors.

    Parameters
    ----------
    random_state
        The seed follows from it; no draw is taken from it, so that what draws from it sees the same numbers.
    *parts
        What else the seed depends on: two calls between which nothing is drawn from `random_state` must differ.
    """
    seed = derive_seed("global generators", int(copy.deepcopy(random_state).randint(2**32, dtype=np.uint32)), *parts)
    of_numpy, of_python, of_torch = np.random.get_state(), random.getstate(), torch.get_rng_state()
    dtype, filters = torch.get_default_dtype(), warnings.filters[:]
    np.random.seed(seed)
    random.seed(seed)
    torch.default_generator.manual_seed(seed)
    try:
        with np.errstate():
            yield
    finally:
        torch.set_default_dtype(dtype)
        if warnings.filters != filters:  # `catch_warnings` would make Python show each warning again after every call
            warnings.resetwarnings()
            warnings.filters = filters
        np.random.set_state(of_numpy)
        random.setstate(of_python)
        torch.set_rng_state(of_torch)
