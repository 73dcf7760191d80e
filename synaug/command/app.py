"""Hydra's entrance, and the way out for errors: one sentence for what the user can mend, a traceback for the rest."""

import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import NoReturn

import hydra
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from synaug import record
from synaug.command import arguments, folders
from synaug.command.arguments import Arguments
from synaug.command.before_a_sweep import NothingCanStartError
from synaug.command.callbacks import AllRecorded
from synaug.command.check.command_line import check_command_line, check_flags
from synaug.command.explain import explained
from synaug.command.job import Attempt, Job, task
from synaug.command.overrides import as_written
from synaug.command.process import as_before
from synaug.errors import INTERRUPTED, UserError
from synaug.files.escaping import make_console_safe, say, wrapped
from synaug.settings import conf_dir
from synaug.sweep import interrupts, launchers, sweep
from synaug.sweep.interrupts import Terminated
from synaug.sweep.status import DONE

folders.register_resolvers()
OmegaConf.register_new_resolver("synaug.processes", launchers.processes, replace=True)
OmegaConf.register_new_resolver("synaug.threads", launchers.threads, replace=True)

FULL_ERROR = "HYDRA_FULL_ERROR"


def main(words: Sequence[str] | None = None, job: Job = task, first: Sequence[str] = ()) -> int:
    """Run a command line, and return 0; exit with 1 where a job failed.

    Parameters
    ----------
    words
        The command line without the program's name; the process's own if not given.
    job
        What each job does.
    first
        Overrides that stand before the user's, which win.
    """
    make_console_safe()
    given = arguments.parsed(sys.argv[1:] if words is None else words)
    attempt = Attempt(job)
    try:
        with interrupts.terminable(), as_before():
            if words is not None:
                sys.argv = [*sys.argv[:1], *words]  # what a sweep notes as its command
            _perform_and_finish(given, attempt, first)
    except (KeyboardInterrupt, Terminated) as late:  # while the process was put back
        _interrupted(late)
    except Exception as error:
        behind = interrupts.behind(error)
        if behind is None:
            raise
        if isinstance(
            error.__context__, SystemExit
        ):  # the interruption has been told, and only the putting back failed
            raise error.__context__ from None
        _interrupted(behind)
    return 0


def _perform_and_finish(given: Arguments, attempt: Attempt, first: Sequence[str]) -> None:
    """Do what a command line asks for, to its last sentence; leave by SystemExit where something was amiss."""
    full = os.environ.get(FULL_ERROR) == "1"
    try:
        given = with_texts_quoted(given)
        perform(given, attempt, first)
        running = sweep.current()
        if running is not None:
            if not sweep.finish(running):
                sys.exit(1)
        elif attempt.job is task and attempt.ended is not None and attempt.ended.how == DONE:
            _summarise(attempt)
    except (KeyboardInterrupt, Terminated) as interruption:
        _interrupted(interruption)
    except SystemExit as stop:
        behind = interrupts.behind(stop)
        if behind is not None:
            _interrupted(behind)
        running = sweep.current()
        if running is not None and not running.finished:  # e.g. what a worker of a launcher was ended by
            died = f"a job of the sweep ended its process: {launchers.REST}"
            _launcher_failed(running, stop.code if isinstance(stop.code, str) else died)
        raise
    except Exception as error:
        behind = interrupts.behind(error)
        if behind is not None:
            _interrupted(behind)
        _failed(error, given, attempt, full)
        raise


def with_texts_quoted(given: Arguments) -> Arguments:
    """A command line as Hydra is to read it."""
    return replace(given, overrides=tuple(as_written(given.overrides, given.config_dir, several=given.multirun)))


