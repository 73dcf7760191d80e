"""What a sweep is, which one this process does, and how it ends: what is missing, its note and its report."""

import json
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synaug import record
from synaug.errors import UserError, user_sentence
from synaug.files.atomic import replacing
from synaug.files.escaping import say, wrapped
from synaug.files.sign_of_life import busy
from synaug.sweep import status
from synaug.sweep.run_lock import claim
from synaug.sweep.slurm import SlurmQueue
from synaug.sweep.status import DONE, FAILED, STARTED


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
    metric
        What its verdict speaks of; None for the default.
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
    metric: str | None = None
    grid: list[list[str]] | None = None
    whole_grid: list[list[str]] | None = None
    wandb: dict[str, Any] | None = None
    started: float = field(default_factory=time.monotonic)
    finished: bool = False
    progress: status.Progress | None = None
    queue: SlurmQueue | None = None
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


# The sweep in the process that was asked for it, and where its jobs tell in theirs.
_current: Sweep | None = None
_status_folder: Path | None = None


def begin(sweep: Sweep) -> None:
    """Make it the sweep that this process was asked for."""
    global _current
    _current = sweep


def enter(status_folder: Path | None) -> None:
    """Begin a job, in whatever process: where it tells how it is; None for one that belongs to no sweep."""
    global _status_folder
    _status_folder = status_folder


def forget() -> None:
    """Start anew: a process may run several command lines, and one of a sweep's jobs may start another."""
    global _current, _status_folder
    _current = _status_folder = None


@contextmanager
def set_aside() -> Iterator[None]:
    """Keep the sweep whose job runs another command within, and go on with it afterwards."""
    global _current, _status_folder
    outer = _current, _status_folder
    try:
        yield
    finally:
        _current, _status_folder = outer


def is_job() -> bool:
    """Whether the job of this process, that runs or ran last, is one of a sweep."""
    return _status_folder is not None


def current() -> Sweep | None:
    """The sweep that this process was asked for, if any."""
    return _current


def remember(folder: Path) -> None:
    """Note for later jobs of this sweep that one of them made the run in this folder."""
    if _status_folder is not None:
        with suppress(OSError):  # it would only save a forced sweep from doing one run twice
            (_status_folder / f"{folder.name}.{DONE}").touch()


def did(folder: Path) -> bool:
    """Whether an earlier job of this sweep made the run in this folder; two points of a grid may be one run."""
    return _status_folder is not None and (_status_folder / f"{folder.name}.{DONE}").exists()


def clear_away(folder: Path) -> None:
    """Remove what sweeps of this machine left that were killed, and what an earlier one of this process did."""
    for left in folder.glob(".sweep-*"):
        of_here = re.fullmatch(rf"\.sweep-{re.escape(platform.node())}-(\d+)", left.name)
        if of_here and (int(of_here[1]) == os.getpid() or not _is_alive(int(of_here[1]))):
            shutil.rmtree(left, ignore_errors=True)


def _is_alive(pid: int) -> bool:
    """Whether a process may still be there; True where asking would end it, as on Windows."""
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def has_reference(grid: Sequence[Sequence[str]], folder: Path) -> bool:
    """Whether some job of a grid, or some run that stands in its folder, augments nothing."""
    idle = any(
        re.fullmatch(r"(augmenter|method)=none|augmenter\.amount=0(\.0*)?", override)
        for job in grid
        for override in job
    )
    return idle or any(map(_is_idle, folder.glob(f"*/{record.RECORD}")))


def _is_idle(path: Path) -> bool:
    """Whether a run that stands there augments nothing."""
    with suppress(UserError):  # no sound record
        return record.is_idle(record.read(path.parent)["config"]["augmenter"])
    return False


def finish(sweep: Sweep, interrupted: bool = False) -> bool:
    """End a sweep: name what is missing, note what it wanted, and write its report where any run is recorded.

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
        say(wrapped(f"\n{table}\n"), sys.stderr)
    if failed:
        sys.stderr.write(f"Logs: {sweep.folder}/<run>/synaug.log\n")
    # By their places in the whole grid.
    places = {tuple(job): place for place, job in enumerate(sweep.whole_grid or [])}
    jobs = sorted([*sweep.recorded, *({**job, "number": _place(job, places)} for job in jobs)], key=_number)
    lost = [{**job, "number": _place(job, places)} for job in lost]
    with ExitStack() as stack:
        with suppress(OSError):  # without room for a lock, two notes or reports may be written at once: the last stays
            stack.enter_context(claim(sweep.folder))  # another sweep may end here at the same time
        if jobs or lost:
            _note(sweep, jobs, lost)
        if not interrupted and sweep.report and _has_records(sweep.folder):
            return _report(sweep) and not failed and not lost
    return not interrupted and not failed and not lost


def _has_records(folder: Path) -> bool:
    """Whether there is something to report; the table of what is missing has said why there is not."""
    return any(folder.glob(f"*/{record.RECORD}"))


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
        said = f"{place}: sweep.json could not be written; the runs' records are not affected"
        sys.stderr.write(wrapped(f"{said}\n"))
    shutil.rmtree(sweep.status_folder, ignore_errors=True)


def _report(sweep: Sweep) -> bool:
    """Write the report of all that stands in the sweep's folder; where it cannot be, say so and how to get it."""
    from synaug import report
    from synaug.comparison import compare as comparisons
    from synaug.comparison import evidence as evidences

    try:
        with busy("comparing the runs"):
            evidence = evidences.read([sweep.folder])
            comparison = comparisons.compare(evidence, sweep.metric and [sweep.metric])
        with busy("drawing figures and writing the page"):
            page = report.write(evidence, comparison, sweep.folder / "report")
    except (UserError, OSError, MemoryError) as error:
        said = user_sentence(error)
        if said is None:
            raise
        sys.stderr.write(wrapped(f"no report: {said}; then: synaug report {sweep.folder}\n"))
        return False
    say(f"\n{comparison.verdict}\n\nreport: {page}\n")
    if sweep.wandb is not None:
        from synaug.tracking import wandb_report

        wandb_report.log_report(evidence, comparison, page.parent, **sweep.wandb)
    return True
