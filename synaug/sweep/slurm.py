"""What SLURM still has of a sweep."""

import subprocess
import time
from pathlib import Path

QUEUE_SECONDS = 10.0


class SlurmQueue:
    """What SLURM still has of a sweep.

    submitit asks SLURM's accounting for jobs that died, which many clusters do not keep, and then waits for ever;
    and it raises at the first of them, while the others go on. The queue itself tells both.

    Parameters
    ----------
    folder
        Where submitit makes a folder for each job, named by its number.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._earlier = self._names()

    def _names(self) -> set[str]:
        return {path.name for path in self.folder.glob("[0-9]*")}

    @property
    def numbers(self) -> str:
        """SLURM's numbers of the arrays of this sweep, with commas between."""
        return ",".join(sorted({name.partition("_")[0] for name in self._names() - self._earlier}))

    def is_empty(self) -> bool:
        """Whether all that was handed to SLURM is over; not before something was."""
        if not self.numbers:
            return False
        command = ["squeue", "--noheader", f"--jobs={self.numbers}"]
        try:
            asked = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return True
        # SLURM forgets numbers some minutes after their end. Out of reach, it says nothing about jobs.
        return not asked.stdout.strip() if asked.returncode == 0 else "Invalid job id" in asked.stderr

    def outlast(self) -> None:
        """Wait until it is empty."""
        while self.numbers and not self.is_empty():
            time.sleep(QUEUE_SECONDS)
