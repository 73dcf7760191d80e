"""A multirun as a whole: how far it is, what failed, and its report at the end."""

import json
import logging
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Sequence
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
from synaug.atomic import replacing

log = logging.getLogger(__name__)

# Names the folder in which jobs tell how they ended, whatever process they run in.
STATUS_FOLDER = "SYNAUG_SWEEP_STATUS"
WANDB_SETTINGS = ("project", "entity", "init_timeout", "finish_timeout")
NO_REFERENCE = (
    "there is no augmenter=none in this sweep, so that its report will have nothing to compare with: "
    "add none to the augmenters (report=false says that you know)"
)
DONE, SKIPPED, FAILED = "done", "skipped", "failed"


@dataclass
class Sweep:
    """One multirun of this process.

    Attributes
    ----------
    folder
        Of the experiment.
    n_jobs
        None where the sweeper decides as it goes.
    report
        Whether to write a report in the end.
    wandb
        Where its runs are logged to W&B, the settings by which the report goes there, too.
    """

    folder: Path
    n_jobs: int | None
    report: bool
    wandb: dict[str, Any] | None = None
    started: float = field(default_factory=time.monotonic)
    finished: bool = False

    @property
    def status_folder(self) -> Path:
        """Where each job leaves one file; of this sweep alone."""
        return Path(os.environ[STATUS_FOLDER])

    def jobs(self) -> list[dict[str, Any]]:
        """How the jobs that have ended did end, in the order of the grid."""
        found = [record.read_json(path) for path in self.status_folder.glob("*.json")]
        return sorted(found, key=lambda job: job["number"])


# Set by `SweepCallback` in the process that was asked for the sweep, and read by `finish` there.
_current: Sweep | None = None


def forget() -> None:
    """Start anew: a process may run several command lines, and one of a sweep's jobs may start another."""
    global _current
    _current = None
    os.environ.pop(STATUS_FOLDER, None)


def current() -> Sweep | None:
    """The sweep that this process was asked for, if any."""
    return _current


class SweepCallback(Callback):
    """Says after each job of a multirun how far it is, and notes how the job ended."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._was_done = False

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Hydra's hook, in the process that was asked for the sweep."""
        global _current
        folder = Path(config.hydra.sweep.dir)
        # First of all: what Hydra's callbacks raise becomes a warning, and no failure may go unseen for that.
        _current = Sweep(folder, None, bool(config.get("report")), wandb_settings(config))
        status = folder / f".sweep-{platform.node()}-{os.getpid()}"
        os.environ[STATUS_FOLDER] = str(status.resolve())
        _clear_away(folder)
        grid = jobs_of(config)
        if grid is not None:
            _current.n_jobs = len(grid)
            if _current.report and not has_reference(grid, folder):
                sys.stderr.write(f"{NO_REFERENCE}\n")

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Hydra's hook, in the process of the job."""
        self._started = time.monotonic()
        folder = Path(config.hydra.runtime.output_dir)
        self._was_done = record.is_done(folder) and (not config.get("force") or did(folder))

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Hydra's hook, in the process of the job, after `synaug.app.FailureCallback` has said what failed."""
        if STATUS_FOLDER not in os.environ:
            return
        folder = Path(config.hydra.runtime.output_dir)
        failed = job_return.status is JobStatus.FAILED
        job = {
            "number": int(config.hydra.job.num),
            "run": folder.name,
            "status": FAILED if failed else SKIPPED if self._was_done else DONE,
            "seconds": round(time.monotonic() - self._started, 2),
            "sentence": _sentence_of(folder, job_return) if failed else None,
            "overrides": list(job_return.overrides or []),
        }
        with replacing(Path(os.environ[STATUS_FOLDER]) / f"{job['number']}.json") as file:
            file.write(json.dumps(job).encode())
        if failed:
            # It is noted. Hydra would end the sweep at the batch's end for it, and print where it came from.
            job_return.status, job_return.return_value = JobStatus.COMPLETED, None
        if _current is not None:  # a launcher with processes of its own prints nothing here
            log.info(progress_line(_current, job))


def _sentence_of(folder: Path, job_return: JobReturn) -> str:
    try:
        return str(record.failure_of(folder)["sentence"])
    except OSError:  # the disk is full, say
        return f"{type(job_return._return_value).__name__}: {job_return._return_value}"


def did(folder: Path) -> bool:
    """Whether an earlier job of this sweep made the run in this folder; two points of a grid may be one run."""
    if STATUS_FOLDER not in os.environ:
        return False
    ended = (record.read_json(path) for path in Path(os.environ[STATUS_FOLDER]).glob("*.json"))
    return any(job["run"] == folder.name and job["status"] == DONE for job in ended)


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
    overrides = parser.parse_overrides([*params, *config.hydra.overrides.task])
    return BasicSweeper.split_arguments(overrides, None)[0]


