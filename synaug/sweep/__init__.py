"""A multirun as a whole: how far it is, what is missing, and its report at the end."""

import json
import logging
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from synaug import record
from synaug.command import config as configuration
from synaug.errors import UserError, user_sentence
from synaug.escaping import console, say
from synaug.files.atomic import replacing
from synaug.sweep import interrupts, launchers, resume, status
from synaug.sweep.status import DONE, FAILED, SKIPPED, STARTED

log = logging.getLogger(__name__)

WANDB_SETTINGS = ("project", "entity", "init_timeout", "finish_timeout")
NO_REFERENCE = (
    "there is no augmenter=none in this sweep, so its report will have nothing to compare with: "
    "add none to the augmenters (or set report=false)"
)


@dataclass
class Sweep:
    """One multirun of this process.

    Attributes
    ----------
    folder
        Of the experiment.
    status_folder
        Where each job leaves one file; of this sweep alone.
    grid
        The overrides of each job that is started; None where the sweeper decides as it goes.
    whole_grid
        Those that need not be started, too.
    report
        Whether to write a report in the end.
    wandb
        Where its runs are logged to W&B, the settings by which the report goes there, too.
    recorded
        Jobs that were not started, because their runs were seen to be recorded.
    told
        By number, what jobs of this very process told last: it needs no disk.
    """

    folder: Path
    status_folder: Path
    report: bool
    grid: list[list[str]] | None = None
    whole_grid: list[list[str]] | None = None
    wandb: dict[str, Any] | None = None
    started: float = field(default_factory=time.monotonic)
    finished: bool = False
    progress: status.Progress | None = None
    queue: launchers.SlurmQueue | None = None
    recorded: list[dict[str, Any]] = field(default_factory=list)
    told: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def n_jobs(self) -> int | None:
        """None where the sweeper decides as it goes."""
        return None if self.whole_grid is None else len(self.whole_grid)

    def all_told(self) -> list[dict[str, Any]]:
        """What every job that was started told last, in the order of the grid."""
        noted = {job["number"]: job for job in status.noted(self.status_folder)}
        return [job for _, job in sorted((noted | self.told).items())]

    def jobs(self) -> list[dict[str, Any]]:
        """How the jobs that have ended did end, in the order of the grid."""
        return [job for job in self.all_told() if job["status"] != STARTED]


# Set by `SweepCallback`: the sweep in the process that was asked for it, and where its jobs tell in theirs.
_current: Sweep | None = None
_status_folder: Path | None = None


def forget() -> None:
    """Start anew: a process may run several command lines, and one of a sweep's jobs may start another."""
    global _current, _status_folder
    _current = _status_folder = None


def is_job() -> bool:
    """Whether the job of this process, that runs or ran last, is one of a sweep."""
    return _status_folder is not None


class AllRecorded(BaseException):
    """There is nothing left for a sweep to do. No error: Hydra's callbacks would make a warning of one."""


