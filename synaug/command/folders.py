"""What the folders of runs and experiments are called."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from synaug import record
from synaug.command.written import written_texts
from synaug.encoder.contract import BringsVectors
from synaug.files import places
from synaug.settings import GROUPS, is_number

# What a run's folder is called whose identity cannot be told.
INVALID = "invalid"

# Bytes of a run's readable choices: with its hash, and as the name of a file beside it, it still fits a file system.
LONGEST_RUN = 200

SHIPPED_RATIOS = ("natural", "balanced", "ir2", "ir5", "ir10", "ir20", "ir50", "ir100")


def experiment_folder(_root_: DictConfig) -> str:
    """Name the folder of an experiment, ``<output_dir>/<name>``, inside which everything is made.

    A name or an output folder that cannot be used ends the program, before Hydra makes anything: an exception would
    lose its sentence in OmegaConf, and in a callback of Hydra's become a warning.
    """
    name, output_dir = _root_.get("name"), _root_.get("output_dir")
    problem = places.name_problem(name) or places.place_problem("output_dir", output_dir)
    if problem is not None:
        sys.exit(problem)
    return str(Path(output_dir).expanduser() / name)


# What a config that cannot be used raises where it is read. The check says why.
OF_A_CONFIG = (OmegaConfBaseException, KeyError, AttributeError, TypeError, ValueError, OverflowError)


def run_folder(_root_: DictConfig) -> str:
    """Name a run's folder: readable choices and a hash of all that decides its numbers."""
    try:
        choices = run_choices(_root_, _root_.hydra.runtime.choices)
        readable = "-".join(choices.values()).encode()[:LONGEST_RUN].decode(errors="ignore")
        return f"{readable}-{identified(_root_).identity[: record.RUN_DIGITS]}"
    except OF_A_CONFIG:
        return INVALID  # Hydra would show a traceback from within an interpolation


def wanted(config: DictConfig, choices: Mapping[str, str]) -> dict[str, Any]:
    """What a run was to be, for the record of its failure: its choices, and the name and path of its data set.

    Parameters
    ----------
    choices
        Hydra's.

    Returns
    -------
    dict
        `choices` and `dataset`; nothing where the config cannot be used.
    """
    try:
        dataset = OmegaConf.to_container(config.dataset, resolve=True)
        named = {name: dataset.get(name) for name in ("name", "path")}  # type: ignore[union-attr]
        return {"choices": run_choices(config, choices), "dataset": named}
    except OF_A_CONFIG:
        return {}


@dataclass(frozen=True)
class Identified:
    """A run's identity, and what its data and weights were when it was told."""

    identity: str
    sources: Mapping[str, str]


def identified(config: DictConfig) -> Identified:
    """The identity of a composed config; told once, when its folder is named, and kept with the config and its copies.

    Files may be large, and their digests are asked for.
    """
    kept = OmegaConf.get_cache(config)["synaug.identified"]
    if "told" not in kept:
        science = {key: config[key] for key in record.SCIENTIFIC}
        resolved = {
            key: OmegaConf.to_container(part, resolve=True) if OmegaConf.is_config(part) else part
            for key, part in science.items()
        }
        sources = scientific_sources(config)
        kept["told"] = Identified(record.identity(resolved, sources), sources)
    found: Identified = kept["told"]
    return found


def scientific_sources(config: DictConfig) -> dict[str, str]:
    """What data and weights a config stands for, and the texts that an augmenter brings, where it does so.

    `unknown` is what cannot be told (the check says why).
    """
    sources = {}
    for group in record.groups_with_sources(config):
        try:
            sources[group] = _content(config, group)
        except (HydraException, OmegaConfBaseException, OSError, ValueError, ImportError, AttributeError, TypeError):
            sources[group] = "unknown"
    return sources


def _content(config: DictConfig, group: str) -> str:
    written = written_texts(config) if group == "augmenter" else None
    if written is not None:
        return written.digest()
    part = instantiate(config[group], _convert_="all")
    if isinstance(part, BringsVectors):
        part = part.for_dataset(instantiate(config.dataset, _convert_="all"))
    content: str = part.source()
    return content


def run_choices(config: DictConfig, choices: Mapping[str, str]) -> dict[str, str]:
    """The five choices by name, but for two that settings may change.

    A ratio is named by its value, and `none` is what augments nothing, whatever it is called.
    """
    named = {group: str(choices[group]) for group in GROUPS}
    if record.is_idle(config.augmenter):
        named["augmenter"] = "none"
    elif named["augmenter"] == "none":  # given another target
        named["augmenter"] = str(config.augmenter.get("_target_")).rpartition(".")[2]
    ratio = config.imbalance_ratio
    if "ratio" in ratio and "profile" in ratio and named["imbalance_ratio"] in SHIPPED_RATIOS:
        value = ratio.ratio
        name = (
            "natural"
            if value is None
            else "balanced"
            if value == 1
            else f"ir{value:g}"
            if is_number(value)
            else str(value)
        )
        named["imbalance_ratio"] = name if ratio.profile == "step" or value in (None, 1) else f"{name}_{ratio.profile}"
    return {group: re.sub(r"[^\w.]+", "_", name) for group, name in named.items()}


def register_resolvers() -> None:
    """Make ``${synaug.run_folder:}`` and ``${synaug.experiment_folder:}`` known to OmegaConf."""
    OmegaConf.register_new_resolver("synaug.run_folder", run_folder, replace=True)
    OmegaConf.register_new_resolver("synaug.experiment_folder", experiment_folder, replace=True)
