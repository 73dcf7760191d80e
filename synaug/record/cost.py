"""What a run took: seconds, rows and floating-point operations of each stage."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from synaug.files.sign_of_life import busy, doing

# What is counted in a stage, for the reader of a line; a stage without counts seconds alone.
COUNTED = {"embed": "texts", "tune": "rows", "augment": "synthetic rows", "train": "rows", "score": "rows"}

# What is being done in a stage that shows no bar of its own, and in one whose bar only a terminal shows.
QUIET = {
    "load": "reading the data",
    "augment": "augmenting",
    "audit": "auditing synthetic rows",
    "score": "scoring",
}
WITH_A_BAR = {"embed": "embedding", "tune": "tuning encoders", "train": "training"}


@dataclass
class Cost:
    """Seconds, rows and operations by stage, in the order of the stages.

    Attributes
    ----------
    seconds
        Of wall time.
    rows
        Rows worked on: texts encoded (cached ones are none), synthetic rows made, rows of all members trained on (a
        row counts as often as it is drawn), rows of all splits scored.
    flops
        Floating-point operations of the matrix products that the stage needed, without padding, where they
        are known.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    flops: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block; a long one gives signs of life."""
        start = time.perf_counter()
        has_a_bar = name in WITH_A_BAR and sys.stderr.isatty()
        what = (QUIET | WITH_A_BAR)[name]
        with doing(what) if has_a_bar else busy(what):
            yield
        self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - start, 4)

    def count(self, name: str, rows: int, flops: float | None = None) -> None:
        """Add what a stage did to what it has done before."""
        self.rows[name] = self.rows.get(name, 0) + rows
        if flops is not None:
            self.flops[name] = self.flops.get(name, 0) + flops

    def table(self) -> dict[str, Any]:
        """All of it, with rates, for the record."""
        return {
            "seconds": self.seconds,
            "rows": self.rows,
            "flops": self.flops,
            "rows_per_second": {name: _rate(count, self.seconds[name]) for name, count in self.rows.items()},
            "flops_per_second": {name: _rate(count, self.seconds[name]) for name, count in self.flops.items()},
        }

    def line(self) -> str:
        """One line for a reader: ``embed 2.1 s (1,400 texts/s, 97 GFLOP/s) · train …``."""
        return " · ".join(self._said(name) for name in self.seconds)

    def _said(self, name: str) -> str:
        seconds = self.seconds[name]
        rates = []
        if self.rows.get(name):
            rates.append(f"{_rate(self.rows[name], seconds):,.0f} {COUNTED[name]}/s")
        if self.flops.get(name):
            rates.append(f"{_rate(self.flops[name], seconds) / 1e9:,.3g} GFLOP/s")
        return f"{name} {seconds:.2f} s" + (f" ({', '.join(rates)})" if rates else "")


def together(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """What two parts of a run took, as records have it: sums, but for the larger peak of memory and the later end."""
    stages = Cost(*(_sum(first.get(name, {}), second[name]) for name in ("seconds", "rows", "flops"))).table()
    others = {name: _sum(first.get(name), value) for name, value in second.items() if name not in stages}
    peak = max(first["peak_memory_bytes"], second["peak_memory_bytes"])
    return {**others, **stages, "peak_memory_bytes": peak, "finished": second["finished"]}


def _sum(first: Any, second: Any) -> Any:
    if isinstance(second, Mapping):
        first = first or {}
        return {name: _sum(first.get(name), second.get(name)) for name in dict.fromkeys([*first, *second])}
    if first is None or second is None or isinstance(second, str):  # what one of them did not count
        return second if first is None else first
    return round(first + second, 4) if isinstance(second, float) else first + second


def _rate(count: float, seconds: float) -> float:
    return count / max(seconds, 1e-4)  # what the clock resolves to here
