"""Hydra's entrance, and the way out for errors: one sentence for what the user can mend, a traceback for the rest."""

import gc
import logging
import os
import re
import sys
import time
import traceback
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import (
    CompactHydraException,
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
    SearchPathException,
)
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from synaug import record, sweep
from synaug.command import check
from synaug.command import config as configuration
from synaug.errors import UserError, user_sentence
from synaug.escaping import console, make_console_safe, say
from synaug.sweep import interrupts, launchers, status
from synaug.sweep.interrupts import Terminated
from synaug.sweep.status import Ended

log = logging.getLogger(__name__)

configuration.register_resolvers()
OmegaConf.register_new_resolver("synaug.processes", launchers.processes, replace=True)
OmegaConf.register_new_resolver("synaug.threads", launchers.threads, replace=True)

INTERRUPTED = "interrupted; what is recorded is kept, and the same command goes on from there"
FULL_ERROR = "HYDRA_FULL_ERROR"
# How Hydra begins where some options of a sweep lack a setting. `+key=...`, which it goes on to advise, helps none.
NOT_OF_ALL = re.compile(r"Could not override '(\w+\.[\w.]+)'")

Job = Callable[[DictConfig], Ended]
# What `FailureCallback` has said last in this process, which must not be said again on the way out.
_said: Exception | None = None
_shown: set[str] = set()  # tracebacks


def task(config: DictConfig) -> Ended:
    """One job; how it ended. What it needs is imported here, so that --help and completion stay quick."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    # Also of a run that is recorded: settings that do not decide its numbers may be wrong, too.
    reference = check.check_settings(config)
    sources = configuration.scientific_sources(config)
    identity = configuration.identity(config, sources)
    with ExitStack() as stack:
        problem = record.problem(folder, identity)
        if config.force or problem is not None:
            stack.enter_context(status.claim(folder))  # another sweep may be at this very run, here or elsewhere
            problem = record.problem(folder, identity)
        if problem is None and (not config.force or sweep.did(folder)):
            log.info("already recorded, skipped (force=true runs it again): %s", folder)
            return Ended(status.SKIPPED)
        if (folder / record.RECORD).is_dir():  # no file can take its place: not to be found out after the training
            raise UserError(f"{folder / record.RECORD} is a folder, where the run's record is to stand: remove it")
        if problem is not None and os.path.lexists(folder / record.RECORD):
            log.warning("%s: %s: the run is made again", folder, problem)
        started = time.monotonic()
        with _without_collecting():
            check.check_parts(config, reference)
            from synaug.pipeline import Asked, run
            from synaug.scores.summary import summary

        imports = time.monotonic() - started
        hydra_config = HydraConfig.get()
        asked = Asked(
            identity=identity,
            sources=sources,
            choices=configuration.run_choices(config, hydra_config.runtime.choices),
            overrides=configuration.overrides_as_written(hydra_config),
            configs_sha256=sweep.resume.configs_sha256(OmegaConf.create({"hydra": hydra_config})),
        )
        recorded = run(config, folder, asked)
        sweep.remember(folder)
        if not sweep.is_job():  # a sweep's report has them all
            say(f"\n{folder.name}\n{summary(recorded)}\n\nrecord: {folder / record.RECORD}\n")
        return Ended(status.DONE, once=imports + recorded["cost"]["seconds"]["embed"])


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Look for no garbage among what is imported, which is none: a fifth of the imports' time went into that."""
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def ending(job: Job) -> Job:
    """A job that ends by returning, by an error, or by an interruption, but never by `sys.exit`.

    Hydra takes a SystemExit for the end of the whole program, and its code for the program's own; whatever else is no
    Exception ends a sweep unseen. Lightning answers
    Ctrl-C and signals by one; a library, or a sampler of the user's, may call `sys.exit` at any time.
    """

    def ended(config: DictConfig) -> Ended:
        try:
            return job(config)
        except SystemExit as stop:
            interruption = interrupts.behind(stop)
            if interruption is not None:
                raise interruption from stop
            raise RuntimeError(f"something in the run ended the program (sys.exit({stop.code!r}))") from stop
        except (Exception, KeyboardInterrupt, Terminated):
            raise
        except (
            BaseException
        ) as error:  # a panic of a library in Rust, asyncio's CancelledError: Hydra would not note it
            raise RuntimeError(f"the run was ended by {type(error).__name__} ({error})") from error

    return ended


