"""Batches of all members' rows side by side, `[m, B, d]`, gathered when they are needed."""

import warnings
from collections.abc import Iterator, Sequence
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from synaug.accelerator import is_out_of_memory
from synaug.augmenter import interpolate
from synaug.classifier.batch import EVALUATION_ROWS, StackedBatch
from synaug.errors import UserError
from synaug.training.training_sets import TrainingSet

# Optimiser steps in one of Lightning's batches: its own work for each batch costs half as much as a step.
BLOCK_STEPS = 10
# An accelerator would wait meanwhile, and its steps are shorter.
ACCELERATOR_BLOCK_STEPS = 256


class RowPool:
    """Every row that a member trains or is judged on, by number: the data set's first, then the synthetic ones.

    Where training sets have spaces of their own, the data set comes once for each. An interpolated row is two numbers
    and a step until a batch needs it. All of it lies on one device, on which batches are gathered; it begins on the
    CPU.

    Attributes
    ----------
    offsets
        Of each training set: what is added to a row of the data set for its number here.
    """

    def __init__(
        self, embeddings: NDArray[np.float32], labels: NDArray[np.int64], training_sets: Sequence[TrainingSet]
    ) -> None:
        spaces = {id(each.embeddings): each.embeddings for each in training_sets} or {0: embeddings}
        starts = {space: number * len(labels) for number, space in enumerate(spaces)}
        self.offsets = [starts[id(each.embeddings)] for each in training_sets]
        if len(spaces) > 1:
            labels = np.tile(labels, len(spaces))
        of_members = [training_set.augmented for training_set in training_sets]
        synthetic = [augmented.synthetic for augmented in of_members]
        others = [rows.others for rows in synthetic if len(rows.others)]
        with warnings.catch_warnings():
            # The cache's matrix may be read-only, and nothing writes into the pool.
            warnings.filterwarnings("ignore", message=".*not writable")
            blocks = [*spaces.values(), *others]
            self.rows = torch.from_numpy(np.concatenate(blocks) if len(blocks) > 1 else blocks[0])
        self.n_real = len(labels)
        all_labels = np.concatenate([labels, *(augmented.labels for augmented in of_members)])
        self.labels = torch.from_numpy(all_labels.astype(np.int16))
        ends = np.empty((sum(map(len, synthetic)), 2), dtype=np.int32)
        start, other = 0, self.n_real
        for augmented, rows, offset in zip(of_members, synthetic, self.offsets, strict=True):
            block = ends[start : start + len(rows)]
            block[:] = augmented.given.index[rows.between] + offset
            block[rows.is_other] = np.arange(other, other + len(rows.others))[:, None]
            start, other = start + len(block), other + len(rows.others)
        self.ends = torch.from_numpy(ends)
        self.step = torch.from_numpy(np.concatenate([np.zeros(0, np.float32), *(rows.step for rows in synthetic)]))
        self.interpolated = bool(self.step.any())
        mean = np.stack([training_set.mean for training_set in training_sets])[:, None]
        scale = np.stack([training_set.scale for training_set in training_sets])[:, None]
        self.standardized = bool(mean.any() or (scale != 1).any())
        self.mean, self.scale = torch.from_numpy(mean), torch.from_numpy(scale)

    @property
    def device(self) -> torch.device:
        """Where the rows lie."""
        return self.rows.device

    def to(self, device: torch.device) -> Self:
        """Move the rows to a device, once and for all batches.

        Raises
        ------
        UserError
            If they do not fit its memory.
        """
        try:
            for name in ("rows", "labels", "ends", "step", "mean", "scale"):
                setattr(self, name, getattr(self, name).to(device))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise UserError(
                f"the {len(self.rows)} rows of this run, {self.rows.nbytes / 2**30:.1f} GiB, do not fit into "
                f"the memory of {device}: train on the CPU with trainer.accelerator=cpu"
            ) from error
        return self

    def place(self, rows: torch.Tensor) -> torch.Tensor:
        """Numbers of rows where they are needed; on a GPU without waiting for it."""
        if self.device.type == "cuda":
            return rows.pin_memory().to(self.device, non_blocking=True)
        return rows.to(self.device)

    def take(self, rows: torch.Tensor, members: torch.Tensor) -> StackedBatch:
        """Gather `rows`, int32 or int64 `[m, B]`, of `members`, which are places among all training sets."""
        values = self._values if self.device.type == "cpu" else self._values_at_once
        x = values(rows.flatten()).view(*rows.shape, -1)
        if self.standardized:
            x = (x - self.mean[members]) / self.scale[members]
        labels = self.labels.index_select(0, rows.flatten()).view(rows.shape)
        return StackedBatch(x, labels.long())

    def _values(self, rows: torch.Tensor) -> torch.Tensor:
        synthetic = (rows >= self.n_real).nonzero().squeeze(1)
        if not len(synthetic):
            return self.rows.index_select(0, rows)  # ten times as fast as rows[...] for some hundred rows
        which = rows.index_select(0, synthetic) - self.n_real
        first, second = self.ends.index_select(0, which).unbind(1)
        x = self.rows.index_select(0, rows.index_copy(0, synthetic, first.to(rows.dtype)))
        if self.interpolated:
            begin, end = x.index_select(0, synthetic), self.rows.index_select(0, second)
            x.index_copy_(0, synthetic, interpolate(begin, end, self.step.index_select(0, which)[:, None]))
        return x

    def _values_at_once(self, rows: torch.Tensor) -> torch.Tensor:
        """The same without a shape that depends on numbers: for those, the CPU would have to wait for a GPU."""
        if not len(self.ends):
            return self.rows.index_select(0, rows)
        is_real = rows < self.n_real
        which = (rows - self.n_real).clamp_min(0)
        first, second = (torch.where(is_real, rows, end) for end in self.ends.index_select(0, which).unbind(1))
        begin = self.rows.index_select(0, first)
        if not self.interpolated:
            return begin
        # Not torch.where, which would copy the number 0 to the device.
        step = self.step.index_select(0, which).masked_fill(is_real, 0.0)[:, None]
        x: torch.Tensor = interpolate(begin, self.rows.index_select(0, second), step)
        return x


