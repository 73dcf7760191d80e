"""A run's identity, and its record on disk: whole or absent."""

import json
import math
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from synaug.errors import UserError
from synaug.files.atomic import TEMPORARY_ENDING, is_abandoned, replacing
from synaug.files.digest import file_sha256, files_sha256, json_sha256
from synaug.record import shapes
from synaug.record.shapes import SCORE_COLUMNS as SCORE_COLUMNS
from synaug.record.shapes import VALIDATION_COLUMNS as VALIDATION_COLUMNS
from synaug.seeding import OWN_FILE

SCHEMA = 2
RECORD = "record.json"
FAILURE = "failure.json"
SWEEP = "sweep.json"
PROBABILITIES = "probabilities.npz"
# Enters the identity, and is no setting: a cap under a natural ratio.
IN_PROPORTION = "max_per_class_in_proportion"

# What decides a run's numbers. Logging, devices and output folders do not.
SCIENTIFIC = (
    "dataset",
    "encoder",
    "imbalance_ratio",
    "augmenter",
    "classifier",
    "n_folds",
    "seeds",
    "max_steps",
    "steps_per_epoch",
    "batch_size",
    "standardize",
    "target_prior",
    "validation",
    "trainer",
)
NOT_SCIENTIFIC = {
    # Where data and weights lie does not matter: `source()` says what they are.
    "dataset": ("licence", "paper", "path"),
    "encoder": ("model", "revision", "package", "sha256", "batch_tokens", "device"),
    "trainer": (
        "accelerator",
        "devices",
        "num_nodes",
        "enable_progress_bar",
        "enable_model_summary",
        "log_every_n_steps",
        "profiler",
        "default_root_dir",
    ),
}
# Settings that change nothing where they have these values: older runs, which did not know them, are the same runs.
NEUTRAL = {
    "dataset": {
        "max_rows": None,
        "min_per_class": None,
        "drop_empty": False,
        "separator": None,
        "quoting": None,
    },
}
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
Found = TypeVar("Found")
Scores = list[tuple[int, int, str, str, str | None, float]]
# Code that reads records, checks, draws or talks, and changes no number of a run.
NOT_SCIENTIFIC_CODE = (
    "command",
    "comparison",
    "embed.py",
    "errors.py",
    "files/locks.py",
    "record",
    "report",
    "sweep",
    "tracking",
    "training/progress.py",
)


def identity(config: Mapping[str, Any], sources: Mapping[str, str]) -> str:
    """Hash what decides a run's numbers.

    Parameters
    ----------
    config
        The resolved config; only its scientific part counts.
    sources
        What the data and the weights are (digests or pinned revisions), whatever they are called.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return json_sha256({"schema": SCHEMA, "config": science(config), "sources": dict(sources)})


def science(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a resolved config that decides numbers; what is the same by two ways of writing is written as one."""
    found: dict[str, Any] = {key: config[key] for key in SCIENTIFIC if key in config}
    for group, left_out in NOT_SCIENTIFIC.items():
        if group in found:
            neutral = NEUTRAL.get(group, {})
            found[group] = {
                key: value
                for key, value in found[group].items()
                if key not in left_out and not (key in neutral and value is neutral[key])
            }
    if "dataset" in found:
        found["dataset"] = _dataset(found["dataset"], config.get("imbalance_ratio", {}))
    if "augmenter" in found and is_idle(found["augmenter"]):
        found["augmenter"] = {"amount": 0}
    return {key: _whole_numbers(value) for key, value in found.items()}


def _dataset(dataset: Mapping[str, Any], imbalance_ratio: Mapping[str, Any]) -> dict[str, Any]:
    """The data set's settings as they enter the identity."""
    found = dict(dataset)
    if "name" in found and found["name"] is None:
        found["name"] = OWN_FILE
    if found.get("max_per_class") is not None and imbalance_ratio.get("ratio", 1) is None:
        found[IN_PROPORTION] = True  # other rows than a cap on each class would leave
    return found


def is_idle(augmenter: Mapping[str, Any]) -> bool:
    """Whether nothing is added: nothing is asked for, or the sampler is imbalanced-learn's identity."""
    is_identity = augmenter.get("_target_") == "imblearn.FunctionSampler" and augmenter.get("func") is None
    return augmenter.get("amount") == 0 or is_identity