class FailureCallback(Callback):
    """Says of each job that failed why it did: on the console, in its log, and in its ``failure.json``."""

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Hydra's hook; here, because a launcher of processes hands the error on without its traceback."""
        global _said
        if job_return.status is not JobStatus.FAILED:
            return
        error: Exception = job_return._return_value
        folder = Path(config.hydra.runtime.output_dir)
        said = sentence(error)
        log.error("%s: %s", folder.name, said, exc_info=error)
        _said = error
        if sweep.is_job():
            if user_sentence(error) is None:
                _show_once(error)
        else:  # `main` raises it. Hydra would do so, too, after a line that repeats the whole command.
            job_return.status, job_return.return_value = JobStatus.COMPLETED, None
        failure = {
            "sentence": said,
            "error": str(error),
            "type": type(error).__name__,
            "traceback": "".join(traceback.format_exception(error)),
            "overrides": list(job_return.overrides or []),
        }
        try:
            record.write_failure(folder, failure)
        except OSError:  # the disk is full, say; what an earlier try left would be read as this one's
            with suppress(OSError):
                (folder / record.FAILURE).unlink(missing_ok=True)


def _show_once(error: BaseException) -> None:
    """Show a traceback on the console, for all jobs of a sweep that fail alike only the first time."""
    text = "".join(traceback.format_exception(error))
    if text not in _shown:
        _shown.add(text)
        sys.stderr.write(console(text))


def sentence(error: BaseException) -> str:
    """What to say of an error in one line; of a fault of the program, where its traceback stands."""
    said = user_sentence(error)
    at = f"the log beside {record.FAILURE} has the traceback"
    return said if said is not None else f"{type(error).__name__}: {error} ({at})"


def main(job: Job = task) -> None:
    """Run the command line, `job` for each of its jobs; exit with 1 where one failed."""
    global _said
    make_console_safe()
    _shown.clear()
    arguments = get_args_parser().parse_intermixed_args()  # settings before, between and behind the flags
    if arguments.help:  # Hydra's own would compose the config, list groups without their lines, and take a second
        sys.stdout.write(f"{configuration.help_text(arguments.config_dir)}\n")
        return
    sweep.forget()
    _said = None
    full = os.environ.get(FULL_ERROR) == "1"
    # Hydra's entrance adds the caller's folder and reads these; both belong to this call alone.
    entrance = hydra.main(config_path=str(configuration.conf_dir()), config_name="config", version_base="1.3")
    try:
        with interrupts.terminable(), _errors_handed_on(), _as_written(arguments):
            check.check_sweep(arguments.overrides, arguments.config_dir)
            with suppress(sweep.AllRecorded):
                entrance(ending(job))()
            running = sweep.current()
            if running is None and _said is not None:
                raise _said
            if running is not None and not sweep.finish(running):
                sys.exit(1)
    except (KeyboardInterrupt, Terminated) as interruption:
        _interrupted(interruption)
    except SystemExit as stop:
        behind = interrupts.behind(stop)
        if behind is not None:
            _interrupted(behind)
        running = sweep.current()
        if running is not None and not running.finished:  # e.g. what a worker of a launcher was ended by
            why = stop.code if isinstance(stop.code, str) else f"a job of the sweep ended its process: {launchers.REST}"
            _launcher_failed(running, why)
        raise
    except Exception as error:
        _failed(error, arguments, full)
        raise


@contextmanager
def _errors_handed_on() -> Iterator[None]:
    """Have Hydra hand errors on instead of printing its own."""
    before = os.environ.get(FULL_ERROR)
    os.environ[FULL_ERROR] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[FULL_ERROR]
        else:
            os.environ[FULL_ERROR] = before


@contextmanager
def _as_written(arguments: Namespace) -> Iterator[None]:
    """Have Hydra read text where text is wanted, though what the user wrote looks like a number."""
    before = sys.argv
    flags = before[1:]
    for each in arguments.overrides:
        flags.remove(each)
    arguments.overrides = configuration.as_written(
        arguments.overrides, arguments.config_dir, several=arguments.multirun
    )
    sys.argv = [before[0], *arguments.overrides, *flags]  # Hydra's parser wants all settings in one place
    try:
        yield
    finally:
        sys.argv = before


def _failed(error: Exception, arguments: Namespace, full: bool) -> None:
    """Leave with one sentence for what the user can mend; return for a fault, after a sweep has told what there is."""
    running = sweep.current()
    # What Hydra writes goes to the run's folder; what it says of a config that is not there is an OSError, too.
    if isinstance(error, OSError) and error.filename is None and not isinstance(error, HydraException):
        error.filename = _output_folder(arguments)
    said = launchers.sentence(error) if running is not None else None
    said = said or user_sentence(error) or _of_hydra(error, arguments)
    if running is not None and not running.finished:
        if full or said is None:
            traceback.print_exception(error)
        _launcher_failed(running, said or f"{type(error).__name__}: {error}")
    if said is None or full:
        return
    if error is not _said:  # else `FailureCallback` has said it
        sys.stderr.write(console(f"{said}\n"))
    sys.stderr.write(f"{FULL_ERROR}=1 shows the traceback.\n")
    sys.exit(1)


