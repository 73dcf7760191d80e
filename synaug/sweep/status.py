"""How a sweep's jobs tell each other and their sweep where they are: files in one folder, whatever runs the jobs."""

import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from synaug import record
from synaug.errors import UserError
from synaug.files.atomic import replacing
from synaug.files.escaping import wrapped
from synaug.files.sign_of_life import doing
from synaug.sweep import interrupts
from synaug.sweep.forecast import seconds_left
from synaug.sweep.slurm import QUEUE_SECONDS, SlurmQueue

log = logging.getLogger(__name__)

DONE, SKIPPED, FAILED = "done", "skipped", "failed"
STARTED = "started"  # and, once nothing runs any more, died
PAUSE_SECONDS = 0.5
NO_ROOM = "did not say how it ended, as the disk is full: make room there"


def note(folder: Path, job: dict[str, Any]) -> None:
    """Tell how a job is: one file a job, which the next replaces; where there is no room for it, the sweep goes on."""
    try:
        with replacing(folder / f"{job['number']}.json") as file:
            file.write(json.dumps(job).encode())
    except OSError as error:
        log.debug("not told (%s): %s", error, job)


def noted(folder: Path) -> list[dict[str, Any]]:
    """What the jobs told last, in the order of the grid."""
    jobs = []
    for path in folder.glob("*.json"):
        with suppress(FileNotFoundError, UserError):  # replaced or removed just now, on a disk that nodes share
            jobs.append(record.read_json(path))
    return sorted(jobs, key=lambda job: job["number"])


@dataclass(frozen=True)
class Ended:
    """How a job ended.

    Attributes
    ----------
    how
        DONE, SKIPPED or FAILED.
    once
        How many of its seconds (imports, texts embedded) the next job will not need.
    sentence
        Why it failed.
    """

    how: str
    once: float = 0.0
    sentence: str | None = None


class Progress(threading.Thread):
    """Says in the process of the sweep what jobs of other processes told, as they tell it.

    Parameters
    ----------
    folder
        Where the jobs tell.
    n_jobs
        None where it is not known.
    queue
        SLURM's, where the jobs went there: should it be empty though jobs have not ended, they never will, and the
        main thread, which may wait for them for ever, is interrupted.
    n_recorded
        Jobs of these that were not started, because they were seen to be recorded.
    grid
        As of `progress_line`.
    """

    def __init__(
        self,
        folder: Path,
        n_jobs: int | None,
        queue: SlurmQueue | None = None,
        n_recorded: int = 0,
        grid: Sequence[Sequence[str]] | None = None,
    ) -> None:
        super().__init__(daemon=True, name="synaug-progress")
        self.folder = folder
        self.n_jobs = n_jobs
        self.queue = queue
        self.n_recorded = n_recorded
        self.grid = grid
        self.gave_up = False
        self._started_at = time.monotonic()
        self._said: list[dict[str, Any]] = []
        self._over = threading.Event()
        self._ignores_interrupts = False
        self._noted = ExitStack()

    def start(self) -> None:
        """Start to look."""
        # A shell's script has what it starts in the background ignore Ctrl-C, and Python then our own interrupt, too.
        if self.queue is not None and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            self._ignores_interrupts = True
            signal.signal(signal.SIGINT, self._interrupt)
        self._noted.enter_context(doing("waiting for the jobs of the sweep"))
        super().start()

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self.gave_up:
            raise KeyboardInterrupt

    def run(self) -> None:
        """Look, until `stop`."""
        looked, empty = time.monotonic(), False
        while not self._over.wait(PAUSE_SECONDS):
            self.say()
            if self.queue is None or time.monotonic() - looked < QUEUE_SECONDS:
                continue
            before, empty, looked = empty, self.queue.is_empty(), time.monotonic()
            # Twice, because a shared folder may show late what a job wrote last.
            if before and empty and len(self._said) + self.n_recorded != self.n_jobs and not self._over.is_set():
                self.gave_up = True
                interrupts.interrupt_main()
                return

    def stop(self) -> None:
        """Say what is left to say, and end."""
        self._over.set()
        self._noted.close()
        if self.is_alive():
            self.join()
        if self._ignores_interrupts:
            self._ignores_interrupts = False
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.say()

    def say(self) -> None:
        """One line for each job that has ended since the last look."""
        known = {job["number"] for job in self._said}
        for job in noted(self.folder):
            if job["status"] != STARTED and job["number"] not in known:
                self._said.append(job)
                elapsed = time.monotonic() - self._started_at
                line = progress_line(self._said, self.n_jobs, elapsed, self.n_recorded, self.grid)
                sys.stderr.write(wrapped(f"{line}\n"))


