"""Hydra's callback of a multirun: it begins the sweep, and has each job tell how it is."""

import logging
import os
import platform
import sys
import time
from itertools import product
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from synaug.command import recorded
from synaug.command.before_a_sweep import refuse_if_nothing_can_start
from synaug.command.overrides import given
from synaug.errors import UserError
from synaug.files.escaping import wrapped
from synaug.settings import CHANGING_GROUPS, OF_A_METHOD, OPTION_GROUPS
from synaug.sweep import interrupts, launchers, status, sweep
from synaug.sweep.slurm import SlurmQueue
from synaug.sweep.status import SKIPPED, STARTED

log = logging.getLogger(__name__)

WANDB_SETTINGS = ("project", "entity", "init_timeout", "finish_timeout")
NO_REFERENCE = (
    "there is no augmenter=none in this sweep, so its report will have nothing to compare with: "
    "add none to the augmenters (or set report=false)"
)


class AllRecorded(BaseException):
    """Every job of the sweep is recorded already.

    A BaseException, because Hydra turns any Exception of a callback into a warning.
    """


class SweepCallback(Callback):
    """Says after each job of a multirun how far it is, and notes how the job ended.

    Launchers of processes hand this object itself to their workers, on whatever machine: what it knows, they know.
    """

    def __init__(self) -> None:
        self._status_folder: Path | None = None
        self._started = time.monotonic()
        self._place = os.getcwd()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Arrive in a worker: settings may hold relative paths, and Ray's workers start where their node did."""
        self.__dict__.update(state)
        if not os.path.isdir(self._place):
            raise UserError(
                f"{self._place} is not on {platform.node()}: start the sweep in a folder that all nodes share"
            )
        os.chdir(self._place)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Hydra's hook, in the process that was asked for the sweep."""
        folder = Path(config.hydra.sweep.dir)
        self._status_folder = (folder / f".sweep-{platform.node()}-{os.getpid()}").resolve()
        # First of all: what Hydra's callbacks raise becomes a warning, and no failure may go unseen for that.
        running = sweep.Sweep(
            folder, self._status_folder, bool(config.get("report")), config.get("metric"), wandb=wandb_settings(config)
        )
        sweep.begin(running)
        sweep.clear_away(folder)
        make_room(config)
        running.grid = running.whole_grid = jobs_of(config)
        names = {each.partition("=")[0].lstrip("+~") for job in running.grid or [] for each in job}
        # Of a name that nobody knows Hydra says so, and then none of this is the matter.
        known = all("." in name or name in (*OPTION_GROUPS, *CHANGING_GROUPS, *config) for name in names)
        if known and running.grid and running.report and not sweep.has_reference(running.grid, folder):
            sys.stderr.write(wrapped(f"{NO_REFERENCE}\n"))
        if running.grid is not None and not config.force:
            leave_out_recorded(running, config)
        launcher = config.hydra.launcher
        address = OmegaConf.select(launcher, "ray.init.address")
        if (said := launchers.unreachable(str(launcher._target_), address)) is not None:
            sys.exit(said)  # an exception would become a warning
        if running.grid is not None and not running.recorded:  # else there is something to report
            refuse_if_nothing_can_start(running.grid, config)
        if not launcher._target_.endswith("BasicLauncher"):  # whose jobs say it themselves
            launchers.quieten()
            if launcher._target_.endswith("SlurmLauncher"):
                running.queue = SlurmQueue(Path(launcher.submitit_folder).parent)
                os.environ.setdefault("SUBMITIT_LOG_LEVEL", "ERROR")  # else it tells twice a look of missing accounting
            running.progress = status.Progress(
                self._status_folder, running.n_jobs, running.queue, len(running.recorded), running.grid
            )
            running.progress.start()

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Hydra's hook, in the process of the job."""
        sweep.enter(self._status_folder)
        self._started = time.monotonic()
        if self._status_folder is None:
            return
        if sweep.current() is None:
            interrupts.die_by_signals()
        self._tell(self._job(config, STARTED))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Hydra's hook, in the process of the job, after it has said itself what failed (`synaug.command.job`)."""
        if self._status_folder is None or job_return.status is not JobStatus.COMPLETED:
            return
        ended: status.Ended = job_return.return_value
        job = {**self._job(config, ended.how, ended.sentence), "once": round(ended.once, 2)}
        self._tell(job)
        running = sweep.current()
        if running is not None and running.progress is None:
            elapsed = time.monotonic() - running.started
            others = [other for other in running.jobs() if other["number"] != job["number"]]
            told = [*others, job]
            log.info(status.progress_line(told, running.n_jobs, elapsed, len(running.recorded), running.grid))

    def _tell(self, job: dict[str, Any]) -> None:
        assert self._status_folder is not None
        running = sweep.current()
        if running is not None:
            running.told[job["number"]] = job
        status.note(self._status_folder, job)

    def _job(self, config: DictConfig, how: str, sentence: str | None = None) -> dict[str, Any]:
        return {
            "number": int(config.hydra.job.num),
            "run": Path(config.hydra.runtime.output_dir).name,
            "status": how,
            "seconds": round(time.monotonic() - self._started, 2),
            "sentence": sentence,
            "overrides": given(config.hydra),
        }


