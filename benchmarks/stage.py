"""A stage: what is measured at which sizes, its command line, and the file and the lines that come of it."""

import argparse
import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import machine
from benchmarks.measure import RESULTS, Arrays, Row
from benchmarks.table import lines


@dataclass(frozen=True)
class Stage:
    """One module of the benchmarks; `benchmarks` says what its fields are."""

    name: str
    about: str
    sizes: Mapping[str, tuple[int | float | str, str]]
    measure: Callable[[argparse.Namespace], list[Row]]
    sides: Mapping[str, Callable[[argparse.Namespace], Callable[..., Arrays]]] = field(default_factory=dict)
    repetitions: int = 3

    def arguments(self, given: Sequence[str] | None = None) -> argparse.Namespace:
        """Sizes and repetitions from a command line (None: this process's own)."""
        parser = argparse.ArgumentParser(
            prog=f"python -m benchmarks.{self.name}",
            description=self.about,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        for name, (default, explanation) in self.sizes.items():
            parser.add_argument(f"--{name.replace('_', '-')}", type=type(default), default=default, help=explanation)
        parser.add_argument("--repetitions", type=int, default=self.repetitions, help="of every side, by turns")
        parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON")
        return parser.parse_args(given)

    def main(self, given: Sequence[str] | None = None) -> list[Row]:
        """Measure, print, and write ``<results>/<stage>.json``."""
        arguments = self.arguments(given)
        sizes = {key: value for key, value in vars(arguments).items() if key != "results"}
        started, load = time.perf_counter(), machine.load()
        rows = self.measure(argparse.Namespace(**sizes))
        result = {
            "stage": self.name,
            "about": self.about,
            "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "took_seconds": time.perf_counter() - started,
            "load_at_start": load,
            "machine": machine.describe(),
            "versions": machine.versions(),
            "sizes": sizes,
            "rows": [dataclasses.asdict(row) for row in rows],
        }
        arguments.results.mkdir(parents=True, exist_ok=True)
        (arguments.results / f"{self.name}.json").write_text(f"{json.dumps(result, indent=1)}\n")
        print("\n".join(lines({self.name: rows})), flush=True)
        return rows
