"""What a command costs before it does anything: help, settings, a job that is done, a job that is tiny."""

import argparse
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import process
from benchmarks.measure import Arrays, Differs, Row, Run, interleave
from benchmarks.stage import Stage
from benchmarks.sweep import NAIVE, Sweeps, require_alike
from synaug.command.subcommands import SUBCOMMANDS

HELP_TARGET = 0.5
HEAVY = ("torch", "pytorch_lightning", "transformers", "sklearn", "imblearn", "pandas")
IMPORTED = re.compile(r"^import time:\s+\d+ \|\s+\d+ \| *([\w.]+)$", re.MULTILINE)
# A tiny job learns little, and from few rows.
SCORE_NOISE = 0.15


def measure(args: argparse.Namespace) -> list[Row]:
    """Time whole processes by turns: those that only print, one skipped job, one tiny job and the naive program's."""
    helps = {"--help": ["--help"], **{f"{name} --help": [name, "--help"] for name in SUBCOMMANDS}}
    for name, words in helps.items():
        require_light(name, process.command(["-X", "importtime", "-m", "synaug", *words]).output)
    with tempfile.TemporaryDirectory(prefix="synaug-benchmarks-") as folder:
        sweeps = Sweeps(args, Path(folder))
        recorded = Path(folder, "recorded")
        # What is cached, and the job that is then skipped.
        sweeps.naive("embeddings.npy")
        sweeps.synaug("cache", recorded)
        runs = interleave(
            {
                **{name: _command(["-m", "synaug", *words]) for name, words in helps.items()},
                "cfg": _command(["-m", "synaug", "--cfg", "job"]),
                "skipped": lambda: sweeps.synaug("cache", recorded),
                "naive": lambda: sweeps.naive("embeddings.npy"),
                "tiny": lambda: sweeps.synaug("cache"),
            },
            args.repetitions,
            _require_same,
        )
    tiny = f"one job of {args.folds} folds, {args.steps} steps"
    return [
        *(Row.of(name, runs, synaug=name, target=HELP_TARGET, kind="seconds") for name in helps),
        Row.of("--cfg job", runs, synaug="cfg", kind="seconds"),
        Row.of("one job that is recorded already", runs, synaug="skipped", kind="seconds"),
        Row.of(f"{tiny}: embeddings cached", runs, "naive", called=NAIVE, synaug="tiny"),
    ]


def _command(arguments: Sequence[str]) -> Callable[[], Run]:
    def run() -> Run:
        ended = process.command(arguments)
        return Run(ended.seconds, ended.memory)

    return run


def _require_same(computed: dict[str, Arrays]) -> None:
    require_alike({"naive": computed["naive"], "synaug": computed["tiny"]}, 1, SCORE_NOISE)


def require_light(command: str, importtime: str) -> None:
    """Demand that a command imported nothing `HEAVY`, by what ``python -X importtime`` wrote.

    Raises
    ------
    Differs
        If it did, or if no import was listed at all.
    """
    imported = {name.partition(".")[0] for name in IMPORTED.findall(importtime)}
    if "synaug" not in imported:
        raise Differs(f"{command}: the list of imports lacks synaug itself")
    if heavy := sorted(imported.intersection(HEAVY)):
        raise Differs(f"{command} imports {', '.join(heavy)}: it must not")


STAGE = Stage(
    name="start",
    about="Start the program, whole processes timed.",
    sizes={
        "augmenters": ("none", "of the tiny job: one"),
        "ratios": ("5", "of the tiny job: one"),
        "rows_per_class": (200, "sentences of the tiny job"),
        "folds": (5, "of the tiny job"),
        "steps": (40, "of each of its folds"),
    },
    measure=measure,
)

if __name__ == "__main__":
    STAGE.main()
