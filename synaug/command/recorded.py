"""Which jobs of a sweep need not be started: told from the records in its folder, without composing each job.

A record holds the overrides its run was given and the digest of the YAML files they were composed with. Where both
are the same again, so is the config, but for its seeds: a job is recorded where the record holds all of those that it
asks for. Whether data, weights and written texts still are the same, too, is asked once for each set of them. Nothing
that stands in a record is ever composed or made: it is compared with what this command composes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from synaug import record
from synaug.command.folders import scientific_sources
from synaug.command.overrides import given, is_of_seeds
from synaug.errors import UserError
from synaug.files.digest import file_sha256, json_sha256

Job = Sequence[str]
# What a config may take from elsewhere than from the YAML files and the command line (jobs that are left out change
# the others' numbers), or from seeds, which may be others than those that the run was first made with.
FROM_ELSEWHERE = re.compile(
    r"\$\{\s*(oc\.env|oc\.decode|now|random|hydra:\s*(job|sweep|runtime\.cwd))\b|\$\{[^}]*\bseeds\b"
)


def configs_sha256(config: DictConfig) -> str | None:
    """Digest of all YAML files that a job may be composed of; None where their text does not decide what it becomes.

    Parameters
    ----------
    config
        With the part that is Hydra's own.
    """
    digests = []
    for source in config.hydra.runtime.config_sources:
        if source.schema != "file":
            if source.provider.startswith("hydra.searchpath"):  # a package of the user's
                return None
            continue
        root = Path(source.path)
        if any(path.is_symlink() and path.is_dir() for path in root.rglob("*")):  # which Hydra follows
            return None
        for path in sorted(root.rglob("*.yaml")):
            if FROM_ELSEWHERE.search(path.read_text(encoding="utf-8", errors="replace")):
                return None
            digests.append((source.provider, path.relative_to(root).as_posix(), file_sha256(path)))
    return json_sha256(digests)


def recorded(grid: Sequence[Job], config: DictConfig, folder: Path) -> dict[int, str]:
    """Name the runs of a grid that are recorded, by the place of their job in the grid.

    Parameters
    ----------
    grid
        The overrides of each job.
    config
        Of the sweep, with the part that is Hydra's own.
    folder
        Of the experiment.

    Returns
    -------
    dict
        Some recorded jobs may be absent: they are started, and then skipped.
    """
    digest = configs_sha256(config)
    # Hydra's sweeper escapes what is interpolated.
    if digest is None or any(FROM_ELSEWHERE.search(override.replace("\\", "")) for job in grid for override in job):
        return {}
    known = _by_overrides(folder, digest)
    sources: dict[str, dict[str, str] | None] = {}
    runs = {}
    for place, job in enumerate(grid):
        stands = known.get(_but_seeds(job))
        if stands is None or not stands.holds_seeds_of(job):
            continue
        settings = stands.settings
        content = json_sha256([settings.get(group) for group in record.groups_with_sources(settings)])
        if content not in sources:
            sources[content] = _sources(config, job, settings)
        now = sources[content]
        if now is not None and record.identity(settings, now) == stands.identity:
            runs[place] = stands.run
    return runs


@dataclass(frozen=True)
class Stands:
    """A sound record: its run, its identity, its config, and the overrides that led to it."""

    run: str
    identity: str
    settings: Mapping[str, Any]
    overrides: Job

    def holds_seeds_of(self, job: Job) -> bool:
        """Whether it holds the seeds of a job whose other overrides are its own."""
        if sorted(job) == sorted(self.overrides):
            return True
        seeds = [override for override in job if is_of_seeds(override)]
        if not seeds:  # those of its configs: the job is composed to know them
            return False
        asked: Any = OverridesParser.create().parse_override(seeds[-1]).value()
        are_seeds = (
            isinstance(asked, list) and all(type(seed) is int for seed in asked) and len(set(asked)) == len(asked)
        )
        return are_seeds and bool(asked) and set(asked) <= set(self.settings["seeds"])


def _but_seeds(job: Job) -> tuple[str, ...]:
    return tuple(sorted(override for override in job if not is_of_seeds(override)))


def _by_overrides(folder: Path, digest: str) -> dict[tuple[str, ...], Stands]:
    """The sound records, by the overrides that led to them, but for those of seeds."""
    by_overrides = {}
    for path in sorted(folder.glob(f"*/{record.RECORD}")):
        try:
            stands = record.read(path.parent)
        except UserError:  # its job says so
            continue
        identity, settings = stands["identity"], stands["config"]
        overrides = stands.get("overrides") or []
        same = stands.get("configs_sha256") == digest
        # Read twice, but for the shape and the digest of its probabilities there is one place.
        if (
            same
            and path.parent.name.endswith(f"-{identity[: record.RUN_DIGITS]}")
            and record.problem(path.parent, identity) is None
        ):
            by_overrides[_but_seeds(overrides)] = Stands(path.parent.name, identity, settings, overrides)
    return by_overrides


def _sources(config: DictConfig, job: Job, settings: Mapping[str, Any]) -> dict[str, str] | None:
    """What data and weights are now, for all jobs of this data set, encoder and file of written texts.

    None if these are not those recorded.
    """
    loader = GlobalHydra.instance().config_loader()
    composed = loader.load_sweep_config(config, list(job))
    for group in record.groups_with_sources(settings):
        if OmegaConf.to_container(composed[group], resolve=True) != settings.get(group):
            return None
    return scientific_sources(composed)


def narrow(config: DictConfig, wanted: Sequence[Job]) -> list[list[str]]:
    """Take from a sweep's axes the values that none of the wanted jobs has.

    Parameters
    ----------
    config
        Of the sweep; its overrides and the sweeper's own are replaced.
    wanted
        The overrides of some of its jobs, as Hydra's own sweeper makes them.

    Returns
    -------
    list
        The smaller grid: all that is wanted, and what of the rest a grid cannot do without.
    """
    needed = {override for job in wanted for override in job}
    left = {key: [pair for pair in pairs if pair in needed] for key, pairs in axes(config).items()}
    arguments = []
    for key, pairs in left.items():
        arguments.append(f"{key}={','.join(pair.removeprefix(f'{key}=') for pair in pairs)}")
    with read_write(config), open_dict(config):
        config.hydra.sweeper.params = None
        config.hydra.overrides.task = arguments
    return [list(job) for job in product(*left.values())]


def axes(config: DictConfig) -> dict[str, list[str]]:
    """The settings of a sweep that Hydra's own sweeper does, and their values, each as a job is given it: `key=value`.

    A job has one value of each.
    """
    parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())  # which a glob asks
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    overrides = parser.parse_overrides([*params, *given(config.hydra)])
    return {override.get_key_element(): _values(override) for override in overrides}


def _values(override: Override) -> list[str]:
    key = override.get_key_element()
    if override.is_sweep_override():
        return [f"{key}={value}" for value in override.sweep_string_iterator()]
    return [f"{key}={override.get_value_element_as_str()}"]
