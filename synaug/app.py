"""Hydra's entrance, and the way out for errors: one sentence for what the user can mend."""

import gc
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import (
    CompactHydraException,
    ConfigCompositionException,
    OverrideParseException,
    SearchPathException,
)
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from synaug import check, launchers, record, status, sweep
from synaug import config as configuration
from synaug.atomic import NAMELESS
from synaug.errors import is_out_of_memory

log = logging.getLogger(__name__)

configuration.register_resolvers()
OmegaConf.register_new_resolver("synaug.processes", launchers.processes, replace=True)
OmegaConf.register_new_resolver("synaug.threads", launchers.threads, replace=True)

INTERRUPTED = "interrupted; what is recorded is kept, and the same command goes on from there"


def task(config: DictConfig) -> str:
    """One job; how it ended. What it needs is imported here, so that --help and completion stay quick."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    with ExitStack() as stack:
        if config.force or not record.is_done(folder):
            stack.enter_context(status.claim(folder))  # another sweep may be at this very run, here or elsewhere
        if record.is_done(folder) and (not config.force or sweep.did(folder)):
            log.info("already recorded, skipped (force=true runs it again): %s", folder)
            return status.SKIPPED
        check.check(config)
        identity = configuration.identity(config)
        with _without_collecting():
            from synaug.run import run

        run(config, folder, identity)
        sweep.remember(folder)
        return status.DONE


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Look for no garbage among what is imported, which is none: a fifth of the imports' time went into that."""
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


class FailureCallback(Callback):
    """Says of each job that failed why it did: on the console, in its log, and in its ``failure.json``."""

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Hydra's hook; here, because a launcher of processes hands the error on without its traceback."""
        if job_return.status is not JobStatus.FAILED:
            return
        error: BaseException = job_return._return_value
        folder = Path(config.hydra.runtime.output_dir)
        said = sentence(error)
        log.error("%s: %s", folder.name, said, exc_info=error)
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


def main(job: Callable[[DictConfig], str] = task) -> None:
    """Run the command line, `job` for each of its jobs; exit with 1 where one failed."""
    arguments = get_args_parser().parse_args()
    sys.argv[1:] = configuration.as_written(sys.argv[1:], arguments.config_dir)
    arguments = get_args_parser().parse_args()
    if arguments.help:  # Hydra's own would compose the config, list groups without their lines, and take a second
        sys.stdout.write(f"{configuration.help_text(arguments.config_dir)}\n")
        return
    sweep.forget()
    full = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # so that Hydra hands errors on instead of printing its own
    entrance = hydra.main(config_path=str(configuration.conf_dir()), config_name="config", version_base="1.3")(job)
    try:
        check.check_sweep(arguments.overrides, arguments.config_dir)
        entrance()
        running = sweep.current()
        if running is not None and not sweep.finish(running):
            sys.exit(1)
    except KeyboardInterrupt:
        _interrupted()
    except SystemExit as stop:
        if isinstance(stop.__context__, KeyboardInterrupt):  # what Lightning makes of Ctrl-C
            _interrupted()
        raise
    except launchers.errors() as error:
        running = sweep.current()
        if running is not None and not running.finished and (_is_of_the_disk(error) or launchers.raised(error)):
            if full:
                traceback.print_exception(error)
            _launcher_failed(running, sentence(error) if _is_of_the_disk(error) else launchers.sentence(error))
        if full or not is_the_users(error):
            raise
        from_a_job = any(frame.name == "return_value" for frame in traceback.extract_tb(error.__traceback__))
        if not from_a_job:  # FailureCallback has said those
            sys.stderr.write(f"{sentence(error)}\n")
        sys.stderr.write("HYDRA_FULL_ERROR=1 shows the traceback.\n")
        sys.exit(1)