def progress_line(sweep: Sweep, job: dict[str, Any]) -> str:
    """``[ 3/12] trec-… done in 9 s · 0:01:12 elapsed, about 0:03:40 left``."""
    ended = sweep.jobs()
    elapsed = time.monotonic() - sweep.started
    total = "?" if sweep.n_jobs is None else str(sweep.n_jobs)
    how = f"{job['status']} in {job['seconds']:.0f} s" if job["status"] != SKIPPED else "already recorded"
    line = f"[{len(ended):>{len(total)}}/{total}] {job['run']}: {how} · {clock(elapsed)} elapsed"
    skipped = [each["seconds"] for each in ended if each["status"] == SKIPPED]
    n_worked = len(ended) - len(skipped)
    if sweep.n_jobs is None or not n_worked:
        return line
    # As if none of the others were recorded; what ran at the same time, in other processes, counts in the rate.
    left = (elapsed - sum(skipped)) / n_worked * (sweep.n_jobs - len(ended))
    return f"{line}, about {clock(left)} left"


def clock(seconds: float) -> str:
    """``h:mm:ss``."""
    minutes, second = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{second:02}"


def finish(sweep: Sweep, interrupted: bool = False) -> bool:
    """End a sweep: name its failures, note what it wanted, write its report.

    Returns
    -------
    bool
        Whether every job has its record, and the sweep its report if it was to have one.
    """
    jobs = sweep.jobs()
    sweep.finished = True
    failed = [job for job in jobs if job["status"] == FAILED]
    whole = not failed and not interrupted and (sweep.n_jobs is None or len(jobs) == sweep.n_jobs)
    if failed:
        sys.stderr.write(f"\n{failure_table(jobs, sweep)}\n")
    if jobs:
        _note(sweep, jobs)
    if not interrupted and sweep.report and jobs:
        return _report(sweep) and whole
    return whole


def _note(sweep: Sweep, jobs: Sequence[dict[str, Any]]) -> None:
    note = {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "n_jobs": sweep.n_jobs,
        "seconds": round(time.monotonic() - sweep.started, 1),
        "runs": [job["run"] for job in jobs],
        "jobs": jobs,
    }
    try:
        with replacing(sweep.folder / record.SWEEP) as file:
            file.write(json.dumps(note, indent=1).encode())
    except OSError as error:
        place = f"{error.filename}: {error.strerror}"
        sys.stderr.write(f"{place}: the sweep's own note is missing; the runs' records are what counts\n")
    shutil.rmtree(sweep.status_folder, ignore_errors=True)


def failure_table(jobs: Sequence[dict[str, Any]], sweep: Sweep) -> str:
    """Each failure with its sentence, which is written once, for the console."""
    failed = [job for job in jobs if job["status"] == FAILED]
    total = len(jobs) if sweep.n_jobs is None else sweep.n_jobs
    counts = [f"{len(failed)} of {total} jobs failed", f"{len(jobs) - len(failed)} are recorded"]
    counts += [f"{total - len(jobs)} did not run"] if total > len(jobs) else []
    lines = [f"{', '.join(counts)}; the same command does what is missing:"]
    width, said = max(len(job["run"]) for job in failed), set()
    for job in failed:
        sentence = _one_line(job["sentence"])
        lines.append(f"  {job['run']:<{width}}  {'(the same as above)' if sentence in said else sentence}")
        said.add(sentence)
    lines.append(f"Tracebacks: {sweep.folder}/<run>/synaug.log")
    return "\n".join(lines)


def _one_line(sentence: str) -> str:
    return " ".join(sentence.split())


def _report(sweep: Sweep) -> bool:
    """Write the report of all that stands in the sweep's folder; where it cannot be, say so and how to get it."""
    from synaug import comparison as comparisons
    from synaug import evidence as evidences
    from synaug import report
    from synaug.app import is_the_users

    try:
        evidence = evidences.read([sweep.folder])
        comparison = comparisons.compare(evidence)
        page = report.write(evidence, comparison, sweep.folder / "report")
    except (ValueError, OSError) as error:
        if not is_the_users(error):
            raise
        said = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else error
        sys.stderr.write(f"no report: {said}; then: python -m synaug.report {sweep.folder}\n")
        return False
    sys.stdout.write(f"\n{comparison.verdict}\n\nreport: {page}\n")
    if sweep.wandb is not None:
        from synaug.report import wandb_run

        wandb_run.log_report(evidence, comparison, page.parent, **sweep.wandb)
    return True