def _whole_numbers(value: Any) -> Any:
    """Write 10.0 as 10, so that both ways of giving a ratio are one run."""
    if isinstance(value, Mapping):
        return {str(key): _whole_numbers(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_whole_numbers(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def is_done(folder: Path) -> bool:
    """Whether a record stands there, of whatever run and shape; `problem` tells whether it is sound."""
    return (folder / RECORD).is_file()


def problem(folder: Path, identity: str) -> str | None:
    """Say why a run is not done.

    Returns
    -------
    str or None
        None where a sound record of this identity stands in the folder; else what is wrong, as part of a sentence.
    """
    path = folder / RECORD
    try:
        found = shapes.record(path, SCHEMA)
    except FileNotFoundError:
        return f"there is no {RECORD}"
    except shapes.MisshapenError as error:
        return f"{RECORD} {error}"
    if found["identity"] != identity:
        return f"{RECORD} is of another run, {found['run']}"
    probabilities = folder / PROBABILITIES
    recorded = found.get("probabilities_sha256")
    if recorded and probabilities.is_file() and file_sha256(probabilities) != recorded:
        return f"{PROBABILITIES} is not the one that was recorded"
    return None


def write(folder: Path, record: Mapping[str, Any]) -> Path:
    """Write a record, whole or not at all; numbers that are not finite become null."""
    path = folder / RECORD
    text = json.dumps(_finite(record), allow_nan=False, separators=(",", ":"))
    with replacing(path) as file:
        file.write(text.encode())
    (folder / FAILURE).unlink(missing_ok=True)
    for left in folder.glob(f".*{TEMPORARY_ENDING}"):  # by earlier tries that were killed
        with suppress(OSError):
            if is_abandoned(left):
                left.unlink()
    return path


def write_failure(folder: Path, failure: Mapping[str, Any]) -> None:
    """Say why a run has no record, or, by its digest, why one that stands there could not be made again."""
    older = None
    with suppress(OSError):
        older = file_sha256(folder / RECORD) if is_done(folder) else None
    with replacing(folder / FAILURE) as file:
        file.write(json.dumps({**failure, "record": older}, indent=1).encode())


def failure_of(folder: Path) -> dict[str, Any]:
    """Read why a run has no record.

    Raises
    ------
    FileNotFoundError
        If it does not say.
    UserError
        If the file is not as we write it.
    """
    return _mended_by_removing(folder / FAILURE, shapes.failure)


def is_overtaken(folder: Path, failure: Mapping[str, Any]) -> bool:
    """Whether the record that stands beside a failure was made after it: then the run did not fail."""
    path = folder / RECORD
    if not path.is_file():
        return False
    if "record" in failure:
        return bool(file_sha256(path) != failure["record"])
    return path.stat().st_mtime_ns > (folder / FAILURE).stat().st_mtime_ns  # as written by an older version


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def read(folder: Path) -> dict[str, Any]:
    """Read one run's record.

    Raises
    ------
    UserError
        If the run has none, or one that is not as we write it.
    """
    path = folder / RECORD
    try:
        return _mended_by_removing(path, lambda each: shapes.record(each, SCHEMA))
    except FileNotFoundError as error:
        raise UserError(f"{folder} holds no {RECORD}: the run is not done") from error


def read_json(path: Path) -> Any:
    """Read a file of ours.

    Raises
    ------
    FileNotFoundError
        If there is none.
    UserError
        If it is no JSON.
    """
    return _mended_by_removing(path, shapes.read_json)


def sweep_of(folder: Path) -> dict[str, Any]:
    """What the last sweep into an experiment's folder wanted and got, as `synaug.sweep` wrote it; empty without one.

    Raises
    ------
    UserError
        If the file is not as we write it.
    """
    try:
        return _mended_by_removing(folder / SWEEP, shapes.sweep)
    except FileNotFoundError:
        return {}


def _mended_by_removing(path: Path, read: Callable[[Path], Found]) -> Found:
    try:
        return read(path)
    except shapes.MisshapenError as error:
        raise UserError(f"{path} {error}: remove it and run again") from error


def as_table(columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> dict[str, Any]:
    """A table as JSON: column names once, then rows."""
    return {"columns": list(columns), "data": [list(row) for row in rows]}


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that decide numbers."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:  # run from a checkout that is not installed
            continue
    return found


def code_sha256() -> str:
    """Digest of the source that decides numbers: runs of one digest (and of one `versions`) may be compared."""
    package = Path(__file__).parents[1]
    idle = [package / name for name in NOT_SCIENTIFIC_CODE]
    paths = [path for path in package.rglob("*.py") if not any(path.is_relative_to(each) for each in idle)]
    return files_sha256(paths, package)


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
    """Most bytes this process ever held (earlier jobs of a multirun included)."""
    import resource  # which Windows lacks

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
