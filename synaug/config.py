"""The configuration's edge: where conf/ lies, what --help prints, what a run is called."""

import logging
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from synaug import record
from synaug.errors import UserError

# What a run's folder is called whose identity cannot be told.
INVALID = "invalid"
GROUPS = ("dataset", "encoder", "imbalance_ratio", "augmenter", "classifier")


def conf_dir() -> Path:
    """The folder of configs: inside the package (a wheel) or beside it (a checkout)."""
    package = Path(__file__).resolve().parent
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


class ConsoleFormatter(logging.Formatter):
    """Messages without their traceback, which stands in the log file."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the message alone, with its level where it is a warning or worse."""
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        return level + record.getMessage()


class LogFile(logging.FileHandler):
    """A log that a full disk cuts short in silence: what cannot be recorded for it is said where that is written."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Print where an error came from, as logging does, unless the file cannot be written."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handleError(record)

    def close(self) -> None:
        """Close the file, though what it still buffers has no room."""
        with suppress(OSError):
            super().close()


def scientific_sources(config: DictConfig) -> dict[str, str]:
    """What data and weights a config stands for; `unknown` where that cannot be told (the check says why)."""
    sources = {}
    for group in ("dataset", "encoder"):
        try:
            sources[group] = instantiate(config[group], _convert_="all").source()
        except (HydraException, OmegaConfBaseException, OSError, ValueError, ImportError, AttributeError):
            sources[group] = "unknown"
    return sources


def run_folder(_root_: DictConfig) -> str:
    """Name a run's folder: readable choices and a hash of all that decides its numbers."""
    try:
        choices = run_choices(_root_, _root_.hydra.runtime.choices)
        return "-".join([*choices.values(), identity(_root_)[:8]])
    except (OmegaConfBaseException, KeyError, AttributeError, TypeError):
        return INVALID  # the check says why; Hydra would show a traceback from within an interpolation


def identity(config: DictConfig) -> str:
    """`synaug.record.identity` of a config."""
    science = {key: config[key] for key in record.SCIENTIFIC}
    resolved = {
        key: OmegaConf.to_container(part, resolve=True) if OmegaConf.is_config(part) else part
        for key, part in science.items()
    }
    return record.identity(resolved, scientific_sources(config))


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


SHIPPED_RATIOS = ("natural", "balanced", "ir2", "ir5", "ir10", "ir20", "ir50", "ir100")


def help_text(config_dir: str | None = None) -> str:
    """What ``--help`` prints: each group, its options, and the first comment line of each option's file.

    Parameters
    ----------
    config_dir
        The user's ``--config-dir``, whose options are listed, too.
    """
    lines = [
        "synaug: does making synthetic minority embeddings help, which method, and against what costs nothing?",
        "",
        "  python -m synaug augmenter=adasyn dataset=ag_news",
        "  python -m synaug --multirun augmenter=none,smote,adasyn dataset=rotten_tomatoes,trec",
        "",
    ]
    roots = [conf_dir(), *([Path(config_dir)] if config_dir else [])]
    groups = {path.parent.relative_to(root).as_posix() for root in roots for path in root.glob("**/*.yaml")} - {"."}
    for group in sorted(groups):
        lines.append(f"{group}=")
        options = {path.stem: path for root in roots for path in root.glob(f"{group}/*.yaml")}
        lines += [f"  {name:<18}{_first_comment(path)}" for name, path in sorted(options.items())]
        lines.append("")
    lines.append("Settings (group.key=value changes one of an option; --cfg job shows them all):")
    for line in (conf_dir() / "config.yaml").read_text(encoding="utf-8").splitlines():
        setting = re.match(r"(\w+): *(\S.*?) +# (.*)", line)
        if setting:
            lines.append("  {:<36}{}".format(f"{setting[1]}={setting[2]}", setting[3]))
    lines += ["", "Configs of your own: --config-dir FOLDER. Hydra's own flags: --hydra-help."]
    return "\n".join(lines)


def _first_comment(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        lines = (line for line in file if not line.startswith("# @"))  # Hydra's own header
        return next(lines, "").removeprefix("#").strip()


def register_resolvers() -> None:
    """Make ``${synaug.run_folder:}`` known to OmegaConf."""
    OmegaConf.register_new_resolver("synaug.run_folder", run_folder, replace=True)


def augmenter(config: DictConfig) -> Any:
    """Make the group's sampler and hold it to the contract of `synaug.augmenter.Augmenter`.

    Raises
    ------
    UserError
        If the target is no sampler, or rejects a parameter.
    """
    from synaug.augmenter import Augmenter

    sampler_config = OmegaConf.masked_copy(config, [str(key) for key in config if key not in ("amount", "strict")])
    sampler = instantiate(sampler_config, _convert_="all")
    validate = getattr(sampler, "_validate_params", None)
    if validate is not None and hasattr(
        sampler, "_parameter_constraints"
    ):  # scikit-learn's check, which would otherwise wait for fit_resample
        try:
            validate()
        except AttributeError as error:  # get_params finds no attribute of a parameter's name
            raise UserError(
                f"{type(sampler).__name__} hides a parameter ({error}): let its constructor store each argument under "
                "its own name, as scikit-learn's estimators do"
            ) from error
    return Augmenter(sampler, amount=config.amount, strict=config.strict)


def is_number(value: Any) -> bool:
    """Whether a setting is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)
