"""What a run asks of an encoder, whoever wrote it: name its class as the ``_target_`` of a YAML in ``encoder/``."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from synaug.dataset import TextSource
from synaug.dataset.vectors import RowVectors

Given = TypeVar("Given")


@runtime_checkable
class Encoder(Protocol):
    """What makes vectors of texts.

    Making one loads nothing: constructors check their arguments, and raise `synaug.errors.UserError`.

    Beside the methods below, an encoder may have ``look()``, which finds out in a moment whether its files are there
    and raises a `UserError` if they are not, before anything heavy is imported; and ``tokens_done`` and ``flops_done``,
    whole numbers that rise while it encodes, for the record of what a run took.
    """

    def source(self) -> str:
        """Name the content cheaply (a digest or a pinned revision): it enters a run's identity.

        What decides it (a path, say) enters the identity as a setting, too, unless `synaug.record.identity` leaves it
        out.
        """

    def identity(self) -> dict[str, Any]:
        """All that decides the numbers, as JSON can hold it: embeddings are kept under it, and looked up by it.

        Two encoders of one identity give the same vectors; where a version of a library decides them, it stands here.
        """

    def encode(self, texts: Sequence[str], progress: Callable[[int], object] = ...) -> NDArray[np.float32]:
        """Make vectors of texts.

        Parameters
        ----------
        texts
            `n` texts. A text's vector must not depend on the others.
        progress
            To be called now and then, in the caller's thread, with the number of characters done since the last call.

        Returns
        -------
        ndarray
            float32 `[n, d]`, finite, in the order of `texts`.
        """


@runtime_checkable
class BringsVectors(Protocol):
    """What has vectors of a data set's rows instead of making them of texts; an `Encoder` in all else."""

    def for_dataset(self, dataset: TextSource) -> "BringsVectors":
        """Tell it whose rows they are; before, it has nothing to say."""

    def look(self) -> None:
        """Read the vectors, and raise a `UserError` if they do not fit the rows."""

    def vectors(self) -> RowVectors:
        """The vectors of all rows that the data set reads, in their order."""


def for_dataset(encoder: Given, dataset: TextSource) -> Given:
    """An encoder that knows the data set that it is used with, where it has to."""
    return encoder.for_dataset(dataset) if isinstance(encoder, BringsVectors) else encoder  # type: ignore[return-value]
