"""Signals at any moment of a run, of a sweep, of a sweep's worker: how the program ends, and that nothing is lost.

``SYNAUG_KILLS=20 pytest tests/test_kills.py`` draws 20 moments for each signal and each kind of command.
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from synaug import record
from synaug.files.atomic import files_below
from tests import toy
from tests.program import TOY
from tests.test_faults import ROOT, Zygote, whole_records
from tests.thorough import THOROUGH, some

MOMENTS = int(os.environ.get("SYNAUG_KILLS", "10" if THOROUGH else "1"))
WORKERS_MOMENTS = max(1, MOMENTS // 3)  # whose processes have to import everything
# The last two are also sent in tests/test_interrupts.py, tests/test_sweep.py and tests/test_launchers.py.
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
TINY = [*TOY, "n_folds=2", "max_steps=200", "trainer.enable_progress_bar=false"]
EXIT_CODES = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 128 + signal.SIGTERM, signal.SIGINT: 1}


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    made = Zygote()
    yield made
    made.close()


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    csv = toy.write_csv(tmp_path / "mine.csv", *toy.texts(60))
    return [*TINY, f"dataset.path={csv}", f"output_dir={tmp_path / 'multirun'}", f"cache_dir={tmp_path / 'cache'}"]


def end(zygote: Zygote, folder: Path, command: list[str], number: int, seconds: float) -> tuple[int, str]:
    """Start a command, send it a signal after a while; its exit code, and what it said."""
    said = folder / "said"
    said.unlink(missing_ok=True)
    pid = zygote.start(said, *command)
    time.sleep(seconds)
    if zygote.ended(pid) is not None:  # sooner than expected
        return 0, said.read_text()
    os.kill(pid, number)
    return zygote.wait(pid), said.read_text()


def lasts(zygote: Zygote, folder: Path, command: list[str]) -> float:
    """Seconds that a command takes when nobody interrupts it."""
    started = time.monotonic()
    outcome = zygote.run(folder / "whole", *command)
    assert outcome.code == 0, outcome.err
    return time.monotonic() - started


def seeds(folder: Path) -> set[int]:
    """The seeds of the only record below a folder, once it is seen to be whole."""
    ((_, content),) = whole_records(folder).values()
    found: list[int] = json.loads(content)["config"]["seeds"]
    return set(found)


@pytest.mark.parametrize("number", some(SIGNALS, 1), ids=lambda number: number.name)
def test_a_run_ends_as_it_is_asked_to_at_any_moment_and_loses_no_seed(
    zygote: Zygote, tmp_path: Path, command: list[str], number: signal.Signals
) -> None:
    draw = random.Random(number)
    seconds = lasts(zygote, tmp_path, [*command, "seeds=[100]"])
    recorded = {100}
    for seed in range(MOMENTS):
        own = [*command, f"seeds=[{seed}]"]
        code, said = end(zygote, tmp_path, own, number, draw.uniform(0.05, seconds))
        assert recorded <= seeds(tmp_path / "multirun") <= recorded | {seed}
        assert code in (0, EXIT_CODES[number]), said
        assert "Traceback" not in said
        if code not in (0, -signal.SIGKILL):
            assert "interrupted; what is recorded is kept, and the same command goes on from there" in said
        again = zygote.run(tmp_path / "again", *own)
        assert again.code == 0, again.err
        recorded.add(seed)
        assert seeds(tmp_path / "multirun") == recorded
    assert not files_below(tmp_path / "multirun", record.FAILURE)


@pytest.mark.skipif(not THOROUGH, reason="tests/test_faults.py kills a sweep; make thorough, at any moment")
@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_sweep_ends_as_it_is_asked_to_at_any_moment(
    zygote: Zygote, tmp_path: Path, command: list[str], number: signal.Signals
) -> None:
    draw = random.Random(number)
    sweep = ["--multirun", *command, "augmenter=none,random,smote", "report=true"]
    seconds = lasts(zygote, tmp_path, [*sweep, "name=whole"])
    for moment in range(MOMENTS):
        own = [*sweep, f"name=moment{moment}"]
        code, said = end(zygote, tmp_path, own, number, draw.uniform(0.05, seconds))
        kept = whole_records(tmp_path / "multirun" / f"moment{moment}")
        # While its first config is composed it is no sweep yet.
        assert code in (0, EXIT_CODES[number], *([] if number == signal.SIGKILL else [1])), said
        assert "Traceback" not in said
        if code == 1:
            assert re.search(r"interrupted (after \d of 3 jobs|while the report|; what is)", said), said
        again = zygote.run(tmp_path / "again", *own)
        assert again.code == 0, again.err
        after = whole_records(tmp_path / "multirun" / f"moment{moment}")
        assert len(after) == 3
        assert {run: after[run] for run in kept} == kept
        noted = json.loads((tmp_path / "multirun" / f"moment{moment}" / record.SWEEP).read_text())
        assert [job["status"] for job in noted["jobs"]].count("skipped") == len(kept)


# Twelve processes that import everything; tests/test_launchers.py ends a worker at one moment of its own.
@pytest.mark.skipif(not THOROUGH, reason="make thorough ends workers at any moment")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_a_sweep_tells_of_a_worker_that_was_ended_at_any_moment(
    tmp_path: Path, command: list[str], number: signal.Signals
) -> None:
    draw = random.Random(number)
    settings = ["augmenter=none,random,smote,adasyn", "hydra/launcher=cores", "hydra.launcher.n_jobs=2", "threads=1"]
    for moment in range(WORKERS_MOMENTS):
        own = [sys.executable, "-m", "synaug", "--multirun", *command, *settings, f"name=moment{moment}"]
        folder = tmp_path / "multirun" / f"moment{moment}"
        with subprocess.Popen(own, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            while process.poll() is None and not list(folder.glob(".sweep-*/0.json")):
                time.sleep(0.05)
            time.sleep(draw.uniform(0, 3))
            workers = _workers_of(process.pid)
            killed = bool(workers) and process.poll() is None
            if killed:
                os.kill(draw.choice(workers), number)
            said = process.communicate()[0]
        assert "Traceback" not in said, said
        if process.returncode != 0:
            assert killed
            assert process.returncode == 1
            assert "a process of the sweep died without a word, and joblib ended the others" in said
            assert re.search(r"\d of 4 jobs (died|did not run)", said), said
        kept = whole_records(folder)
        done = subprocess.run(own, cwd=ROOT, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        after = whole_records(folder)
        assert len(after) == 4
        assert {run: after[run] for run in kept} == kept


def _workers_of(pid: int) -> list[int]:
    """Processes that joblib has started as workers, but for its own that keep track of them."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            line = (status.parent / "cmdline").read_text()
        except OSError:  # ended meanwhile
            continue
        if parent == pid and "loky" in line and "resource_tracker" not in line:
            found.append(int(status.parent.name))
    return found