def _output_folder(arguments: Namespace) -> str:
    if (running := sweep.current()) is not None:
        return str(running.folder)
    given = [each for each in arguments.overrides if each.startswith("output_dir=")]
    return given[-1].partition("=")[2] if given else "multirun"


def _interrupted(interruption: KeyboardInterrupt | Terminated) -> NoReturn:
    running = sweep.current()
    if running is None:
        sys.stderr.write(f"{INTERRUPTED}\n")
        sys.exit(interruption.exit_code if isinstance(interruption, Terminated) else 1)
    if running.finished:
        again = f"python -m synaug.report {running.folder}"
        sys.exit(f"interrupted while the report was written; the runs are recorded ({again} writes it)")
    if running.progress is not None and running.progress.gave_up:
        _launcher_failed(
            running, f"SLURM runs nothing more of this sweep, but some of its jobs never ended: {launchers.REST}"
        )
    ended = len(running.jobs()) + len(running.recorded)
    of = "" if running.n_jobs is None else f" of {running.n_jobs}"
    sweep.finish(running, interrupted=True)
    then = f" (python -m synaug.report {running.folder} compares what there is)" if ended else ""
    if running.queue is not None and running.queue.numbers:
        then += f"; what SLURM has of it goes on unless you scancel {running.queue.numbers}"
    sys.exit(f"interrupted after {ended}{of} jobs; what is recorded is kept, and the same command does the rest{then}")


def _launcher_failed(running: sweep.Sweep, said: str) -> NoReturn:
    sys.stderr.write(console(f"{said}\n"))
    launchers.stop()
    if running.queue is not None:
        running.queue.outlast()
    sweep.finish(running)
    sys.exit(1)


def _of_hydra(error: Exception, arguments: Namespace) -> str | None:
    """What Hydra could not do with the command line; None for any other error. Not for jobs: it composes."""
    if isinstance(error, OverrideParseException) and "=" not in error.override:
        return f"{error.override} is no setting: write key=value or group=option (--help lists them)"
    if isinstance(error, OverrideParseException):
        key, _, value = error.override.partition("=")
        if not re.fullmatch(r"[~+]*[\w./@-]+", key):
            return f"{error.override} cannot be read, for {key!r} is no name of a setting: write key=value"
        quoted = '["..."]' if value.startswith("[") else '"..."'
        return (
            f"{error.override} cannot be read: put what is text between two kinds of quotes, one for the shell and one "
            f"for Hydra, as in '{key}={quoted}'"
        )
    if (without := launchers.missing_plugin(error)) is not None:
        return without
    if isinstance(error, SearchPathException):
        return f"{error}: give an existing folder"
    if isinstance(error, ConfigCompositionException) and "Ambiguous value" in str(error):
        several = next((each for each in arguments.overrides if f"'{each}'" in str(error)), "a setting")
        key, _, value = several.partition("=")
        return (
            f"{several} names several values, but this is one run: add --multirun for a run of each, or give one"
            f""" (a list is '{key}=[{value}]', a text with a comma '{key}="{value}"')"""
        )
    # Hydra raises a plain ValueError where an option is no text, as in imbalance_ratio=10.
    if error is not _said and isinstance(error, HydraException | OmegaConfBaseException | ValueError):
        try:
            problems = check.override_problems(arguments.overrides, arguments.config_dir)
        except CompactHydraException:  # of a file that an option builds on: the same again
            problems = []
        if problems:
            return "\n".join(problems)
    found = NOT_OF_ALL.match(str(error)) if isinstance(error, CompactHydraException) else None
    if found is not None and (group := found[1].partition(".")[0]) in configuration.GROUPS:
        key = found[1]
        return (
            f"{key} is a setting of some options of {group} in this sweep, but not of all: leave it out here, and give "
            f"the option that has it a second command with the same name=... (--multirun {group}=... {key}=...); the "
            "report then compares both"
        )
    if isinstance(error, MissingConfigException):
        return f"{str(error).splitlines()[0].rstrip('.')}: choose one that there is (--help lists them)"
    if isinstance(error, CompactHydraException):
        said = [_first_sentence(each) for each in (error, error.__cause__) if each is not None]
        return said[0] if len(said) == 1 else f"{said[0]} ({said[1]})"
    return None


def _first_sentence(error: BaseException) -> str:
    """What an error of Hydra's says, without the lines that tell where in its own objects that was."""
    lines = str(error).split("\n")
    return " ".join(line.strip() for line in lines if line.strip() and not line.startswith(("\t", "    ")))
