"""Sweeps whose jobs are processes: who does what, what is lost when one is killed, and what is said of it."""

import copy
import errno
import fcntl
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from imblearn.over_sampling.base import BaseOverSampler
from joblib.externals.loky.process_executor import TerminatedWorkerError
from numpy.typing import NDArray
from submitit.core.utils import FailedJobError

from synaug import record
from synaug.command.callbacks import SweepCallback
from synaug.comparison.load import load
from synaug.embeddings.cache import CHUNK_ROWS
from synaug.settings import conf_dir
from synaug.sweep import launchers, status
from synaug.sweep.run_lock import claim
from synaug.sweep.slurm import SlurmQueue
from tests import toy
from tests.program import TOY, Program
from tests.thorough import some

CHECKOUT = Path(__file__).parents[1]


class CountingEncoder(toy.HashingEncoder):
    """Writes down which process encoded what, and how many threads each process has."""

    def __init__(self, dim: int, folder: str) -> None:
        super().__init__(dim)
        self.folder = Path(folder)

    def identity(self) -> dict[str, Any]:
        import torch

        with (self.folder / "processes.txt").open("a") as file:
            file.write(f"{os.getpid()} {torch.get_num_threads()}\n")
        return super().identity()

    def encode(
        self, texts: Sequence[str], progress: Callable[[int], object] = lambda done: None
    ) -> NDArray[np.float32]:
        with (self.folder / "encoded.txt").open("a") as file:
            file.write("".join(f"{text}\n" for text in texts))
        return super().encode(texts, progress)


class Faulty(toy.NoisyCopies):
    """A sampler with a fault of the program."""

    def _fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        raise KeyError("nowhere")


