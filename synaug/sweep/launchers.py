"""What launchers of processes need of us: how many fit this machine, and what their own errors mean."""

import os
import shutil
import socket
import sys
import warnings

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
    names = {base.__name__ for base in type(error).__mro__}
    text = str(error).strip()
    first = text.splitlines()[0].split(". ")[0] if text else "it says no more"
    if "RayTaskError" in names:  # its text is a traceback
        first = text.splitlines()[-1]
    if "BrokenProcessPool" in names:
        return (
            "a process of the sweep died without a word, and joblib ended the others (killed for lack of memory? "
            f"hydra.launcher.n_jobs=1 needs the least): {REST}"
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


def unreachable(target: str, ray_address: str | None) -> str | None:
    """A sentence where a launcher's machines are out of reach: no SLURM, or no answer from the Ray cluster it names.

    Ray itself tells after minutes, submitit by an error like any other.

    Parameters
    ----------
    target
        The launcher's ``_target_``.
    ray_address
        Of a cluster, as in ``hydra.launcher.ray.init.address``.
    """
    if target.endswith("SlurmLauncher") and shutil.which("srun") is None:
        return (
            "there is no SLURM here (srun is not found): give the command where sbatch works, or hydra/launcher=cores"
        )
    address = str(ray_address)
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal():
        return None
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        return _no_cluster(f"{address}: {error}")
    return None


def quieten() -> None:
    """Silence joblib where it starts a process anew whose memory has grown: no job is lost by that."""
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given to the executor")


def _no_cluster(reason: str) -> str:
    return (
        f"no Ray cluster answers ({reason}): start one with `ray start --head`, or name one with "
        "hydra.launcher.ray.init.address=HOST:PORT"
    )


def stop() -> None:
    """End what Ray still runs of a sweep that it gave up: what is told as missing must not come a moment later."""
    if "ray" in sys.modules:
        sys.modules["ray"].shutdown()
