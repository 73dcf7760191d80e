"""What ends the program from outside, or from within by `sys.exit`: said, with the exit code that a shell expects."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from synaug import record
from synaug.sweep import interrupts
from synaug.sweep.interrupts import Terminated
from tests import toy
from tests.program import TOY, Outcome, Program, run
from tests.thorough import some

CHECKOUT = Path(__file__).parents[1]


def raising(error: BaseException) -> Callable[..., Any]:
    def encode(*_: object, **__: object) -> NDArray[np.float32]:
        raise error

    return encode


def signalled(number: int) -> Callable[..., Any]:
    """An encoder during which the process gets a signal."""

    def encode(*_: object, **__: object) -> NDArray[np.float32]:
        os.kill(os.getpid(), number)
        time.sleep(60)  # until the handler raises
        raise AssertionError("the signal did not arrive")

    return encode


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 1)])
def test_a_run_that_is_asked_to_end_says_so_and_tells_the_shell(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    before = signal.getsignal(number)
    monkeypatch.setattr(toy.HashingEncoder, "encode", signalled(number))
    outcome = program(*TOY, csv)
    assert outcome.code == code
    assert "interrupted; what is recorded is kept, and the same command goes on from there" in outcome.err
    assert "Traceback" not in outcome.err
    assert not program.records()
    assert signal.getsignal(number) == before


def test_a_run_that_is_asked_to_end_while_it_trains_says_so(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("synaug.classifier.Classifier.training_step", step)
    outcome = program(*TOY, csv)
    assert outcome.code == 143
    assert "interrupted; what is recorded is kept" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_sweep_that_is_asked_to_end_tells_what_there_is(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert program("--multirun", *TOY, csv, "augmenter=none").code == 0

    def step(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("synaug.classifier.Classifier.training_step", step)
    outcome = program("--multirun", *TOY, csv, "augmenter=none,smote,random")
    assert outcome.code == 1
    assert "interrupted after 1 of 3 jobs; what is recorded is kept, and the same command does the rest" in outcome.err
    noted = record.sweep_of(program.folder / "multirun" / "default")
    assert [job["status"] for job in noted["jobs"]] == ["skipped"]
    assert len(noted["missing"]) == 2
    assert len(program.records()) == 1


@pytest.mark.parametrize("code", [None, 0, 3, "enough"])
def test_what_calls_sys_exit_in_a_run_has_not_succeeded(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch, code: Any
) -> None:
    monkeypatch.setattr(toy.HashingEncoder, "encode", raising(SystemExit(code)))
    with pytest.raises(RuntimeError, match="something in the run ended the program"):
        program(*TOY, csv)
    outcome = program("--multirun", *TOY, csv, "augmenter=none,smote")
    assert outcome.code == 1
    assert "2 of 2 jobs failed" in outcome.err
    assert not program.records()


def test_an_error_that_an_interruption_became_is_an_interruption(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import that Ctrl-C hits may end in an ImportError, and what C code calls in a SystemError."""

    def hit(*arguments: Any, **more: Any) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise ImportError("cannot import name 'x' from partially initialized module 'y'")  # noqa: B904

    monkeypatch.setattr(toy.HashingEncoder, "encode", hit)
    outcome = program(*TOY, csv)
    assert outcome.code == 1
    assert "interrupted; what is recorded is kept, and the same command goes on from there" in outcome.err
    assert "Traceback" not in outcome.err
    assert not list(program.folder.rglob(record.FAILURE))


def test_what_is_no_exception_ends_a_job_and_not_the_sweep(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Panic(BaseException):
        """As of a library in Rust."""

    monkeypatch.setattr(toy.HashingEncoder, "encode", raising(Panic("index out of bounds")))
    outcome = program("--multirun", *TOY, csv, "augmenter=none,smote")
    assert outcome.code == 1
    assert "2 of 2 jobs failed" in outcome.err
    assert "the run was ended by Panic (index out of bounds)" in outcome.err


def ends_thrice() -> None:
    with interrupts.terminable():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGHUP)