class Deadly(toy.NoisyCopies):
    """A sampler that the system kills the first time, once the run beside it is recorded."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        *,
        sampling_strategy: Any = "auto",
        random_state: Any = None,
        noise: float = 0.1,
        folder: str = "",
        how: str = "SIGKILL",
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy, random_state=random_state, noise=noise)
        self.folder = folder
        self.how = how

    def _fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        once = Path(self.folder) / "killed"
        if not once.exists():
            while not list(Path(self.folder).glob("multirun/*/*-none-*/record.json")):
                time.sleep(0.02)
            once.touch()
            os.kill(os.getpid(), getattr(signal, self.how))
            time.sleep(60)
        return super()._fit_resample(X, y)


assert issubclass(Deadly, BaseOverSampler)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    options = {
        "encoder/toy.yaml": f"_target_: tests.test_launchers.CountingEncoder\ndim: 32\nfolder: {tmp_path}\n",
        "augmenter/faulty.yaml": "_target_: tests.test_launchers.Faulty\n",
        "augmenter/deadly.yaml": f"_target_: tests.test_launchers.Deadly\nfolder: {tmp_path}\n",
    }
    for name, text in options.items():
        path = tmp_path / "conf" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# for tests\n{text}")
    return Program(tmp_path)


def settings(program: Program, n_per_class: int = 60) -> list[str]:
    csv = toy.write_csv(program.folder / "mine.csv", *toy.texts(n_per_class))
    return ["--multirun", f"--config-dir={program.folder / 'conf'}", *TOY[1:], f"dataset.path={csv}"]


def note(program: Program) -> dict[str, Any]:
    found = json.loads((program.folder / "multirun" / "default" / record.SWEEP).read_text())
    assert isinstance(found, dict)
    return found


def numbers(jobs: Sequence[dict[str, Any]], *how: str | None) -> set[int]:
    return {job["number"] for job in jobs if job["status"] in how}


def progress(err: str) -> list[str]:
    return [line[:5] for line in err.splitlines() if re.match(r"\[\d/\d\] ", line)]


def launcher(*overrides: str) -> Any:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return compose("config", overrides=list(overrides), return_hydra_config=True).hydra.launcher


@pytest.mark.parametrize(
    ("overrides", "asked", "expected"),
    [([], None, 8), (["threads=2"], None, 4), (["threads=3"], None, 2), (["threads=16"], None, 1), ([], "4", 2)],
)
def test_processes_times_threads_fill_the_cores_and_no_more(
    monkeypatch: pytest.MonkeyPatch, overrides: list[str], asked: str | None, expected: int
) -> None:
    monkeypatch.setattr(launchers, "cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if asked is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert launcher("hydra/launcher=cores", *overrides).n_jobs == expected


def test_cores_are_those_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert launchers.cores() == 1


def test_a_slurm_job_gets_as_many_cores_as_it_has_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert launcher("hydra/launcher=slurm").cpus_per_task == 1
    chosen = launcher("hydra/launcher=slurm", "threads=3")
    assert chosen.cpus_per_task == 3
    assert list(chosen.setup) == ["export OMP_NUM_THREADS=3"]


def test_processes_share_the_work_and_tell_what_failed(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS")  # as with most users; joblib gives each process its share
    monkeypatch.chdir(CHECKOUT)
    grid = ["augmenter=none,smote,faulty", "imbalance_ratio.ratio=5.0,5000.0"]
    outcome = program(*settings(program, CHUNK_ROWS), *grid, "hydra/launcher=cores")
    assert outcome.code == 1
    jobs = note(program)["jobs"]
    assert [job["status"] for job in jobs] == ["done", "failed", "done", "failed", "failed", "failed"]
    assert progress(outcome.err) == [f"[{n}/6]" for n in range(1, 7)]
    table = outcome.err[
        outcome.err.index("4 of 6 jobs failed, 2 are recorded; the same command tries the missing ones again") :
    ]
    assert table.count("imbalance_ratio.ratio=5000.0 leaves class 'trade' no training row") == 1
    assert "KeyError: 'nowhere' (the log beside failure.json has the traceback)" in table
    (faulty,) = (path for path in program.run_folders if "-ir5-faulty-" in path.name)
    assert "Traceback (most recent call last)" in (faulty / "synaug.log").read_text()
    encoded = Counter((program.folder / "encoded.txt").read_text().splitlines())
    assert len(encoded) == 2 * CHUNK_ROWS
    assert set(encoded.values()) == {1}
    seen = {tuple(map(int, line.split())) for line in (program.folder / "processes.txt").read_text().splitlines()}
    assert os.getpid() not in {pid for pid, _ in seen} or launchers.cores() == 1
    assert sum(threads for _, threads in seen) <= launchers.cores()
    scores = load(program.folder / "multirun")
    assert scores["run"].nunique() == 2
    assert not scores.duplicated(["run", "seed", "fold", "decision", "metric", "class"]).any()


def test_a_killed_process_loses_nothing_recorded_and_the_same_command_does_the_rest(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CHECKOUT)
    arguments = [*settings(program), "augmenter=none,deadly,smote,random", "hydra/launcher=cores"]
    first = program(*arguments, "hydra.launcher.n_jobs=2")
    assert first.code == 1
    assert "Traceback" not in first.err
    assert first.err.count("a process of the sweep died without a word, and joblib ended the others") == 1
    told = note(program)
    done, died, never = (
        numbers(told["jobs"], "done"),
        numbers(told["missing"], "started"),
        numbers(told["missing"], None),
    )
    assert (0 in done, 1 in died) == (True, True)
    assert (done | died | never, len(done) + len(died) + len(never)) == ({0, 1, 2, 3}, 4)
    assert re.search(
        r"\d of 4 jobs died, .*\d (is|are) recorded; the same command tries the missing ones again:", first.err
    )
    assert re.search(r"files-toy-ir5-deadly-plain-mlp-nested-\w+ +died while it ran: was it killed", first.err)
    kept = {path: path.stat().st_mtime_ns for path in program.folder.rglob(record.RECORD)}
    assert len(kept) >= len(done)
    again = program(*arguments, "hydra.launcher.n_jobs=2")
    assert again.code == 0
    assert numbers(note(program)["jobs"], "done", "skipped") == {0, 1, 2, 3}
    assert done <= numbers(note(program)["jobs"], "skipped")
    assert note(program)["missing"] == []
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())


def test_jobs_of_submitit_tell_their_sweep(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CHECKOUT)
    arguments = [*settings(program), "augmenter=none,smote", "hydra/launcher=submitit_local"]
    outcome = program(*arguments, "imbalance_ratio.ratio=5.0")
    assert outcome.code == 0, outcome.err
    assert progress(outcome.err) == ["[1/2]", "[2/2]"]
    assert numbers(note(program)["jobs"], "done") == {0, 1}
    assert len(program.records()) == 2
    assert not list(program.folder.rglob(".sweep-*"))


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="needs an environment without Ray")
def test_a_missing_plugin_is_named_with_what_brings_it(program: Program) -> None:
    for option in ("ray", "ray_cluster"):
        outcome = program(*settings(program), "augmenter=none,smote", f"hydra/launcher={option}")
        assert outcome.code == 1
        assert "needs a plugin that is not installed: pip install 'synaug[ray]'" in outcome.err
        assert "Traceback" not in outcome.err
    assert program.run_folders == []


def test_a_machine_without_slurm_is_told_in_one_sentence_and_what_did_not_run(
    program: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = program(*settings(program), "augmenter=none,smote", "hydra/launcher=slurm")
    assert outcome.code == 1
    assert outcome.err.startswith("there is no SLURM here (srun is not found)")
    assert "2 of 2 jobs did not run, 0 are recorded; the same command tries the missing ones again:" in outcome.err
    assert re.search(r"\n  augmenter=smote +\(the same as above\)\n", outcome.err)
    assert "Traceback" not in outcome.err


def test_a_job_arrives_in_the_folder_in_which_the_sweep_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    monkeypatch.chdir(here)
    callback = SweepCallback()
    os.chdir(there)
    copy.copy(callback)  # as unpickling does
    assert Path.cwd() == here
    os.chdir(there)
    here.rmdir()
    with pytest.raises(ValueError, match=r"here is not on .*: start the sweep in a folder that all nodes share"):
        copy.copy(callback)


def test_a_ray_cluster_that_does_not_answer_is_told_at_once() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        told = launchers.unreachable("RayLauncher", address)
        assert told is not None
        assert told.startswith(f"no Ray cluster answers ({address}: [Errno 111] Connection refused): start one with")
        nobody.listen()
        assert launchers.unreachable("RayLauncher", address) is None
    for local in ("auto", None, "local"):
        assert launchers.unreachable("RayLauncher", local) is None
    assert launchers.unreachable("JoblibLauncher", None) is None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TerminatedWorkerError("x"), "a process of the sweep died"),
        (ConnectionError("nobody at 10.0.0.1"), "no Ray cluster answers (nobody at 10.0.0.1): start one with `ray"),
        (
            FailedJobError("sbatch: error: invalid partition\nbatch job failed"),
            "SLURM did not take the jobs (sbatch: er",
        ),
    ],
)
def test_what_a_launcher_raises_becomes_a_sentence_with_the_remedy(
    error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))
    sentence = launchers.sentence(error)
    assert sentence is not None
    assert sentence.startswith(said)
    assert "\n" not in sentence


def test_an_error_that_is_no_launcher_s_keeps_its_traceback() -> None:
    for error in (ValueError("shapes (3,) and (4,)"), RuntimeError("sbatch"), ConnectionError("refused")):
        assert launchers.sentence(error) is None


@pytest.mark.parametrize("how", some(["SIGTERM", "SIGKILL"], 1))
def test_a_worker_that_gets_a_signal_does_not_end_its_sweep_in_silence(
    program: Program, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.chdir(CHECKOUT)
    option = program.folder / "conf" / "augmenter" / "deadly.yaml"
    option.write_text(f"# for tests\n_target_: tests.test_launchers.Deadly\nfolder: {program.folder}\nhow: {how}\n")
    arguments = [*settings(program), "augmenter=none,deadly", "hydra/launcher=cores", "hydra.launcher.n_jobs=2"]
    outcome = program(*arguments)
    assert outcome.code == 1
    assert "a process of the sweep died without a word, and joblib ended the others" in outcome.err
    assert "1 of 2 jobs died, 1 is recorded" in outcome.err
    assert [job["status"] for job in note(program)["jobs"]] == ["done"]


def test_a_claimed_run_is_waited_for(tmp_path: Path) -> None:
    entered = threading.Event()

    def enter() -> None:
        with claim(tmp_path / "run"):
            entered.set()

    with claim(tmp_path / "run"):
        other = threading.Thread(target=enter)
        other.start()
        assert not entered.wait(0.3)
        with claim(tmp_path / "another run"):
            pass
    assert entered.wait(300)
    other.join()


def test_a_claim_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    holding = (
        "import sys, time\nfrom pathlib import Path\nfrom synaug.sweep.run_lock import claim\n"
        "with claim(Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holding, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=CHECKOUT
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        process.kill()
    with claim(tmp_path):  # else this waits until the test's time is over
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_where_there_are_no_locks_nobody_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    entered = []
    with claim(tmp_path):
        entered.append("first")
        with claim(tmp_path):
            entered.append("second")
    assert entered == ["first", "second"]


def test_a_lock_that_fails_otherwise_is_no_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match="Input/output error"), claim(tmp_path):
        pass


@pytest.mark.parametrize(
    ("script", "empty"),
    [
        ("echo 7_1 all synaug", False),
        ("true", True),
        ("echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1", True),
        ("echo 'Unable to contact slurm controller' >&2; exit 1", False),
    ],
)
def test_the_queue_is_empty_only_where_slurm_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, empty: bool
) -> None:
    (tmp_path / "jobs" / "6_0").mkdir(parents=True)  # of an earlier sweep
    queue = SlurmQueue(tmp_path / "jobs")
    squeue = tmp_path / "squeue"
    squeue.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n{script}\n')
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert not queue.is_empty()  # nothing was handed over yet
    for name in ("7", "7_0", "7_1", "8_0"):
        (tmp_path / "jobs" / name).mkdir()
    assert queue.is_empty() is empty
    assert (tmp_path / "asked").read_text().split() == ["--noheader", "--jobs=7,8"]


def wait_for_ever(watcher: threading.Thread) -> None:
    watcher.start()
    while True:  # one long sleep would not be interrupted
        time.sleep(0.05)


@pytest.fixture(params=[signal.default_int_handler, signal.SIG_IGN], ids=["heard", "ignored"])
def interrupted(request: pytest.FixtureRequest) -> Iterator[object]:
    """What Ctrl-C does in this process."""
    before = signal.signal(signal.SIGINT, request.param)
    yield request.param
    signal.signal(signal.SIGINT, before)


def test_jobs_that_slurm_forgot_end_the_wait_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: object
) -> None:
    class Empty(SlurmQueue):
        def is_empty(self) -> bool:
            return True

    monkeypatch.setattr(status, "QUEUE_SECONDS", 0.1)
    monkeypatch.setattr(status, "PAUSE_SECONDS", 0.05)
    watcher = status.Progress(tmp_path, 1, Empty(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        wait_for_ever(watcher)
    assert watcher.gave_up
    watcher.stop()
    assert signal.getsignal(signal.SIGINT) is interrupted
    status.note(tmp_path, {"number": 0, "status": "done", "run": "a-run", "seconds": 1.0})
    ended = status.Progress(tmp_path, 1, Empty(tmp_path))
    ended.start()
    time.sleep(0.5)
    ended.stop()
    assert not ended.gave_up