def _interrupted() -> NoReturn:
    running = sweep.current()
    if running is None:
        sys.exit(INTERRUPTED)
    if running.finished:
        again = f"python -m synaug.report {running.folder}"
        sys.exit(f"interrupted while the report was written; the runs are recorded ({again} writes it)")
    if running.progress is not None and running.progress.gave_up:
        _launcher_failed(running, f"SLURM has nothing more of this sweep, but not all of it ended: {launchers.REST}")
    ended, of = len(running.jobs()), "" if running.n_jobs is None else f" of {running.n_jobs}"
    sweep.finish(running, interrupted=True)
    then = f" (python -m synaug.report {running.folder} compares what there is)" if ended else ""
    if running.queue is not None and running.queue.numbers:
        then += f"; what SLURM has of it goes on unless you scancel {running.queue.numbers}"
    sys.exit(f"interrupted after {ended}{of} jobs; what is recorded is kept, and the same command does the rest{then}")


def _launcher_failed(running: sweep.Sweep, sentence: str) -> NoReturn:
    sys.stderr.write(f"{sentence}\n")
    launchers.stop()
    if running.queue is not None:
        running.queue.outlast()
    sweep.finish(running)
    sys.exit(1)


def is_the_users(error: BaseException) -> bool:
    """Whether an error is a sentence of ours (or of Hydra's, or about a folder), not a fault of the program."""
    if isinstance(error, CompactHydraException):
        return True
    if isinstance(error, OSError) and error.filename is not None:
        return True
    if _is_of_the_disk(error) or is_out_of_memory(error):
        return True
    if not isinstance(error, (ValueError, OSError, ImportError)):
        return False
    return _raised_in(error, Path(__file__).parent) or _raised_in(error, Path(hydra.__file__).parent)


def _is_of_the_disk(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno in NAMELESS


def _output_folder() -> str:
    if (running := sweep.current()) is not None:
        return str(running.folder)
    given = [each for each in get_args_parser().parse_args().overrides if each.startswith("output_dir=")]
    return given[-1].partition("=")[2] if given else "multirun"


def _raised_in(error: BaseException, folder: Path) -> bool:
    return Path(traceback.extract_tb(error.__traceback__)[-1].filename).is_relative_to(folder)


def sentence(error: BaseException) -> str:
    """What an error means to the user."""
    if isinstance(error, OverrideParseException) and "=" not in error.override:
        return f"{error.override} is no setting: write key=value or group=option (--help lists them)"
    if isinstance(error, OverrideParseException):
        return (
            f"{error.override} cannot be parsed ({error.message.splitlines()[0]}): quote it for the shell and for Hydra"
        )
    if (without := launchers.missing_plugin(error)) is not None:
        return without
    if is_out_of_memory(error):
        first = (str(error).strip() or "it says no more").splitlines()[0]
        return (
            f"out of memory ({first}): give fewer seeds or n_folds, dataset.max_per_class=..., "
            "or, to a sweep of processes, hydra.launcher.n_jobs=1"
        )
    if isinstance(error, OSError) and (error.filename is not None or _is_of_the_disk(error)):
        room = "make room there, or " if error.errno in (EDQUOT, ENOSPC) else ""
        # Without a name it is what Hydra writes, which goes to the run's folder.
        place = error.filename or _output_folder()
        return f"{place}: {error.strerror}: {room}choose another place with output_dir=... or cache_dir=..."
    if isinstance(error, SearchPathException):
        return f"{error}: give an existing folder"
    # Hydra raises a plain ValueError where an option is no text, as in imbalance_ratio=10.
    if isinstance(error, ConfigCompositionException) or _raised_in(error, Path(hydra.__file__).parent):
        arguments = get_args_parser().parse_args()
        problems = check.override_problems(arguments.overrides, arguments.config_dir)
        if problems:
            return "\n".join(problems)
    if isinstance(error, CompactHydraException):
        return f"{error}" if error.__cause__ is None else f"{error} ({error.__cause__})"
    if is_the_users(error):
        return str(error)
    return f"{type(error).__name__}: {error} (the log beside {record.FAILURE} has the traceback)"
