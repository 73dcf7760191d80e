"""One job of Hydra's: the run that a config asks for, and what is said and kept where it fails."""

import logging
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from synaug import record
from synaug.command import folders
from synaug.command.check.parts import check_parts
from synaug.command.check.settings import check_settings
from synaug.command.overrides import given, is_of_seeds
from synaug.command.process import freeze
from synaug.command.recorded import configs_sha256
from synaug.errors import UserError, user_sentence
from synaug.files import garbage_collection
from synaug.files.escaping import console
from synaug.files.sign_of_life import busy
from synaug.record.cost import Cost
from synaug.sweep import interrupts, sweep
from synaug.sweep.interrupts import Terminated
from synaug.sweep.run_lock import claim
from synaug.sweep.status import DONE, FAILED, SKIPPED, Ended

log = logging.getLogger(__name__)

Job = Callable[[DictConfig], Ended]


def task(config: DictConfig) -> Ended:
    """Make the run, or skip it. What it needs is imported here, so that --help and completion stay quick."""
    hydra = HydraConfig.get()
    folder = Path(hydra.runtime.output_dir)
    # Also of a run that is recorded: settings that do not decide its numbers may be wrong, too.
    with garbage_collection.paused():  # parts of the user's own may import much
        reference = check_settings(config)
    named = folders.identified(config)
    with ExitStack() as stack:
        plan = plan_of(config, folder, named.identity)
        if plan.compute:
            stack.enter_context(claim(folder))  # another sweep may be at this very run, here or elsewhere
            plan = plan_of(config, folder, named.identity)
        if not plan.compute:
            log.info("already recorded, skipped (force=true runs it again): %s", folder)
            return Ended(SKIPPED)
        if (folder / record.RECORD).is_dir():  # no file can take its place: not to be found out after the training
            raise UserError(f"{folder / record.RECORD} is a folder, where the run's record is to stand: remove it")
        if plan.remark is not None:
            log.log(logging.INFO if plan.extends else logging.WARNING, "%s: %s", folder, plan.remark)
        started = time.monotonic()
        with busy("importing what a run needs"), garbage_collection.paused():  # a fifth of the time that imports take
            check_parts(config, reference)
            from synaug.pipeline import Asked, run

            freeze()  # before garbage is looked for again, or all of it is looked through once
        imports = time.monotonic() - started
        of_hydra = OmegaConf.create({"hydra": hydra})
        asked = Asked(
            identity=named.identity,
            sources=named.sources,
            choices=folders.run_choices(config, hydra.runtime.choices),
            overrides=with_seeds(given(hydra), config.seeds, plan.holds),
            configs_sha256=configs_sha256(of_hydra),
            plan=plan,
            is_first=OmegaConf.select(of_hydra, "hydra.job.num", default=0) == 0,  # a single run has none
        )
        cost = Cost()
        run(config, folder, asked, cost)
        sweep.remember(folder)
        return Ended(DONE, once=imports + cost.seconds["embed"])


def plan_of(config: DictConfig, folder: Path, identity: str) -> record.Plan:
    """Which of the run's seeds are to be computed; a forced sweep makes each run once, however many jobs are it."""
    return record.plan(folder, identity, config.seeds, force=config.force and not sweep.did(folder))


def with_seeds(overrides: Sequence[str], asked: Sequence[int], held: Sequence[int]) -> list[str]:
    """The settings that lead to the whole record: as given, or with all of its seeds where others were recorded."""
    if sorted(asked) == sorted(held):
        return list(overrides)
    others = [override for override in overrides if not is_of_seeds(override)]
    return [*others, f"seeds=[{','.join(map(str, held))}]"]


class Attempt:
    """A job as Hydra is given it: it ends by returning or by an interruption, never by an error or `sys.exit`.

    Hydra takes a SystemExit for the end of the whole program, and its code for the program's own; whatever else is no
    Exception ends a sweep unseen. Lightning answers Ctrl-C and signals by one; a library, or a sampler of the user's,
    may call `sys.exit` at any time. Of an error Hydra's launchers of processes hand on no traceback, so it is said
    here: on the console, in the job's log, and in its ``failure.json``.

    Parameters
    ----------
    job
        What is done.
    says
        Whether the console is told why a job failed; whoever raises its error has told it then.

    Attributes
    ----------
    folder, ended, error
        Of the last job in this very process: its folder, how it ended, and the error that it failed with.
    """

    def __init__(self, job: Job, *, says: bool = True) -> None:
        self.job = job
        self.says = says
        self.folder: Path | None = None
        self.ended: Ended | None = None
        self.error: Exception | None = None
        self._shown: set[str] = set()  # tracebacks

    def __call__(self, config: DictConfig) -> Ended:
        """Do the job."""
        self.folder = Path(HydraConfig.get().runtime.output_dir)
        self.error = None
        try:
            self.ended = self._done(config)
        except Exception as error:
            self.error = error
            said = sentence(error)
            level = logging.ERROR if self.says else logging.DEBUG  # which the log has, and the console leaves out
            log.log(level, "%s: %s", self.folder.name, said, exc_info=error)
            if sweep.is_job() and user_sentence(error) is None:
                self._show_once(error)
            keep(self.folder, error, said, folders.wanted(config, HydraConfig.get().runtime.choices))
            self.ended = Ended(FAILED, sentence=said)
        return self.ended

    def _done(self, config: DictConfig) -> Ended:
        try:
            return self.job(config)
        except (KeyboardInterrupt, Terminated):
            raise
        except BaseException as error:
            interruption = interrupts.behind(error)
            if interruption is not None:
                interrupts.listen_again()
                raise interruption from error
            if isinstance(error, Exception):
                raise
            if isinstance(error, SystemExit):
                said = f"something in the run ended the program (sys.exit({error.code!r}))"
            else:  # a panic of a library in Rust, asyncio's CancelledError: Hydra would not note it
                said = f"the run was ended by {type(error).__name__} ({error})"
            raise RuntimeError(said) from error

    def _show_once(self, error: BaseException) -> None:
        """Show a traceback on the console, for all jobs of a sweep that fail alike only the first time."""
        text = "".join(traceback.format_exception(error))
        if text not in self._shown:
            self._shown.add(text)
            sys.stderr.write(console(text))


def sentence(error: BaseException) -> str:
    """What to say of an error in one line; of a fault of the program, where its traceback stands."""
    said = user_sentence(error)
    at = f"the log beside {record.FAILURE} has the traceback"
    return said if said is not None else f"{type(error).__name__}: {error} ({at})"


def keep(folder: Path, error: Exception, said: str, wanted: Mapping[str, Any]) -> None:
    """Write an error into the folder of the run that failed by it, with what the run was to be."""
    failure = {
        **wanted,
        "sentence": said,
        "error": str(error),
        "type": type(error).__name__,
        "traceback": "".join(traceback.format_exception(error)),
        "overrides": given(HydraConfig.get()),
    }
    try:
        record.write_failure(folder, failure)
    except OSError:  # the disk is full, say; what an earlier try left would be read as this one's
        with suppress(OSError):
            (folder / record.FAILURE).unlink(missing_ok=True)
