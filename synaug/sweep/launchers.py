"""What launchers of processes need of us: how many fit this machine, and what their own errors mean."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from hydra.errors import MissingConfigException
from omegaconf import DictConfig, OmegaConf

GROUP = "hydra/launcher"
# Options of ours and of the plugins -> the extra that brings the plugin.
EXTRAS = {
    "joblib": "joblib",
    "cores": "joblib",
    "ray": "ray",
    "ray_cluster": "ray",
    "submitit_local": "slurm",
    "submitit_slurm": "slurm",
    "slurm": "slurm",
}
QUEUE_SECONDS = 10.0
CONNECT_SECONDS = 10.0
REST = "what is recorded is kept, and the same command does the rest"


def cores() -> int:
    """Cores that this process may use: by its affinity, and by its container's share."""
    from joblib import cpu_count

    return int(cpu_count())


def threads(setting: int | None) -> int:
    """Threads of each of a sweep's processes: the setting, else what the environment asks for, else one."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return setting or (int(asked) if asked.isdecimal() else 0) or 1


def processes(setting: int | None) -> int:
    """Processes that together have a thread for each core; more of either are many times slower."""
    return max(1, cores() // threads(setting))


def sentence(error: BaseException) -> str | None:
    """What an error of a launcher means to somebody who wants the sweep done; None for any other error.

    Told by the names of the error's classes: the plugins' packages need not be installed.
    """
    names = {each.__name__ for each in type(error).__mro__}
    text = str(error).strip()
    first = text.splitlines()[0].split(". ")[0] if text else "it says no more"
    if "RayTaskError" in names:  # its text is a traceback
        first = text.splitlines()[-1]
    if "BrokenProcessPool" in names:
        return (
            "a process of the sweep died at once, and joblib ended the others (killed for lack of memory? "
            f"hydra.launcher.n_jobs=1 needs least): {REST}"
        )
    if "RayError" in names:
        return f"Ray gave up on a job ({type(error).__name__}: {first}): {REST}"
    if "ConnectionError" in names and "ray" in sys.modules:
        return _no_cluster(first)
    if "FailedSubmissionError" in names or "FailedJobError" in names:
        return f"SLURM did not take the jobs ({' '.join(text.split())[-300:]}): mend the settings in hydra.launcher"
    if "UncompletedJobError" in names:
        return f"a job died without a result ({first}): {REST}"
    return None


def unreachable(launcher: DictConfig) -> str | None:
    """A sentence where a launcher's machines are out of reach: no SLURM, or no answer from the Ray cluster it names.

    Ray itself tells after minutes, submitit by an error like any other.
    """
    if str(OmegaConf.select(launcher, "_target_")).endswith("SlurmLauncher") and shutil.which("srun") is None:
        return (
            "there is no SLURM here (srun is not found): give the command where sbatch works, or hydra/launcher=cores"
        )
    address = str(OmegaConf.select(launcher, "ray.init.address"))
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        return None
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        return _no_cluster(f"{address}: {error}")
    return None


def _no_cluster(reason: str) -> str:
    return (
        f"no Ray cluster answers ({reason}): start one with `ray start --head`, or name one with "
        "hydra.launcher.ray.init.address=HOST:PORT"
    )


def stop() -> None:
    """End what Ray still runs of a sweep that it gave up: what is told as missing must not come a moment later."""
    if "ray" in sys.modules:
        sys.modules["ray"].shutdown()


def missing_plugin(error: BaseException) -> str | None:
    """A sentence for an option whose plugin is not installed; None for any other error."""
    if not isinstance(error, MissingConfigException) or error.missing_cfg_file is None:
        return None
    group, _, option = error.missing_cfg_file.rpartition("/")
    if group != GROUP or option not in EXTRAS:
        return None
    return f"{GROUP}={option} needs a plugin that is not installed: pip install 'synaug[{EXTRAS[option]}]'"


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