def current() -> Sweep | None:
    """The sweep that this process was asked for, if any."""
    return _current


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
        global _current
        folder = Path(config.hydra.sweep.dir)
        self._status_folder = (folder / f".sweep-{platform.node()}-{os.getpid()}").resolve()
        # First of all: what Hydra's callbacks raise becomes a warning, and no failure may go unseen for that.
        _current = Sweep(folder, self._status_folder, bool(config.get("report")), wandb=wandb_settings(config))
        _clear_away(folder)
        _current.grid = _current.whole_grid = jobs_of(config)
        if _current.grid is not None and _current.report and not has_reference(_current.grid, folder):
            sys.stderr.write(f"{NO_REFERENCE}\n")
        if _current.grid is not None and not config.force:
            _leave_out_recorded(_current, config)
        launcher = config.hydra.launcher
        if (said := launchers.unreachable(launcher)) is not None:
            sys.exit(said)  # an exception would become a warning
        if not launcher._target_.endswith("BasicLauncher"):  # whose jobs say it themselves
            if launcher._target_.endswith("SlurmLauncher"):
                _current.queue = launchers.SlurmQueue(Path(launcher.submitit_folder).parent)
                os.environ.setdefault("SUBMITIT_LOG_LEVEL", "ERROR")  # else it tells twice a look of missing accounting
            _current.progress = status.Progress(
                self._status_folder, _current.n_jobs, _current.queue, len(_current.recorded)
            )
            _current.progress.start()

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Hydra's hook, in the process of the job."""
        global _status_folder
        _status_folder = self._status_folder
        self._started = time.monotonic()
        if _status_folder is None:
            return
        if _current is None:
            interrupts.die_by_signals()
        self._tell(self._job(config, STARTED))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Hydra's hook, in the process of the job, after `synaug.command.app.FailureCallback` has said what failed."""
        if self._status_folder is None:
            return
        if job_return.status is JobStatus.FAILED:
            from synaug.command.app import sentence

            job = self._job(config, FAILED, sentence(job_return._return_value))
            # It is noted. Hydra would end the sweep at the batch's end for it, and print where it came from.
            job_return.status, job_return.return_value = JobStatus.COMPLETED, None
        else:
            ended: status.Ended = job_return.return_value
            job = {**self._job(config, ended.how), "once": round(ended.once, 2)}
        self._tell(job)
        if _current is not None and _current.progress is None:
            elapsed = time.monotonic() - _current.started
            others = [each for each in _current.jobs() if each["number"] != job["number"]]
            log.info(status.progress_line([*others, job], _current.n_jobs, elapsed, len(_current.recorded)))

    def _tell(self, job: dict[str, Any]) -> None:
        assert self._status_folder is not None
        if _current is not None:
            _current.told[job["number"]] = job
        status.note(self._status_folder, job)

    def _job(self, config: DictConfig, how: str, sentence: str | None = None) -> dict[str, Any]:
        return {
            "number": int(config.hydra.job.num),
            "run": Path(config.hydra.runtime.output_dir).name,
            "status": how,
            "seconds": round(time.monotonic() - self._started, 2),
            "sentence": sentence,
            "overrides": configuration.overrides_as_written(config.hydra),
        }


def remember(folder: Path) -> None:
    """Note for later jobs of this sweep that one of them made the run in this folder."""
    if _status_folder is not None:
        with suppress(OSError):  # it would only save a forced sweep from doing one run twice
            (_status_folder / f"{folder.name}.{DONE}").touch()


def did(folder: Path) -> bool:
    """Whether an earlier job of this sweep made the run in this folder; two points of a grid may be one run."""
    return _status_folder is not None and (_status_folder / f"{folder.name}.{DONE}").exists()


def _leave_out_recorded(sweep: Sweep, config: DictConfig) -> None:
    """Start no job whose run is seen to be recorded, as far as what is left is a grid.

    Raises
    ------
    AllRecorded
        If no job is left.
    """
    assert sweep.whole_grid is not None
    runs = resume.recorded(sweep.whole_grid, config, sweep.folder)
    if not runs:
        return
    wanted = [job for place, job in enumerate(sweep.whole_grid) if place not in runs]
    sweep.grid = resume.narrow(config, wanted) if wanted else []
    started = {tuple(job) for job in sweep.grid}
    sweep.recorded = [
        {"number": place, "run": run, "status": SKIPPED, "seconds": 0.0, "sentence": None, "overrides": job}
        for place, run in runs.items()
        if tuple(job := sweep.whole_grid[place]) not in started
    ]
    if sweep.recorded:
        said = f"{len(sweep.recorded)} of {sweep.n_jobs} jobs are already recorded and are not started"
        sys.stderr.write(f"{said} (force=true runs them again)\n")
    if not wanted:
        raise AllRecorded


def _clear_away(folder: Path) -> None:
    """Remove what sweeps of this machine left that were killed, and what an earlier one of this process did."""
    for left in folder.glob(".sweep-*"):
        of_here = re.fullmatch(rf"\.sweep-{re.escape(platform.node())}-(\d+)", left.name)
        if of_here and (int(of_here[1]) == os.getpid() or not _is_alive(int(of_here[1]))):
            shutil.rmtree(left, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def wandb_settings(config: DictConfig) -> dict[str, Any] | None:
    """Where the runs of a config are logged to W&B; None if they are not."""
    logger = config.get("logger") or {}
    if logger.get("_target_") != "synaug.tracking.wandb_logger":
        return None
    return {key: logger[key] for key in WANDB_SETTINGS if key in logger}


def has_reference(grid: Sequence[Sequence[str]], folder: Path) -> bool:
    """Whether some job of a grid, or some run that stands in its folder, augments nothing."""
    idle = any(re.fullmatch(r"augmenter=none|augmenter\.amount=0(\.0*)?", each) for job in grid for each in job)
    return idle or any(folder.glob(f"*-none-*/{record.RECORD}"))


def jobs_of(config: DictConfig) -> list[list[str]] | None:
    """The overrides of each job of the grid, or None where the sweeper is not Hydra's own."""
    if not config.hydra.sweeper._target_.endswith("BasicSweeper"):
        return None
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())  # which a glob asks
    overrides = parser.parse_overrides([*params, *configuration.overrides_as_written(config.hydra)])
    return BasicSweeper.split_arguments(overrides, None)[0]


