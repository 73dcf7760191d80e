"""A training step on a GPU, recorded once and then replayed: what Python does for a step would else cost more than it.

Never tried on a GPU; its logic is tested by a recorder that plays CUDA's graphs on a CPU (`tests/stand_in.py`).
"""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

log = logging.getLogger(__name__)

# Kinds of device on which steps are recorded.
RECORDED_ON = ("cuda",)
# Steps that are taken before one is recorded, as torch asks for: by then, optimisers and libraries have allocated
# what they keep. They are real steps.
WARM_UP = 3
# Recording costs a few steps, so fewer are not worth it.
LEAST_REPLAYS = 8


class Recorder(Protocol):
    """What can record work on a device."""

    def apart(self, work: Callable[[], Tensor]) -> Tensor:
        """Do work where it can be recorded later; what it returns."""

    def record(self, work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        """Record work without doing it: what does it, and where its result is to be read then."""


class CudaGraphs:
    """torch's own [1]_.

    References
    ----------
    .. [1] https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
    """

    def apart(self, work: Callable[[], Tensor]) -> Tensor:
        """See `Recorder`: on a stream of its own."""
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            result = work()
        torch.cuda.current_stream().wait_stream(stream)
        return result

    def record(self, work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        """See `Recorder`."""
        graph = torch.cuda.CUDAGraph()
        # torch records on a stream of its own, and stays on it where recording fails.
        with torch.cuda.stream(torch.cuda.current_stream()), torch.cuda.graph(graph):
            result = work()
        return graph.replay, result


class ReplayedStep:
    """A step that reads the numbers of its rows from one place, and so can be recorded.

    Parameters
    ----------
    step
        Takes the numbers of a batch's rows `[m, B]`, trains on them, and returns the members' losses `[m]`. All that
        it reads or changes, but for what it makes itself, stays where it is.
    recorder
        Records it.
    """

    def __init__(self, step: Callable[[Tensor], Tensor], recorder: Recorder) -> None:
        self._step = step
        self._recorder = recorder
        self._warm = 0
        self._replay: Callable[[], None] | None = None
        self._cannot = False
        self._rows = self._losses = torch.empty(0)

    def run(self, rows: Tensor) -> Iterator[Tensor]:
        """Take consecutive steps.

        Parameters
        ----------
        rows
            `[n_steps, m, B]`.

        Yields
        ------
        Tensor
            The members' losses in each step, `[m]`.
        """
        for place, of_step in enumerate(rows):
            if self._replay is None and not self._cannot:
                if self._warm < WARM_UP:
                    self._warm += 1
                    yield self._recorder.apart(partial(self._step, of_step))
                    continue
                if len(rows) - place >= LEAST_REPLAYS:
                    self._record(of_step)
            if self._replay is None:
                yield self._step(of_step)
            else:
                self._rows.copy_(of_step)
                self._replay()
                yield self._losses.clone()

    def _record(self, rows: Tensor) -> None:
        self._rows = rows.clone()
        try:
            self._replay, self._losses = self._recorder.record(partial(self._step, self._rows))
        except RuntimeError as error:  # of a loss or a classifier of the user's own that must wait for a number
            self._cannot = True
            reason = " ".join(str(error).split())
            log.info("training steps run one by one, as they cannot be recorded as a CUDA graph (%s)", reason)
