"""The global generators, which samplers without a ``random_state`` draw from: seeded around a call, then restored."""

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from synaug.seeding import derive_seed


@contextmanager
def seeded(random_state: np.random.RandomState, *parts: str) -> Iterator[None]:
    """Seed numpy's, Python's and torch's (CPU) generators for the block; afterwards they are as they were.

    Parameters
    ----------
    random_state
        The seed follows from it; no draw is taken from it, so that what draws from it sees the same numbers.
    *parts
        What else the seed depends on: two calls between which nothing is drawn from `random_state` must differ.
    """
    seed = derive_seed("global generators", int(copy.deepcopy(random_state).randint(2**32, dtype=np.uint32)), *parts)
    of_numpy, of_python, of_torch = np.random.get_state(), random.getstate(), torch.get_rng_state()
    np.random.seed(seed)
    random.seed(seed)
    torch.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        np.random.set_state(of_numpy)
        random.setstate(of_python)
        torch.set_rng_state(of_torch)
