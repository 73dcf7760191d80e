"""Where a run's numbers come from: versions, commit, memory."""

import platform
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "synaug",
    "torch",
    "pytorch-lightning",
    "transformers",
    "datasets",
    "imbalanced-learn",
    "scikit-learn",
    "torchmetrics",
    "numpy",
    "scipy",
    "hydra-core",
    "omegaconf",
)


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide numbers."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # run from a checkout that is not installed
            continue
    return found


@cache  # as the code that this process runs stays what it was
def git_commit() -> str | None:
    """Commit of the checkout this code runs from, with ``-dirty`` where files differ; None outside of one."""
    here = Path(__file__).resolve()

    def git(*arguments: str) -> str:
        done = subprocess.run(("git", *arguments), cwd=here.parent, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", here.name)  # else it is somebody's repository around a virtual environment
        return git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def peak_memory() -> int:
    """Most bytes this process ever held (earlier jobs of a multirun included); 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