def test_a_second_signal_does_not_interrupt_what_is_still_written() -> None:
    with pytest.raises(Terminated) as raised:
        ends_thrice()
    assert raised.value.exit_code == 143


@pytest.mark.parametrize(("number", "error"), [(signal.SIGTERM, Terminated), (signal.SIGINT, KeyboardInterrupt)])
def test_a_signal_that_a_destructor_hears_is_not_lost(
    number: signal.Signals, error: type[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    class Deaf:
        def __del__(self) -> None:
            signal.raise_signal(number)

    @interrupts.terminable()
    def work() -> None:
        Deaf()
        for _ in range(1000):  # until it is asked again
            time.sleep(0.05)

    before = sys.unraisablehook
    with pytest.raises(error):
        work()
    assert sys.unraisablehook is before
    assert "Traceback" not in capsys.readouterr().err


def test_a_worker_dies_of_a_signal_as_without_a_handler() -> None:
    script = (
        "import os, signal, time\nfrom synaug.sweep import interrupts\ninterrupts.die_by_signals()\n"
        "os.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(60)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, cwd=CHECKOUT)
    assert done.returncode == -signal.SIGTERM


def test_a_recorded_run_is_not_called_failed_when_its_logger_fails(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synaug.tracking.wandb_run.log_result", lambda *_: 1 / 0)
    monkeypatch.setattr("synaug.tracking.wandb_run.finish", lambda *_: sys.exit(0))
    outcome: Outcome = program(*TOY, csv)
    assert outcome.code == 0
    assert "the logger failed (ZeroDivisionError: division by zero); the run does not depend on it" in outcome.err
    assert "the logger failed (SystemExit: 0); the run does not depend on it" in outcome.err
    assert "ZeroDivisionError" in (program.run_folders[0] / "synaug.log").read_text()
    assert len(program.records()) == 1


def test_a_command_leaves_nothing_for_the_next_one_of_its_process(program: Program, csv: str) -> None:
    handlers = {number: signal.getsignal(number) for number in interrupts.ENDING}
    assert run("augmenter=smoet").code == 1
    first = program(*TOY, csv, "n_folds=1")
    again = program(*TOY, csv, "n_folds=1")
    assert (first.code, first.err) == (again.code, again.err)
    assert program(*TOY, csv).code == 0
    assert os.environ.get("HYDRA_FULL_ERROR") is None
    assert {number: signal.getsignal(number) for number in interrupts.ENDING} == handlers


@pytest.mark.parametrize("where", some(["/dev/full", "a pipe that nobody reads", "closed"], 1))
def test_a_console_that_is_gone_does_not_make_a_failure_of_a_recorded_run(tmp_path: Path, csv: str, where: str) -> None:
    settings = [*TOY, csv, f"output_dir={tmp_path / 'multirun'}", f"cache_dir={tmp_path / 'cache'}"]
    command = [sys.executable, "-m", "synaug", *settings]
    reader, writer = os.pipe()
    os.close(reader)
    with open("/dev/full", "w") as full, open(writer, "w") as broken:
        stdout = {"/dev/full": full, "a pipe that nobody reads": broken, "closed": None}[where]
        shell = ["sh", "-c", 'exec "$@" >&-', "sh"] if where == "closed" else []
        done = subprocess.run(
            [*shell, *command], stdout=stdout, stderr=subprocess.PIPE, text=True, cwd=CHECKOUT, check=False
        )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert ("could not be written to the console" in done.stderr) == (where != "closed")
    (folder,) = (path.parent for path in tmp_path.rglob(record.RECORD))
    assert not (folder / record.FAILURE).exists()


# ---- said at once

LONG = """
import ctypes, os, signal, sys, threading, time
from synaug.files.sign_of_life import doing
from synaug.sweep import interrupts

def ask(*numbers):
    for number, seconds in numbers:
        time.sleep(seconds)
        os.kill(os.getpid(), number)

@interrupts.terminable()
def work():
    with doing("training"):
        threading.Thread(target=ask, args={asked}, daemon=True).start()
        # As a library's long product: what Python calls for a signal waits until it returns, and no signal wakes it.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
        ctypes.CDLL(None).sleep({seconds})
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])

try:
    work()
except BaseException as error:
    print(type(error).__name__, file=sys.stderr)
    sys.exit(9)
"""


def long_work(seconds: int, *asked: tuple[int, float]) -> subprocess.CompletedProcess[str]:
    """What a process says and ends with that works in C for some seconds, and is asked to end meanwhile."""
    script = LONG.format(asked=tuple((int(number), after) for number, after in asked), seconds=seconds)
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    return subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, cwd=CHECKOUT, env=environment
    )


@pytest.mark.parametrize(
    ("number", "said", "error"),
    [
        (signal.SIGINT, "Ctrl-C received: synaug is still training", "KeyboardInterrupt"),
        (signal.SIGTERM, "SIGTERM received: synaug is still training", "Terminated"),
        (signal.SIGHUP, "SIGHUP received: synaug is still training", "Terminated"),
    ],
)
def test_a_signal_is_answered_before_the_main_thread_can(number: signal.Signals, said: str, error: str) -> None:
    done = long_work(2, (number, 0.2))
    assert done.returncode == 9
    first, *_, last = done.stderr.splitlines()
    assert first.startswith(said)
    assert "stops it at once" in done.stderr
    assert last == error


@pytest.mark.parametrize(
    ("first", "second"),
    [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT)],
)
def test_a_second_signal_ends_the_process_at_once(first: signal.Signals, second: signal.Signals) -> None:
    done = long_work(3600, (first, 0.1), (second, 2 * interrupts.AT_ONCE_SECONDS))
    assert done.returncode == 128 + second
    assert "again: stopped at once; what is recorded is kept" in done.stderr


def test_one_request_that_comes_twice_is_one() -> None:
    """`timeout` and the like may send a signal to a process, and to its group."""
    done = long_work(2, (signal.SIGTERM, 0.1), (signal.SIGTERM, 0))
    assert done.returncode == 9
    assert done.stderr.splitlines()[-1] == "Terminated"


def test_a_run_says_what_it_was_doing_when_it_was_interrupted(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toy.HashingEncoder, "encode", signalled(signal.SIGINT))
    outcome = program(*TOY, csv)
    said = " ".join(outcome.err.split())
    assert "Ctrl-C received: synaug is still embedding, and stops as soon as it can" in said
    assert "Ctrl-C again stops it at once" in said
    assert said.count("Ctrl-C received") == 1


def test_in_a_notebook_no_second_signal_ends_the_process() -> None:
    raised = []

    @interrupts.terminable(ends_process=False)
    def work() -> None:
        for _ in range(2):
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                raised.append(True)
            time.sleep(1.2 * interrupts.AT_ONCE_SECONDS)

    before = signal.getsignal(signal.SIGINT)
    work()
    assert len(raised) == 2
    assert signal.getsignal(signal.SIGINT) is before


def test_what_ignores_ctrl_c_in_the_background_goes_on_to() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts.terminable():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_c_is_heard_again_after_lightning_has_taken_it_away() -> None:
    with interrupts.terminable():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        interrupts.listen_again()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_block_within_another_is_the_same_to_whoever_presses_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    def within() -> None:
        with interrupts.terminable(ends_process=False):
            signal.raise_signal(signal.SIGINT)

    with interrupts.terminable():
        before = signal.getsignal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            within()
        assert signal.getsignal(signal.SIGINT) == before
    said = " ".join(capsys.readouterr().err.split())
    assert said.count("Ctrl-C received") == 1
    assert "Ctrl-C again stops it at once" in said