def perform(given: Arguments, attempt: Attempt, first: Sequence[str] = ()) -> None:
    """Have Hydra do what a command line asks for.

    Raises
    ------
    UserError
        If the command line cannot be, or no job of a sweep can start.
    Exception
        What Hydra could not do; or what the job failed with, where it is one alone.
    """
    sweep.forget()
    # Hydra's entrance adds the caller's folder and reads these; both belong to this call alone.
    entrance = hydra.main(config_path=str(conf_dir()), config_name="config", version_base="1.3")
    with _handed_to_hydra([*first, *given.overrides, *given.flags]):
        check_flags(given.flags, given.overrides)
        check_command_line(given.overrides, given.config_dir)
        try:
            with suppress(AllRecorded):
                entrance(attempt)()
        except NothingCanStartError as refusal:
            sweep.forget()  # it has not begun
            raise UserError(str(refusal)) from None
    if sweep.current() is None and attempt.error is not None:
        raise attempt.error


@contextmanager
def _handed_to_hydra(words: Sequence[str]) -> Iterator[None]:
    """Have Hydra read this command line, all settings in one place, and hand errors on instead of printing its own."""
    command, full = sys.argv, os.environ.get(FULL_ERROR)
    sys.argv, os.environ[FULL_ERROR] = [*(command[:1] or ["synaug"]), *words], "1"
    try:
        yield
    finally:
        sys.argv = command
        if full is None:
            del os.environ[FULL_ERROR]
        else:
            os.environ[FULL_ERROR] = full


def _summarise(attempt: Attempt) -> None:
    """Print the scores of a single run; a sweep's report has them all."""
    from synaug.scores.summary import summary

    assert attempt.folder is not None
    recorded = record.read(attempt.folder)
    said = f"{attempt.folder.name}\n{summary(recorded)}\n\nrecord: {attempt.folder / record.RECORD}"
    say(wrapped(f"\n{said}\n"))


def _failed(error: Exception, given: Arguments, attempt: Attempt, full: bool) -> None:
    """Leave with one sentence for what the user can mend; return for a fault, after a sweep has told what there is."""
    running = sweep.current()
    said = explained(error, given, of_a_job=error is attempt.error)
    if running is not None and not running.finished:
        if full or said is None:
            traceback.print_exception(error)
        _launcher_failed(running, said or f"{type(error).__name__}: {error}")
    if said is None or full:
        return
    if error is not attempt.error:  # else the job has said it
        sys.stderr.write(wrapped(f"{said}\n"))
    of_hydra: list[type[Exception]] = [] if error is attempt.error else [ValueError]  # raised for a wrong option
    mistakes: tuple[type[Exception], ...] = (UserError, HydraException, OmegaConfBaseException, *of_hydra)
    if not isinstance(error, mistakes):  # a full disk, say; where a setting is wrong, the sentence is all there is
        sys.stderr.write(f"{FULL_ERROR}=1 shows the traceback.\n")
    sys.exit(1)


def _interrupted(interruption: KeyboardInterrupt | Terminated) -> NoReturn:
    running = sweep.current()
    if running is None:
        sys.stderr.write(f"{INTERRUPTED}\n")
        sys.exit(interruption.exit_code if isinstance(interruption, Terminated) else 1)
    if running.finished:
        again = f"synaug report {running.folder}"
        sys.exit(wrapped(f"interrupted while the report was written; the runs are recorded ({again} writes it)"))
    if running.progress is not None and running.progress.gave_up:
        _launcher_failed(
            running, f"SLURM runs nothing more of this sweep, but some of its jobs never ended: {launchers.REST}"
        )
    ended = len(running.jobs()) + len(running.recorded)
    of = "" if running.n_jobs is None else f" of {running.n_jobs}"
    sweep.finish(running, interrupted=True)
    then = f" (synaug report {running.folder} compares what there is)" if ended else ""
    if running.queue is not None and running.queue.numbers:
        then += f"; what SLURM has of it goes on unless you scancel {running.queue.numbers}"
    rest = f"what is recorded is kept, and the same command does the rest{then}"
    sys.exit(wrapped(f"interrupted after {ended}{of} jobs; {rest}"))


def _launcher_failed(running: sweep.Sweep, said: str) -> NoReturn:
    sys.stderr.write(wrapped(f"{said}\n"))
    launchers.stop()
    if running.queue is not None:
        running.queue.outlast()
    sweep.finish(running)
    sys.exit(1)
