"""Small networks side by side: weights `[v, in, out]`, their Adam, and stacks of them shared out to threads."""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.optim.adam import adam

T = TypeVar("T")
# Weights, gradients and Adam's two moments of a stack must fit the caches of a core. Larger stacks save few calls
# and are slowed down by memory.
STACK_BYTES = 16 << 20
BYTES_OF_A_WEIGHT = 16  # with its gradient and Adam's two moments
LANES = 16
# torch.optim.Adam's own constants, and its quickest kernel.
ADAM: dict[str, Any] = {
    "beta1": 0.9,
    "beta2": 0.999,
    "eps": 1e-8,
    "weight_decay": 0.0,
    "amsgrad": False,
    "maximize": False,
    "fused": True,
}


def padded(width: int) -> int:
    """Width rounded up, so that each network's slice of a stack begins at a multiple of 64 bytes.

    The last bits of a matrix product depend on where its operands begin; aligned alike, a network's
    are the same wherever it stands in a stack.
    """
    return -(-width // LANES) * LANES


def drawn_layer(n_in: int, n_out: int, rows: Tensor, columns: Tensor, generator: torch.Generator) -> list[Tensor]:
    """A layer's weight `[n_in, n_out]` and bias `[1, n_out]`, uniform in ±1/√(rows) as in ``torch.nn.Linear``.

    Parameters
    ----------
    n_in, n_out
        Widths, padded.
    rows, columns
        Which of them take part; the others are zero.
    generator
        The only source of the draws.
    """
    bound = 1 / math.sqrt(max(len(rows), 1))
    drawn = torch.empty(len(rows) + 1, len(columns)).uniform_(-bound, bound, generator=generator)
    weight, bias = torch.zeros(n_in, n_out), torch.zeros(1, n_out)
    weight[rows[:, None], columns] = drawn[:-1]
    bias[0, columns] = drawn[-1]
    return [weight, bias]


class StackedNetworks:
    """`v` networks of one shape, and their Adam.

    Nothing couples them. On one thread, and with widths that `padded` made, a network's numbers are the
    same to the bit whatever `v` is.

    Parameters
    ----------
    weights
        For each network its weights.
    """

    def __init__(self, weights: Sequence[Sequence[Tensor]]) -> None:
        self.weights = [torch.stack(of_networks) for of_networks in zip(*weights, strict=True)]
        self.gradients: Sequence[Tensor] = []
        self._means, self._squares = ([torch.zeros_like(weight) for weight in self.weights] for _ in range(2))
        self._steps = [torch.zeros(()) for _ in self.weights]

    def step(self, lr: float) -> None:
        """Adam's step along `gradients`."""
        # What torch.optim.Adam calls: the class itself would hold the moments out of reach of `keep`.
        gradients = list(self.gradients)
        adam(self.weights, gradients, self._means, self._squares, [], self._steps, lr=lr, **ADAM)

    def keep(self, places: Sequence[int]) -> None:
        """Let the others leave the stack."""
        chosen = torch.tensor(places)
        self.weights, self._means, self._squares = (
            [stacked[chosen] for stacked in state] for state in (self.weights, self._means, self._squares)
        )


def train_stacks(stacks: Sequence[T], train: Callable[[T], None]) -> None:
    """Train stacks, each on one thread; they share the threads that torch is set to.

    From four threads on, matrix products differ in the last bits from those of one.
    """
    workers = min(torch.get_num_threads(), len(stacks))
    with one_thread():
        if workers < 2:
            for stack in stacks:
                train(stack)
            return
        pool = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
        try:
            for future in as_completed([pool.submit(train, stack) for stack in stacks]):
                future.result()
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch work on one thread: no other number of them, no thread that waits in a busy loop."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
