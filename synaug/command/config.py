"""The configuration's edge: where conf/ lies, what --help prints, what a run is called."""

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from synaug import escaping, record, settings
from synaug.command import own_files
from synaug.errors import UserError
from synaug.files import places

# What a run's folder is called whose identity cannot be told.
INVALID = "invalid"
GROUPS = ("dataset", "encoder", "imbalance_ratio", "augmenter", "classifier")
# Bytes of a run's readable choices: with its hash, and as the name of a file beside it, it still fits a file system.
LONGEST_RUN = 200


def conf_dir() -> Path:
    """The folder of configs: inside the package (a wheel) or beside it (a checkout)."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "conf"
    return inside if inside.is_dir() else package.parent / "conf"


class ConsoleFormatter(logging.Formatter):
    """Messages without their traceback, which stands in the log file."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the message alone, with its level where it is a warning or worse."""
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        return level + escaping.console(record.getMessage())


class LogFile(logging.FileHandler):
    """A log that a full disk cuts short in silence: what cannot be recorded for it is said where that is written.

    It is UTF-8 whatever the locale, and harmless on a terminal that shows it.
    """

    def __init__(self, filename: str, mode: str = "a", delay: bool = False) -> None:
        super().__init__(filename, mode, encoding="utf-8", delay=delay, errors="backslashreplace")

    def format(self, record: logging.LogRecord) -> str:
        """Format with what cannot be seen written out."""
        return escaping.console(super().format(record))

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
        except (HydraException, OmegaConfBaseException, OSError, ValueError, ImportError, AttributeError, TypeError):
            sources[group] = "unknown"
    return sources


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


def run_folder(_root_: DictConfig) -> str:
    """Name a run's folder: readable choices and a hash of all that decides its numbers."""
    try:
        choices = run_choices(_root_, _root_.hydra.runtime.choices)
        readable = "-".join(choices.values()).encode()[:LONGEST_RUN].decode(errors="ignore")
        return f"{readable}-{identity(_root_)[:8]}"
    except (OmegaConfBaseException, KeyError, AttributeError, TypeError, ValueError, OverflowError):
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
            if settings.is_number(value)
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
    if (problem := own_files.problem_of(path)) is not None:
        return f"(cannot be used: {problem})"
    with path.open(encoding="utf-8") as file:
        lines = (line for line in file if not line.startswith("# @"))  # Hydra's own header
        return next(lines, "").removeprefix("#").strip()


def register_resolvers() -> None:
    """Make ``${synaug.run_folder:}`` and ``${synaug.experiment_folder:}`` known to OmegaConf."""
    OmegaConf.register_new_resolver("synaug.run_folder", run_folder, replace=True)
    OmegaConf.register_new_resolver("synaug.experiment_folder", experiment_folder, replace=True)


def as_written(overrides: Sequence[str], config_dir: str | None = None, *, several: bool = False) -> list[str]:
    """Quote for Hydra what is text: numbers, true, false and null, and signs that Hydra's grammar does not know.

    Hydra would read ``name=2024`` as a number, ``minority=[1e3]`` as 1000.0, and ``dataset.path=données.csv`` not at
    all: quoted, they stay what the user wrote. Whole numbers in lists are the same either way, and a null of its own
    says that nothing is set: both stay.

    Parameters
    ----------
    overrides
        The command line's ``key=value`` parts.
    config_dir
        The user's ``--config-dir``. An option of theirs may have numbers under the same names as ours have text.
    several
        Whether commas part the values of a sweep.
    """
    keys = [each.partition("=")[0].lstrip("+") for each in overrides]
    written = [
        quoted(each, several=several, null=True) if key in (*GROUPS, "logger") else each
        for key, each in zip(keys, overrides, strict=True)
    ]
    of_theirs = {path.parent.name for path in own_files.chosen(written, config_dir) if _is_theirs(path)}
    texts = {name for name in settings.text_settings() if name.partition(".")[0] not in of_theirs}
    return [quoted(each, several=several) if key in texts else each for key, each in zip(keys, written, strict=True)]


def _is_theirs(path: Path) -> bool:
    return own_files.problem_of(path) is None and "_target_: synaug." not in path.read_text(encoding="utf-8")


def quoted(override: str, *, several: bool = False, null: bool = False) -> str:
    """An override of a text setting with quotes where Hydra would read something else, or nothing at all.

    Parameters
    ----------
    several
        Whether commas part the values of a sweep.
    null
        Whether null is a word, too, as where an option is chosen.
    """
    key, equals, value = override.partition("=")
    if not equals:
        return override
    pieces = re.split(r"""('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[\[\],])""", value)
    in_list = "[" in pieces
    typed = [_quote(each) if _is_typed(each, in_list, null) else each for each in pieces]
    said = f"{key}={''.join(typed)}"
    if _is_read(said):
        return said
    if several or (value.startswith("[") and value.endswith("]")):
        words = [each if each in ("", *"[],") or _is_read(f"{key}={each}") else _quote(each.strip()) for each in typed]
        if _is_read(f"{key}={''.join(words)}"):
            return f"{key}={''.join(words)}"
    return f"{key}={_quote(value)}"


def _quote(text: str) -> str:
    return str(QuotedString(text, Quote.single).with_quotes())


def _is_read(override: str) -> bool:
    """Whether Hydra's grammar knows an override."""
    try:
        OverridesParser.create().parse_override(override)
    except HydraException:
        return False
    return True


def _is_typed(word: str, in_list: bool, null: bool) -> bool:
    """Whether Hydra reads a bare word as something else than text."""
    if in_list and re.fullmatch(r"0|-?[1-9]\d*", word):
        return False  # the same either way, and earlier records have it as a number
    if not in_list and not null and word.lower() == "null":
        return False  # a setting left to its default
    typed = r"null|true|false|nan|[+-]?(inf|(\d[\d_]*)?\.?(\d[\d_]*)?(e[+-]?\d[\d_]*)?)"
    return bool(word) and re.fullmatch(typed, word, re.IGNORECASE) is not None


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


def overrides_as_written(hydra: Any) -> list[str]:
    """The overrides of a job or a sweep, given the part of the config that is Hydra's own.

    Taken one by one they would be resolved, at a place where what they refer to may have another value or none.
    """
    found = OmegaConf.to_container(hydra.overrides.task, resolve=False)
    assert isinstance(found, list)
    return [str(each) for each in found]