def progress_line(
    ended: Sequence[dict[str, Any]],
    n_jobs: int | None,
    elapsed: float,
    n_recorded: int = 0,
    grid: Sequence[Sequence[str]] | None = None,
) -> str:
    """``[ 3/12] trec-… done in 9 s · 0:01:12 elapsed, about 0:03:40 left``, of the last of the jobs that have ended.

    Parameters
    ----------
    ended
        What the jobs told, in the order of their ends.
    n_jobs
        Of the sweep; None where it is not known.
    elapsed
        Seconds since it started.
    n_recorded
        Jobs that were not started, because they were seen to be recorded.
    grid
        The overrides of each job that was to be started; None where they are not known.
    """
    job = ended[-1]
    total = "?" if n_jobs is None else str(n_jobs)
    how = f"{job['status']} in {job['seconds']:.0f} s" if job["status"] != SKIPPED else "already recorded"
    n_ended = len(ended) + n_recorded
    line = f"[{n_ended:>{len(total)}}/{total}] {job['run']}: {how} · {clock(elapsed)} elapsed"
    worked = [other for other in ended if other["status"] != SKIPPED]
    if n_jobs is None or not worked or n_ended >= n_jobs:
        return line
    seconds = seconds_left(worked, n_jobs - n_ended, grid)  # as if none of the others were recorded
    at_once = max(sum(job["seconds"] for job in worked) / max(elapsed, 1e-9), 1.0)
    return f"{line}, about {clock(seconds / at_once)} left"


def clock(seconds: float) -> str:
    """``h:mm:ss``."""
    minutes, second = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{second:02}"


def lost(jobs: Sequence[dict[str, Any]], grid: Sequence[Sequence[str]] | None, folder: Path) -> list[dict[str, Any]]:
    """The jobs of a sweep that is over which never ended: those that died, and those that never ran.

    Parameters
    ----------
    jobs
        What each that was started told last.
    grid
        The overrides of each job; None where they are not known.
    folder
        Where the jobs tell: on a full disk they cannot.
    """
    why = "died while it ran: was it killed, for lack of memory?" if _has_room(folder) else NO_ROOM
    died = [{**job, "sentence": why} for job in jobs if job["status"] == STARTED]
    told = {job["number"] for job in jobs}
    never = [
        {"number": number, "run": " ".join(choices), "status": None, "sentence": "did not run", "overrides": overrides}
        for number, (overrides, choices) in enumerate(zip(grid or [], _swept(grid or []), strict=True))
        if number not in told
    ]
    return sorted([*died, *never], key=lambda job: int(job["number"]))


def _has_room(folder: Path) -> bool:
    """Whether the disk of a folder has blocks and files left; True where nothing tells."""
    try:
        disk = os.statvfs(next(place for place in (folder, *folder.parents) if place.is_dir()))
    except (AttributeError, OSError, StopIteration):  # Windows has no statvfs
        return True
    return disk.f_bavail > 0 and (disk.f_favail > 0 or not disk.f_files)


def _swept(grid: Sequence[Sequence[str]]) -> list[list[str]]:
    """Of each job, the overrides that not all jobs share."""
    shared = set(grid[0]).intersection(*grid) if len(grid) > 1 else set()
    return [[override for override in job if override not in shared] for job in grid]


def missing_table(
    failed: Sequence[dict[str, Any]], never_ended: Sequence[dict[str, Any]], n_recorded: int, n_jobs: int
) -> str:
    """Each job without a record with its sentence, which is written once, for the console."""
    rows = [*failed, *never_ended]
    n_died = sum(job["status"] == STARTED for job in never_ended)
    counts = [(len(failed), "failed"), (n_died, "died"), (len(never_ended) - n_died, "did not run")]
    (first, how), *others = [(n, how) for n, how in counts if n]
    recorded = f"{n_recorded} {'is' if n_recorded == 1 else 'are'} recorded"
    said = [
        f"{first} of {n_jobs} job{'' if n_jobs == 1 else 's'} {how}",
        *(f"{n} {how}" for n, how in others),
        recorded,
    ]
    lines = [f"{', '.join(said)}; the same command tries the missing ones again:"]
    width, known = max(len(job["run"]) for job in rows), set()
    for job in rows:
        sentence = " ".join(job["sentence"].split())
        lines.append(f"  {job['run']:<{width}}  {'(the same as above)' if sentence in known else sentence}")
        known.add(sentence)
    return "\n".join(lines)