def finish(sweep: Sweep, interrupted: bool = False) -> bool:
    """End a sweep: name what is missing, note what it wanted, write its report.

    Returns
    -------
    bool
        Whether every job has its record, and the sweep its report if it was to have one.
    """
    sweep.finished = True
    if sweep.progress is not None:
        sweep.progress.stop()
    told = sweep.all_told()
    jobs = [job for job in told if job["status"] != STARTED]
    lost = status.lost(told, sweep.grid, sweep.status_folder)
    failed = [job for job in jobs if job["status"] == FAILED]
    listed = [] if interrupted else lost  # Ctrl-C is why the others are missing
    if failed or listed:
        n_recorded = len(jobs) - len(failed) + len(sweep.recorded)
        table = status.missing_table(failed, listed, n_recorded, n_recorded + len(failed) + len(lost))
        say(f"\n{table}\n", sys.stderr)
    if failed:
        sys.stderr.write(f"Logs: {sweep.folder}/<run>/synaug.log\n")
    # By their places in the whole grid.
    places = {tuple(job): place for place, job in enumerate(sweep.whole_grid or [])}
    jobs = sorted([*sweep.recorded, *({**job, "number": _place(job, places)} for job in jobs)], key=_number)
    lost = [{**job, "number": _place(job, places)} for job in lost]
    with ExitStack() as stack:
        with suppress(OSError):  # without room for a lock, two notes or reports may be written at once: the last stays
            stack.enter_context(status.claim(sweep.folder))  # another sweep may end here at the same time
        if jobs or lost:
            _note(sweep, jobs, lost)
        if not interrupted and sweep.report and jobs:
            return _report(sweep) and not failed and not lost
    return not interrupted and not failed and not lost


def _place(job: Mapping[str, Any], places: Mapping[tuple[str, ...], int]) -> int:
    return places.get(tuple(job["overrides"]), int(job["number"]))


def _number(job: Mapping[str, Any]) -> int:
    return int(job["number"])


def _note(sweep: Sweep, jobs: Sequence[dict[str, Any]], lost: Sequence[dict[str, Any]]) -> None:
    note = {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "n_jobs": sweep.n_jobs,
        "seconds": round(time.monotonic() - sweep.started, 1),
        "runs": [job["run"] for job in jobs],
        "jobs": jobs,
        "missing": lost,
    }
    try:
        with replacing(sweep.folder / record.SWEEP) as file:
            file.write(json.dumps(note, indent=1).encode())
    except OSError as error:
        place = f"{error.filename}: {error.strerror}"
        sys.stderr.write(f"{place}: the sweep's own note is missing; the runs' records are what counts\n")
    shutil.rmtree(sweep.status_folder, ignore_errors=True)


def _report(sweep: Sweep) -> bool:
    """Write the report of all that stands in the sweep's folder; where it cannot be, say so and how to get it."""
    from synaug import report
    from synaug.comparison import compare as comparisons
    from synaug.comparison import evidence as evidences

    try:
        evidence = evidences.read([sweep.folder])
        comparison = comparisons.compare(evidence)
        page = report.write(evidence, comparison, sweep.folder / "report")
    except (UserError, OSError, MemoryError) as error:
        said = user_sentence(error)
        if said is None:
            raise
        sys.stderr.write(console(f"no report: {said}; then: python -m synaug.report {sweep.folder}\n"))
        return False
    say(f"\n{comparison.verdict}\n\nreport: {page}\n")
    if sweep.wandb is not None:
        from synaug.tracking import report as wandb_run

        wandb_run.log_report(evidence, comparison, page.parent, **sweep.wandb)
    return True
