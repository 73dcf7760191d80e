"""Sides in processes of their own, and whole commands: their times and the memory of the process that did it."""

import argparse
import contextlib
import gc
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import machine
from benchmarks.measure import Arrays, Run

ROOT = Path(__file__).parent.parent
LINES_SHOWN = 30


class Worker:
    """One side of a stage in a process of its own, which loads and warms up while others start.

    It is asked by lines of JSON and answers in them; arrays come by a file.
    """

    def __init__(self, module: str, side: str, args: argparse.Namespace, python: str = sys.executable) -> None:
        self._name = f"{module}.{side}"
        self._folder = tempfile.TemporaryDirectory(prefix="synaug-benchmarks-")
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.process", module, side, json.dumps(vars(args))],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait(self) -> None:
        """Return once it is ready: nothing else works then, and none is timed before."""
        self._answer()

    def __call__(self, *arguments: str) -> Run:
        """Time one repetition."""
        assert self._process.stdin is not None
        path = Path(self._folder.name, "arrays.npz")
        _reset_peaks(self._process.pid)
        self._process.stdin.write(f"{json.dumps({'arguments': arguments, 'path': str(path)})}\n")
        self._process.stdin.flush()
        seconds = self._answer()["seconds"]
        with np.load(path, allow_pickle=False) as arrays:
            return Run(seconds, peak_memory(self._process.pid), dict(arrays))

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} ended with exit code {self._process.wait()}; its error stands above")
        return json.loads(line)

    def close(self) -> None:
        """End the process: it does so itself once nothing can ask it any more."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._folder.cleanup()


@contextlib.contextmanager
def sides(
    module: str, names: Sequence[str], args: argparse.Namespace, pythons: Mapping[str, str] | None = None
) -> Iterator[Mapping[str, Callable[..., Run]]]:
    """Start these sides of a stage (the full name of its module); ``gemm`` is `benchmarks.machine.gemm`.

    `pythons` names the interpreters of sides that have an environment of their own; numpy is all it must hold.
    """
    with contextlib.ExitStack() as stack:
        started = {}
        for name in names:
            started[name] = Worker(module, name, args, (pythons or {}).get(name, sys.executable))
            stack.callback(started[name].close)
        for worker in started.values():
            worker.wait()
        yield started


def prepare(module: str, side: str, args: argparse.Namespace) -> Callable[..., Arrays]:
    """Load and warm up a side here, and give the function that is to be timed."""
    if side == "gemm":
        return machine.gemm(args)
    prepared: Callable[..., Arrays] = importlib.import_module(module).STAGE.sides[side](args)
    return prepared


def serve(module: str, side: str, args: argparse.Namespace) -> None:
    """Answer what `Worker` asks, until it is gone."""
    # What the side or a library prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    timed = prepare(module, side, args)
    answers.write('{"ready": true}\n')
    answers.flush()
    for line in sys.stdin:
        asked = json.loads(line)
        gc.collect()
        started = time.perf_counter()
        arrays = timed(*asked["arguments"])
        seconds = time.perf_counter() - started
        np.savez(asked["path"], allow_pickle=False, **arrays)
        answers.write(f"{json.dumps({'seconds': seconds})}\n")
        answers.flush()


@dataclass(frozen=True)
class Command:
    """A process that has ended: its time and memory (bytes, of the largest of its tree), and what it said."""

    seconds: float
    memory: int
    output: str


def command(arguments: Sequence[str]) -> Command:
    """Run ``python <arguments>`` from the repository, and wait.

    Raises
    ------
    RuntimeError
        If it fails; the end of its output is in the message.
    """
    with tempfile.TemporaryDirectory(prefix="synaug-benchmarks-") as folder:
        said, measured = Path(folder, "said"), Path(folder, "measured.json")
        launcher = [sys.executable, "-S", str(Path(__file__).with_name("launch.py")), str(measured)]
        with said.open("w") as file:
            subprocess.run(
                [*launcher, sys.executable, *arguments],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                check=True,
            )
        output = said.read_text(errors="replace")
        ended = json.loads(measured.read_text())
    if ended["exit_code"]:
        end = "\n".join(output.splitlines()[-LINES_SHOWN:])
        raise RuntimeError(f"python {' '.join(arguments)} ended with exit code {ended['exit_code']}:\n{end}")
    return Command(ended["seconds"], ended["memory"], output)


def memory() -> int | None:
    """Bytes that this process holds now; None where there is no /proc."""
    return _status(os.getpid(), "VmRSS")


def peak_memory(pid: int) -> int | None:
    """Sum of the peaks of a process and its living descendants, in bytes; None where there is no /proc."""
    peaks = [peak for process in _tree(pid) if (peak := _status(process, "VmHWM")) is not None]
    return sum(peaks) if peaks else None


def _status(pid: int, key: str) -> int | None:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
    return None


def _reset_peaks(pid: int) -> None:
    for process in _tree(pid):
        with contextlib.suppress(OSError):
            Path(f"/proc/{process}/clear_refs").write_text("5")


def _tree(pid: int) -> list[int]:
    children: list[int] = []
    with contextlib.suppress(OSError):  # no /proc, or it has just ended
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += map(int, (task / "children").read_text().split())
    return [pid, *(process for child in children for process in _tree(child))]


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], argparse.Namespace(**json.loads(sys.argv[3])))
