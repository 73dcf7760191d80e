"""The program run in this process, so that a test does not pay for its imports again."""

import contextlib
import io
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from synaug.command.run import main

TOY = [
    f"--config-dir={Path(__file__).parent / 'conf'}",
    "dataset=files",
    "dataset.text=body",
    "dataset.label=topic",
    "encoder=toy",
    "n_folds=4",
    "max_steps=40",
    "imbalance_ratio=ir5",
    "report=false",
]
# For what is no matter of the numbers.
BRIEF = [*(each for each in TOY if each not in ("n_folds=4", "max_steps=40")), "n_folds=2", "max_steps=4"]
BRIEF.append("validation.n_folds=2")


@dataclass
class Outcome:
    """What a user would see of one command."""

    code: int
    out: str
    err: str


@dataclass
class Program:
    """The command ``synaug`` with an output and a cache folder of its own."""

    folder: Path

    def __call__(self, *arguments: str) -> Outcome:
        settings = [f"output_dir={self.folder / 'multirun'}", f"cache_dir={self.folder / 'cache'}"]
        return run(*arguments, *settings)

    @property
    def run_folders(self) -> list[Path]:
        return sorted(path for path in (self.folder / "multirun").glob("*/*") if path.is_dir() and path.name[0] != ".")

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_text()) for path in sorted((self.folder / "multirun").glob("*/*/record.json"))]

    def record(self) -> dict[str, Any]:
        (only,) = self.records()
        return only


class Kept:
    """What a program has recorded, for several tests to go on from.

    It is put back where it was, as a sweep knows its runs by the very overrides that they were given, paths included.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.copy = program.folder.with_name(f"{program.folder.name}-kept")
        shutil.copytree(program.folder, self.copy)

    def put_back(self) -> Program:
        """The program as it was kept."""
        shutil.rmtree(self.program.folder)
        shutil.copytree(self.copy, self.program.folder)
        return self.program


def run(*arguments: str) -> Outcome:
    """Run ``synaug`` with these arguments, here."""
    out, err = io.StringIO(), io.StringIO()
    code: Any = 0
    with (
        mock.patch.object(sys, "argv", ["synaug", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            code = main()
        except SystemExit as stop:
            code = stop.code
    if isinstance(code, str):
        return Outcome(1, out.getvalue(), err.getvalue() + code)
    return Outcome(code or 0, out.getvalue(), err.getvalue())


SIGNALLED = """
import os, signal, sys
from synaug.command.app import main
name, left = sys.argv[1], int(sys.argv[2])
del sys.argv[1:3]
replace = os.replace
def counted(source, target):
    global left
    if os.path.basename(target).startswith("probabilities-"):
        left -= 1
        if left == -1:
            os.kill(os.getpid(), getattr(signal, name))
    replace(source, target)
os.replace = counted
main()
"""


def signalled(name: str, n_recorded: int, *arguments: str, output: Path) -> int:
    """Run ``synaug`` in a process that sends itself a signal as it records the run after the first `n_recorded`.

    Nobody watches from outside: however busy the machine is, the signal comes at the same place.

    Returns
    -------
    int
        How the process ended: its exit code, or the signal, negative.
    """
    command = [sys.executable, "-c", SIGNALLED, name, str(n_recorded), *arguments]
    with output.open("w") as said:
        return subprocess.run(
            command, stdout=said, stderr=subprocess.STDOUT, cwd=Path(__file__).parents[1], check=False
        ).returncode


def without_cost(record: dict[str, Any]) -> dict[str, Any]:
    """A record but for what may differ from run to run: times, and where files were put."""
    kept = {key: value for key, value in record.items() if key not in ("cost", "overrides")}
    elsewhere = ("output_dir", "cache_dir", "threads", "force", "logger")
    kept["config"] = {key: value for key, value in record["config"].items() if key not in elsewhere}
    return kept
