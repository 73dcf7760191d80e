"""The harness: sides by turns, medians and ratios of what was timed, and how a stage's file is read."""

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

RESULTS = Path(__file__).parent / "results"
Arrays = dict[str, NDArray[Any]]
Kind = Literal["ratio", "share", "seconds", "times"]


class Differs(Exception):  # noqa: N818 (a finding, and the sentence says which)
    """Two sides did not compute the same thing, so that their times may not be compared."""


@dataclass(frozen=True)
class Run:
    """One repetition of one side: its time, the most memory it held (bytes), and what it computed."""

    seconds: float
    memory: int | None = None
    arrays: Arrays = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """One comparison, or one time of synaug alone against a limit.

    Attributes
    ----------
    name, peer
        What was done, and by what else; an empty `peer` where there is none.
    synaug_seconds, peer_seconds
        Every repetition, in order; those of one index were measured one after the other.
    target
        What is to be reached; None where a row only informs.
    kind
        What the target is of: ``ratio`` (peer / synaug, at least), ``share`` (of the GEMM peak, at
        least), ``seconds`` (of synaug, at most) or ``times`` (of something that `name` says, at most;
        `synaug_seconds` holds them then, and not seconds).
    gflop
        Floating-point operations of one repetition, /1e9; those that the task needs, without padding.
    gemm_peak, mm_peak, threads
        Best GFLOP/s of `benchmarks.machine`'s float32 products between the repetitions, any and those of
        ``torch.mm``, on so many threads.
    synaug_memory, peer_memory
        Bytes at most in a repetition, of the side's own processes.
    """

    name: str
    synaug_seconds: tuple[float, ...]
    peer: str = ""
    peer_seconds: tuple[float, ...] = ()
    target: float | None = None
    kind: Kind = "ratio"
    gflop: float | None = None
    gemm_peak: float | None = None
    mm_peak: float | None = None
    threads: int | None = None
    synaug_memory: int | None = None
    peer_memory: int | None = None

    @property
    def synaug(self) -> float:
        """Median seconds of synaug."""
        return statistics.median(self.synaug_seconds)

    @property
    def ratio(self) -> float | None:
        """Median of the peer over median of synaug."""
        return statistics.median(self.peer_seconds) / self.synaug if self.peer_seconds else None

    @property
    def ratio_range(self) -> tuple[float, float] | None:
        """Smallest and largest ratio of a repetition."""
        if not self.peer_seconds:
            return None
        ratios = [peer / synaug for peer, synaug in zip(self.peer_seconds, self.synaug_seconds, strict=True)]
        return min(ratios), max(ratios)

    @property
    def gflops(self) -> float | None:
        """GFLOP/s of synaug's median."""
        return None if self.gflop is None else self.gflop / self.synaug

    @property
    def share(self) -> float | None:
        """`gflops` as a share of the GEMM peak."""
        return None if self.gflops is None or self.gemm_peak is None else self.gflops / self.gemm_peak

    @property
    def value(self) -> float | None:
        """What the target is of."""
        return {"ratio": self.ratio, "share": self.share}.get(self.kind, self.synaug)

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without a target."""
        if self.target is None or self.value is None:
            return None
        return self.value <= self.target if self.kind in ("seconds", "times") else self.value >= self.target

    @classmethod
    def of(
        cls,
        name: str,
        runs: Mapping[str, Sequence[Run]],
        peer: str = "",
        *,
        called: str = "",
        synaug: str = "synaug",
        **more: Any,
    ) -> Self:
        """Make the row of the sides `peer` (for a reader, `called` so) and `synaug` of `interleave`.

        Where a third is ``gemm``, its best is the peak.
        """
        products = [run.arrays for run in runs.get("gemm", [])]
        return cls(
            name,
            tuple(run.seconds for run in runs[synaug]),
            called or peer,
            tuple(run.seconds for run in runs[peer]) if peer else (),
            gemm_peak=max((float(product["gflops"]) for product in products), default=None),
            mm_peak=max((float(product["mm_gflops"]) for product in products), default=None),
            threads=int(products[0]["threads"]) if products else None,
            synaug_memory=_most(runs[synaug]),
            peer_memory=_most(runs[peer]) if peer else None,
            **more,
        )


def _most(runs: Sequence[Run]) -> int | None:
    return max((run.memory for run in runs if run.memory is not None), default=None)


def interleave(
    sides: Mapping[str, Callable[[], Run]], repetitions: int, check: Callable[[dict[str, Arrays]], None]
) -> dict[str, list[Run]]:
    """Run all sides by turns, so that a machine that slows down slows them all; check every round.

    Returns
    -------
    dict
        Of each side its repetitions, in order.

    Raises
    ------
    Differs
        From `check`, given what each side computed in a round.
    """
    runs: dict[str, list[Run]] = {name: [] for name in sides}
    for _ in range(repetitions):
        for name, side in sides.items():
            runs[name].append(side())
        check({name: runs[name][-1].arrays for name in sides})
    return runs


def read(path: Path) -> tuple[dict[str, Any], list[Row]]:
    """Read a stage's file: all of it, and its rows."""
    result = json.loads(path.read_text())
    return result, [_row(fields) for fields in result["rows"]]


def _row(fields: dict[str, Any]) -> Row:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()
    }
    return Row(**values)


def require_close(one: NDArray[Any], other: NDArray[Any], what: str, tolerance: float = 0.0) -> None:
    """Demand the same shape and values, to the bit unless a tolerance is given.

    Raises
    ------
    Differs
        If they are not.
    """
    if one.shape != other.shape:
        raise Differs(f"{what}: shapes {one.shape} and {other.shape} differ")
    if tolerance == 0 and not np.array_equal(one, other):
        raise Differs(
            f"{what}: {int((one != other).sum())} of {one.size} numbers differ; they must be equal to the bit"
        )
    furthest = float(np.abs(one - other).max(initial=0.0))
    if not furthest <= tolerance:
        raise Differs(f"{what}: differ by up to {furthest:.3g}, more than {tolerance:g}")
