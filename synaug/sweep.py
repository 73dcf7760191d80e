"""A multirun as a whole: how far it is, what failed, and its report at the end."""

import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf

from synaug import record
from synaug.atomic import replacing

log = logging.getLogger(__name__)

# Names the folder in which jobs tell how they ended, whatever process they run in.
STATUS_FOLDER = "SYNAUG_SWEEP_STATUS"
WANDB_SETTINGS = ("project", "entity", "init_timeout", "finish_timeout")
DONE, SKIPPED, FAILED = "done", "skipped", "failed"


class JobFailedError(Exception):
    """Stands in a sweep for whatever a job raised, which its log has: it crosses processes, and is caught by name."""


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
    logger
        The config of the runs' logger; a sweep logged to W&B has its report logged there, too.
    """

    folder: Path
    n_jobs: int | None
    report: bool
    logger: dict[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

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
        status = folder / f".sweep-{os.getpid()}-{time.time_ns():x}"
        os.environ[STATUS_FOLDER] = str(status.resolve())
        logger = OmegaConf.to_container(config.logger) if OmegaConf.is_dict(config.logger) else {}
        _current = Sweep(folder, n_jobs(config), bool(config.report), logger)  # type: ignore[arg-type]

    def on_job_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Hydra's hook, in the process of the job."""
        self._started = time.monotonic()
        self._was_done = record.is_done(Path(config.hydra.runtime.output_dir)) and not config.get("force")

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **kwargs: Any) -> None:
        """Hydra's hook, in the process of the job, after `synaug.app.FailureCallback` has said what failed."""
        if STATUS_FOLDER not in os.environ:
            return
        folder = Path(config.hydra.runtime.output_dir)
        failure = record.failure_of(folder) if job_return.status.name == "FAILED" else None
        job = {
            "number": int(config.hydra.job.num),
            "run": folder.name,
            "status": FAILED if failure is not None else SKIPPED if self._was_done else DONE,
            "seconds": round(time.monotonic() - self._started, 2),
            "sentence": None if failure is None else failure["sentence"],
            "overrides": list(job_return.overrides or []),
        }
        with replacing(Path(os.environ[STATUS_FOLDER]) / f"{job['number']}.json") as file:
            file.write(json.dumps(job).encode())
        if failure is not None:
            job_return.return_value = JobFailedError(failure["sentence"])
        if _current is not None:  # a launcher with processes of its own prints nothing here
            log.info(progress_line(_current, job))


def n_jobs(config: DictConfig) -> int | None:
    """Jobs of the grid, or None where the sweeper is not Hydra's own."""
    if not config.hydra.sweeper._target_.endswith("BasicSweeper"):
        return None
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    overrides = OverridesParser.create().parse_overrides([*params, *config.hydra.overrides.task])
    return len(BasicSweeper.split_arguments(overrides, None)[0])


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
    """End a sweep: note what it wanted, name its failures, write its report.

    Returns
    -------
    bool
        Whether every job has its record.
    """
    jobs = sweep.jobs()
    failed = [job for job in jobs if job["status"] == FAILED]
    whole = not failed and not interrupted and (sweep.n_jobs is None or len(jobs) == sweep.n_jobs)
    if jobs:
        _note(sweep, jobs)
    if failed:
        sys.stderr.write(f"\n{failure_table(failed, sweep)}\n")
    if not interrupted and sweep.report and jobs:
        _report(sweep)
    return whole


def _note(sweep: Sweep, jobs: Sequence[dict[str, Any]]) -> None:
    note = {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "n_jobs": sweep.n_jobs,
        "seconds": round(time.monotonic() - sweep.started, 1),
        "runs": [job["run"] for job in jobs],
        "jobs": jobs,
    }
    with replacing(sweep.folder / record.SWEEP) as file:
        file.write(json.dumps(note, indent=1).encode())
    for path in [*sweep.status_folder.glob("*"), sweep.status_folder]:
        path.unlink() if path.is_file() else path.rmdir()


def failure_table(failed: Sequence[dict[str, Any]], sweep: Sweep) -> str:
    """Each failure with its sentence, for the console."""
    width = max(len(job["run"]) for job in failed)
    of = f" of {sweep.n_jobs}" if sweep.n_jobs is not None else ""
    lines = [f"{len(failed)}{of} jobs failed; the others are recorded, and the same command tries these again:"]
    lines += [f"  {job['run']:<{width}}  {_one_line(job['sentence'])}" for job in failed]
    lines.append(f"Tracebacks: {sweep.folder}/<run>/synaug.log")
    return "\n".join(lines)


def _one_line(sentence: str) -> str:
    return " ".join(sentence.split())


def _report(sweep: Sweep) -> None:
    """Write the report of all that stands in the sweep's folder; where it cannot be, say so and how to get it."""
    from synaug import comparison as comparisons
    from synaug import evidence as evidences
    from synaug import report

    try:
        evidence = evidences.read([sweep.folder])
        comparison = comparisons.compare(evidence)
        page = report.write(evidence, comparison, sweep.folder / "report")
    except (ValueError, OSError) as error:
        sys.stderr.write(f"no report: {error}; then: python -m synaug.report {sweep.folder}\n")
        return
    sys.stdout.write(f"\n{comparison.verdict}\n\nreport: {page}\n")
    if sweep.logger.get("_target_") == "synaug.tracking.wandb_logger":
        from synaug import tracking

        settings = {key: sweep.logger[key] for key in WANDB_SETTINGS if key in sweep.logger}
        tracking.log_report(evidence, comparison, page.parent, **settings)
