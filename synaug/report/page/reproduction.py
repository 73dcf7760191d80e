"""What it takes to run it all again: commands, versions, digests, seeds."""

import json
import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from synaug import record as records
from synaug.comparison.naming import flat, shortest
from synaug.errors import UserError
from synaug.report import limits
from synaug.report.results import Results
from synaug.settings import names

LARGEST_YAML = 2**18  # bytes; what Hydra writes of a sweep has a few thousand
# They say where and how to run, not what, and hold the paths of one machine.
LEFT_OUT = (
    "output_dir",
    "cache_dir",
    "force",
    "report",
    "threads",
    "cuda_graphs",
    "logger",
    "trainer.enable_progress_bar",
    "hydra/launcher",
    "hydra.launcher",
)


def commands(results: Results) -> list[str]:
    """One line a sweep where the sweep noted it, else one a run."""
    by_sweep: dict[Path, dict[Path, Mapping[str, Any]]] = defaultdict(dict)
    runs = results.evidence.runs
    for folder, identity in zip(map(Path, runs["folder"]), runs["identity"], strict=True):
        by_sweep[folder.parent][folder] = results.evidence.records[identity]
    lines: list[str | None] = []
    for sweep, recorded in by_sweep.items():
        of_sweep = _of_sweep(sweep, list(recorded.values()))
        lines += [of_sweep] if of_sweep else [_of_run(folder, record) for folder, record in recorded.items()]
    return [line for line in dict.fromkeys(lines) if line is not None]


def _of_sweep(folder: Path, recorded: Sequence[Mapping[str, Any]]) -> str | None:
    with suppress(UserError):  # a note that is not as we write it
        noted = records.sweep_of(folder).get("command")
        if noted:
            multirun = [] if any(each in ("-m", "--multirun") for each in noted[1:]) else ["--multirun"]
            return _command([*multirun, *noted[1:]], recorded)
    overrides = _overrides(_plain_yaml(folder / "multirun.yaml"), "hydra", "overrides", "task")
    return _command(["--multirun", *overrides], recorded) if overrides else None


def _of_run(folder: Path, record: Mapping[str, Any]) -> str | None:
    overrides = _overrides(_plain_yaml(folder / ".hydra" / "overrides.yaml"))
    return None if overrides is None else _command(overrides, [record])


class _PlainLoader(yaml.SafeLoader):
    """Reads scalars, lists and mappings; no aliases, a few of which could stand for more than memory holds."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias")
        return super().compose_node(parent, index)


def _plain_yaml(path: Path) -> Any:
    """What a file says, read as data: nothing in it is resolved. None where Hydra did not write it."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST_YAML:
            return None
        return _PlainLoader(path.read_bytes()).get_single_data()
    except (yaml.YAMLError, ValueError, RecursionError, OSError):
        return None


def _overrides(content: Any, *keys: str) -> list[str] | None:
    for key in keys:
        content = content.get(key) if isinstance(content, dict) else None
    is_list = isinstance(content, list) and all(isinstance(each, str | int | float) for each in content)
    return [str(each) for each in content] if is_list else None


def _command(arguments: Iterable[str], recorded: Sequence[Mapping[str, Any]]) -> str:
    kept = [each for each in _with_all_seeds(list(arguments), recorded) if not is_left_out(each)]
    return shlex.join(["python", "-m", "synaug", *kept])


def _with_all_seeds(arguments: list[str], recorded: Sequence[Mapping[str, Any]]) -> list[str]:
    """A command with the seeds that all of its runs hold: the last one may have asked only for those that it added."""
    held = {tuple(record["config"]["seeds"]) for record in recorded}
    given = any(_of_seeds(each) for record in recorded for each in record.get("overrides") or [])
    if len(held) > 1 or not (given or any(map(_of_seeds, arguments))):
        return arguments
    return [*(each for each in arguments if not _of_seeds(each)), f"seeds=[{','.join(map(str, *held))}]"]


def _of_seeds(argument: str) -> bool:
    return argument.lstrip("+").startswith("seeds=")


def is_left_out(argument: str) -> bool:
    """Whether an override says nothing about what is run."""
    key = argument.lstrip("+~").partition("=")[0]
    return any(key == name or key.startswith(f"{name}.") for name in LEFT_OUT)


def facts(results: Results) -> list[tuple[str, list[str]]]:
    """What decided the numbers, each with all of its values."""
    values_of: dict[str, dict[str, None]] = {}
    for record in results.evidence.records.values():
        for key, value in _facts(record):
            values_of.setdefault(key, {})[value] = None
    return [(key, list(values)) for key, values in values_of.items()]


def _facts(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    config, data = record["config"], record["data"]
    yield "seeds", ", ".join(map(str, config["seeds"]))
    yield "folds", str(config["n_folds"])
    yield "validation", validation(config)
    for key in ("max_steps", "batch_size", "target_prior"):
        if key in config:
            yield key, str(config[key])
    yield "git commit", str(record.get("git_commit") or "none: not run from a checkout")
    yield "digest of the code", record["code"]
    yield "versions", ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    yield f"data of {data['name']}", f"{data['source']}; fingerprint {data['fingerprint']}"
    rows = ", ".join(map(names.of_class_with, data["class_names"], data["rows_per_class"]))
    yield (
        f"rows of {data['name']}",
        rows if len(data["class_names"]) <= limits.CLASSES_WITH_COUNTS else f"{sum(data['rows_per_class'])} in all",
    )
    shares = {name: share for name, share in (data.get("near_copies") or {}).items() if share is not None}
    if shares:
        most = sorted(shares, key=lambda name: -shares[name])[: limits.CLASSES_WITH_COUNTS]
        yield (
            f"test rows of {data['name']} with a near copy among the training rows",
            ", ".join(names.of_class_with(name, f"{100 * shares[name]:.0f} %") for name in most),
        )
    written = record.get("written_texts")
    if written is not None:
        yield f"written texts of {record['choices']['augmenter']}", f"{written['content']}; {written['texts']} used"
    weights = record["encoder"].get("weights_sha256")
    yield f"encoder {record['choices']['encoder']}", f"weights {weights}" if weights else json.dumps(record["encoder"])


def validation(config: Mapping[str, Any]) -> str:
    """Name how rows are kept for choosing, with its settings: ``nested (validation.n_folds=5, final=bagged)``.

    The outer folds are the setting `n_folds`; a name that two settings end with is written in full.
    """
    group = "validation"
    settings = config.get(group, {})
    name = settings.get("_target_", "unknown").rpartition(".")[2].lower()
    all_keys = [key for key, _ in flat(config)]
    others = ", ".join(
        f"{'.'.join(shortest((group, key), all_keys))}={value}"
        for key, value in settings.items()
        if not key.startswith("_")
    )
    return f"{name} ({others})" if others else name


def example_config(results: Results) -> str:
    """The scientific part of one run's config, as JSON."""
    for record in results.evidence.records.values():
        return json.dumps(records.science(record["config"]), indent=1, ensure_ascii=False)
    return ""
