"""How much longer a run takes for looking inside: ``python -m benchmarks.audit``.

A run with cached embeddings is made again and again in one process, by turns with its look inside (audit, geometry and
doubtful labels: `synaug.pipeline.look_into`) and without. What a command takes before it starts would make the share
smaller, and is left out. Both sides have the same scores. The medians of five repetitions stand in
``benchmarks/results/audit.json``; at most a fifth of the time without is allowed. With two cores that others used, too,
the stage took 4.1 % (``demo``) and 1.9 % (``sst2``) of the same run's other stages. The medians of whole runs differed
by +3.1 % and -7.5 %, so there the difference is lost in what the machine's other work did.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from unittest import mock

import synaug
from benchmarks import machine
from benchmarks.measure import RESULTS, Differs
from synaug.files.atomic import replacing
from synaug.record import tables

MOST = 0.2
RUNS: Mapping[str, tuple[str, ...]] = {
    "demo": ("dataset=rotten_tomatoes", "imbalance_ratio=ir10", "dataset.max_per_class=1500", "max_steps=512"),
    "sst2": ("dataset=sst2", "imbalance_ratio=ir20", "dataset.max_per_class=1000"),
}
NOTHING = {
    "quality": tables.as_table(tables.QUALITY_COLUMNS, ()),
    "geometry": tables.as_table(tables.GEOMETRY_COLUMNS, ()),
    "label_noise": tables.as_table(tables.LABEL_NOISE_COLUMNS, ()),
    "faults": tables.as_table(tables.FAULT_COLUMNS, ()),
}


def without() -> AbstractContextManager[Any]:
    """No look inside, as long as this lasts."""
    return mock.patch("synaug.pipeline.look_into", return_value=NOTHING)


SIDES: Mapping[str, Callable[[], AbstractContextManager[Any]]] = {"with": nullcontext, "without": without}


def measured(overrides: tuple[str, ...], repetitions: int) -> dict[str, Any]:
    """Seconds of each repetition, elapsed and of the processor, and the shares that the look inside adds to them.

    ``stage`` is the time of that stage in shares of the same run's other stages, which other work on the machine slows
    down alike; the other shares compare runs.

    Raises
    ------
    Differs
        If scores are not the same with and without.
    """
    found: dict[str, dict[str, list[float]]] = {side: {"seconds": [], "processor": []} for side in SIDES}
    of_stage: list[float] = []
    with tempfile.TemporaryDirectory(prefix="synaug-benchmarks-") as folder:
        given = [*overrides, "augmenter=smote", f"output_dir={folder}", "trainer.enable_progress_bar=false"]
        scores = synaug.run(*given).record["scores"]  # encodes, and warms up
        for repetition in range(repetitions):
            for side in [*SIDES][:: -1 if repetition % 2 else 1]:
                with SIDES[side]():
                    started, used = time.perf_counter(), time.process_time()
                    made = synaug.run(*given, "force=true")
                    found[side]["seconds"].append(time.perf_counter() - started)
                    found[side]["processor"].append(time.process_time() - used)
                stages = made.record["cost"]["seconds"]
                if side == "with":
                    of_stage.append(stages["audit"] / (sum(stages.values()) - stages["audit"]))
                if made.record["scores"] != scores or bool(made.record["quality"]["data"]) != (side == "with"):
                    raise Differs(f"the run {side} its look inside has other scores, or tables that it should not have")
    shares = {
        kind: statistics.median(found["with"][kind]) / statistics.median(found["without"][kind]) - 1
        for kind in ("seconds", "processor")
    }
    shares["stage"] = statistics.median(of_stage)
    return {"settings": [*overrides, "augmenter=smote"], **found, "stage": of_stage, "share": shares}


def main() -> None:
    """Measure, print, and write the results; exit with 1 where the look inside takes more than a fifth."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.audit", description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5, help="of either side, by turns")
    parser.add_argument("--only", nargs="+", choices=RUNS, default=list(RUNS), help="runs to make")
    parser.add_argument("--output", type=Path, default=RESULTS / "audit.json")
    arguments = parser.parse_args()
    result: dict[str, Any] = {"load_at_start": machine.load(), "machine": machine.describe(), "runs": {}}
    for name in arguments.only:
        found = measured(RUNS[name], arguments.repetitions)
        result["runs"][name] = found
        shares = ", ".join(f"{share:+.1%} ({kind})" for kind, share in found["share"].items())
        print(f"{name}: the look inside takes {shares}", flush=True)
    with replacing(arguments.output) as file:
        file.write(f"{json.dumps(result, indent=1)}\n".encode())
    if any(found["share"]["stage"] > MOST for found in result["runs"].values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