class OneRunCallback(SweepCallback):
    """Refuses a sweep: whoever asked for this wants one run."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Hydra's hook."""
        asked = " ".join(given(config.hydra))
        sys.exit(
            f"{asked} is a sweep, but synaug.run makes one run: give python -m synaug --multirun {asked}, and read "
            "what it records with synaug.load"
        )


def make_room(config: DictConfig) -> None:
    """Let what the command line gives take the place of what an experiment sweeps over, where both choose the same.

    A method chooses an augmenter and a loss: whichever of the two ways is on the command line goes before the other.
    """
    params = config.hydra.sweeper.get("params") or {}
    keys = {each.partition("=")[0] for each in given(config.hydra) if each != "method=null"}
    if "method" in keys:
        left_out = [key for key in map(str, params) if key.partition(".")[0] in OF_A_METHOD]
    else:
        left_out = [key for key in ("method",) if key in params and keys & set(OF_A_METHOD)]
    if not left_out:
        return
    said = " ".join(f"{key}={params[key]}" for key in left_out)
    sys.stderr.write(wrapped(f"left out of the experiment, as the command line chooses it otherwise: {said}\n"))
    with read_write(config), open_dict(config):
        for key in left_out:
            del config.hydra.sweeper.params[key]


def leave_out_recorded(running: sweep.Sweep, config: DictConfig) -> None:
    """Start no job whose run is seen to be recorded, as far as what is left is a grid.

    Raises
    ------
    AllRecorded
        If no job is left.
    """
    assert running.whole_grid is not None
    runs = recorded.recorded(running.whole_grid, config, running.folder)
    if not runs:
        return
    wanted = [job for place, job in enumerate(running.whole_grid) if place not in runs]
    running.grid = recorded.narrow(config, wanted) if wanted else []
    started = {tuple(job) for job in running.grid}
    running.recorded = [
        {"number": place, "run": run, "status": SKIPPED, "seconds": 0.0, "sentence": None, "overrides": job}
        for place, run in runs.items()
        if tuple(job := running.whole_grid[place]) not in started
    ]
    if running.recorded:
        said = f"{len(running.recorded)} of {running.n_jobs} jobs are already recorded and are not started"
        sys.stderr.write(wrapped(f"{said} (force=true runs them again)\n"))
    if not wanted:
        raise AllRecorded


def wandb_settings(config: DictConfig) -> dict[str, Any] | None:
    """Where the runs of a config are logged to W&B; None if they are not."""
    logger = config.get("logger") or {}
    if logger.get("_target_") != "synaug.tracking.wandb_logger":
        return None
    return {key: logger[key] for key in WANDB_SETTINGS if key in logger}


def jobs_of(config: DictConfig) -> list[list[str]] | None:
    """The overrides of each job of the grid, or None where the sweeper is not Hydra's own."""
    if not config.hydra.sweeper._target_.endswith("BasicSweeper"):
        return None
    return [list(job) for job in product(*recorded.axes(config).values())]