class Steps:
    """Consecutive training batches, each gathered when it is its turn: one batch of Lightning's, several steps of ours.

    Parameters
    ----------
    pool
        Where rows are gathered.
    rows
        int32 `[n_steps, m, B]`.
    members
        Which members these are.
    """

    def __init__(self, pool: RowPool, rows: torch.Tensor, members: torch.Tensor) -> None:
        self.pool = pool
        self.rows = rows
        self.members = members

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[StackedBatch]:
        return map(self.gather, self.rows)

    def gather(self, rows: torch.Tensor) -> StackedBatch:
        """The batch of so many rows `[m, B]`."""
        return self.pool.take(rows, self.members)


class Passes:
    """Endless shuffled passes over one member's rows."""

    def __init__(self, rows: NDArray[np.int32], generator: torch.Generator) -> None:
        self.rows = torch.from_numpy(rows)
        self.generator = generator
        self._left = torch.empty(0, dtype=torch.int32)

    def draw(self, count: int) -> torch.Tensor:
        """The next `count` rows, int32."""
        drawn, lack = [self._left], count - len(self._left)
        while lack > 0:
            drawn.append(self.rows[torch.randperm(len(self.rows), generator=self.generator)])
            lack -= len(self.rows)
        joined = torch.cat(drawn)
        # A copy: a view would keep what was drawn already.
        self._left = joined[count:].clone()
        return joined[:count]


class TrainingBatches:
    """So many steps' batches of each member's next rows.

    Members of different sizes cycle at their own pace: no batch is ever padded, and no member's
    batches depend on another's.
    """

    def __init__(
        self, pool: RowPool, passes: Sequence[Passes], members: Sequence[int], batch_size: int, n_steps: int
    ) -> None:
        self.pool = pool
        self.passes = passes
        self.members = pool.place(torch.tensor(members))
        self.batch_size = batch_size
        self.n_steps = n_steps
        self.block_steps = BLOCK_STEPS if pool.device.type == "cpu" else ACCELERATOR_BLOCK_STEPS

    def __len__(self) -> int:
        return -(-self.n_steps // self.block_steps)

    def __iter__(self) -> Iterator[Steps]:
        drawn = torch.stack([of_member.draw(self.n_steps * self.batch_size) for of_member in self.passes])
        order = drawn.view(len(self.passes), self.n_steps, self.batch_size).transpose(0, 1).contiguous()
        for start in range(0, self.n_steps, self.block_steps):
            block = order[start : start + self.block_steps]
            yield Steps(self.pool, self.pool.place(block), self.members)


class EvaluationBatches:
    """Rows of members in order, in blocks of one shape; the last ones are padded.

    Parameters
    ----------
    pool
        Where rows are gathered.
    rows
        Those of each member, int64.
    members
        Which members these are.

    Attributes
    ----------
    n_rows
        Of each member, how many rows come first that are no padding.
    """

    def __init__(self, pool: RowPool, rows: Sequence[NDArray[np.int64]], members: Sequence[int]) -> None:
        self.pool = pool
        self.n_rows = list(map(len, rows))
        self.members = pool.place(torch.tensor(members))
        longest = max(-(-max(self.n_rows) // EVALUATION_ROWS), 1) * EVALUATION_ROWS
        padded = np.zeros((len(rows), longest), dtype=np.int64)
        for index, of_member in enumerate(rows):
            padded[index, : len(of_member)] = of_member
        self.rows = pool.place(torch.from_numpy(padded))

    def __len__(self) -> int:
        return self.rows.shape[1] // EVALUATION_ROWS

    def __iter__(self) -> Iterator[StackedBatch]:
        for start in range(0, self.rows.shape[1], EVALUATION_ROWS):
            yield self.pool.take(self.rows[:, start : start + EVALUATION_ROWS], self.members)
