"""What a command line cannot ask for: before Hydra starts and makes a folder, and what Hydra could not place."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, RangeSweep
from omegaconf import DictConfig, OmegaConf

from synaug.command import arguments, user_configs
from synaug.command.check.sentences import example, raise_problems, several, type_said
from synaug.command.overrides import choice
from synaug.errors import UserError
from synaug.files import places
from synaug.settings import (
    CHANGING_GROUPS,
    GROUPS,
    OF_A_METHOD,
    OPTION_GROUPS,
    OWN_TRAINER_ARGUMENTS,
    conf_dir,
    did_you_mean,
    written,
)

# Flags of Hydra's each of which says what is to be done, and what follows --shell-completion.
WHAT_TO_DO = ("--multirun", "--run", "--cfg", "--info", "--shell-completion")
OF_COMPLETION = ("install=", "uninstall=", "query=")
ONE_A_SWEEP = ("experiment", "name", "output_dir")

_KEYS_OF_A_COMMAND = (*OPTION_GROUPS, "method", *ONE_A_SWEEP, "cache_dir")


def check_command_line(overrides: Sequence[str], config_dir: str | None = None) -> None:
    """Find what a command line cannot ask for, before Hydra starts and makes a folder.

    Parameters
    ----------
    overrides
        The command line's ``key=value`` parts.
    config_dir
        The user's ``--config-dir``, whose files are looked at where the command line chooses them.

    Raises
    ------
    UserError
        If a chosen file of the user's cannot be read, a group is given a list, several experiments, names or output
        folders are given, or a name or a folder cannot be used.
    """
    problems = [
        said for path in user_configs.chosen(overrides, config_dir) if (said := _file_problem(path, config_dir))
    ]
    for argument in overrides:
        for group, option in user_configs.options(argument):
            if group in OPTION_GROUPS and option.endswith(".yaml"):  # Hydra would take it, and name the run after it
                problems.append(f"{group}={option} names a file: write {group}={option.removesuffix('.yaml')}")
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    problems += _chosen_twice(parsed)
    for override in parsed:
        key = override.key_or_group
        if override.is_delete():
            continue
        if (problem := _axis_problem(override, config_dir)) is not None:
            problems.append(problem)
            continue
        if key not in _KEYS_OF_A_COMMAND:
            continue
        if override.is_sweep_override():
            if key in ONE_A_SWEEP:
                problems.append(
                    f"{override.input_line} names several, but a sweep has one folder: give one command for each"
                )
            continue
        value = override.value()
        if key in (*OPTION_GROUPS, "method") and isinstance(value, list):
            problem = several(key, value)
        elif key == "name" and not _is_interpolation(value):
            problem = places.name_problem(value)
        elif key in ("output_dir", "cache_dir") and not _is_interpolation(value):
            problem = places.place_problem(key, value)
        problems += [problem] if problem else []
    raise_problems(problems)


def check_flags(flags: Sequence[str], overrides: Sequence[str]) -> None:
    """Find Hydra's flags that do not go together, of which Hydra raises a plain ValueError.

    Raises
    ------
    UserError
        If two of them each say what is to be done, or one lacks that which it belongs to.
    """
    given, _ = arguments.parser().parse_known_args(list(flags))
    if given.hydra_help or given.help or given.version:  # which Hydra does, whatever stands beside it
        return
    what = [flag for flag in WHAT_TO_DO if getattr(given, flag.removeprefix("--").replace("-", "_"))]
    if len(what) > 1:
        remedy = "leave --multirun out" if "--multirun" in what else "give only one of them"
        raise UserError(f"{what[0]} and {what[1]} cannot be used together: {remedy}")
    for flag, value in (("--resolve", given.resolve), ("--package", given.package)):
        if value and given.cfg is None:
            raise UserError(f"{flag} only works together with --cfg: add --cfg job, or leave it out")
    if given.shell_completion and not any(each.startswith(OF_COMPLETION) for each in overrides):
        raise UserError(
            "--shell-completion is not enough: set up completion with synaug completion bash (or zsh, fish)"
        )
    rerun = given.experimental_rerun
    if rerun is not None and not Path(rerun).is_file():
        raise UserError(f"--experimental-rerun {rerun} is not a file: give the command of that run again instead")


def _file_problem(path: Path, config_dir: str | None) -> str | None:
    """What is wrong with a file of the user's that a command line chooses."""
    assert config_dir is not None
    if (conf_dir() / path.relative_to(config_dir)).is_file():
        return f"{path} has the name of an option that synaug brings, which Hydra would take instead: rename it"
    return user_configs.problem_of(path)


def _axis_problem(override: Override, config_dir: str | None) -> str | None:
    """What is wrong with the values of a sweep, whatever setting they are of."""
    key = override.key_or_group
    if key == "hydra":
        return f"{override.input_line} is no setting: Hydra's own are given one by one, e.g. hydra.key=..."
    if key in ("hydra.launcher", "hydra.sweeper"):
        return f"{override.input_line} is no setting: an option of Hydra's is chosen by {key.replace('.', '/')}=..."
    if override.is_interval_sweep():
        return f"{override.input_line} is an interval, which no sweep here can try: list the values, {key}=1,2,3"
    value: Any = override.value()
    if isinstance(value, Glob) and key not in (*OPTION_GROUPS, *CHANGING_GROUPS) and not key.startswith("hydra/"):
        return f"{override.input_line} looks for options, but {key} is no group: list the values, {key}=1,2,3"
    if isinstance(value, Glob) and key in GROUPS:
        roots = [conf_dir(), *([Path(config_dir)] if config_dir else [])]
        known = sorted({path.stem for root in roots for path in root.glob(f"{key}/*.yaml")})
        if not value.filter(known):
            return f"{override.input_line} finds no option: choose among {', '.join(known)}"
    if isinstance(value, RangeSweep) and (not value.step or next(iter(value.range()), None) is None):
        return f"{override.input_line} is an empty range, so no job: give the first value and one above the last"
    return None


def _chosen_twice(parsed: Sequence[Override]) -> list[str]:
    """A method beside an augmenter or a loss: Hydra would take the one and call the run after the other."""
    lines = {override.key_or_group: str(override.input_line) for override in parsed}
    method = lines.get("method", "method=null")
    others = [lines[group] for group in OF_A_METHOD if group in lines]
    if method == "method=null" or not others:
        return []
    return [
        f"{method} chooses the augmenter and the loss, and so {'does' if len(others) == 1 else 'do'} "
        f"{' '.join(others)}: leave one of them out"
    ]


def _is_interpolation(value: Any) -> bool:
    return isinstance(value, str) and "${" in value


def unplaced(overrides: Sequence[str], config_dir: str | None) -> list[str]:
    """Say what Hydra could not place, with near misses.

    Parameters
    ----------
    overrides
        The command line's ``key=value`` parts.
    config_dir
        The user's ``--config-dir``.
    """
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        options = {group: _options(group, config_dir) for group in (*OPTION_GROUPS, *CHANGING_GROUPS)}
        problems: list[str] = []
        chosen: dict[str, list[str]] = {}
        for override in parsed:
            if override.key_or_group in options:
                found, of_group = _chosen(override, options[override.key_or_group])
                problems += of_group
                if found:
                    chosen.setdefault(override.key_or_group, []).extend(found)
        search = [f"hydra.searchpath=[file://{Path(config_dir).resolve()}]"] if config_dir else []
        first = [values[0] for values in chosen.values()]
        others = [value for values in chosen.values() for value in values[1:]]
        composed = [compose(config_name="config", overrides=[*search, *first, *other]) for other in ([], *zip(others))]
        for override in parsed:
            is_new = override.is_delete() or override.is_add() or override.is_force_add()
            if override.key_or_group not in options and not override.key_or_group.startswith("hydra") and not is_new:
                problems += _unknown(override, composed)
    return problems


def _chosen(override: Override, options: Sequence[str]) -> tuple[list[str], list[str]]:
    """Which of a group's options are chosen, each as an override of its own; and what is wrong with the others."""
    group = override.key_or_group
    if override.is_delete():
        return [], [f"{override.input_line} removes what every run needs: choose among {', '.join(options)}"]
    values = list(override.sweep_string_iterator()) if override.is_sweep_override() else [override.value()]
    words = ["null" if value is None else str(value) for value in values]
    problems = []
    for word in words:
        if word not in options:
            near = did_you_mean("none" if word == "null" else word, options, "")
            remedy = f": choose among {', '.join(options)}"
            problems.append(f"{group}={word} is no option{near or remedy}")
    return [choice(group, word) for word in words if word in options], problems


def _unknown(override: Override, composed: Sequence[DictConfig]) -> list[str]:
    """What is wrong with a setting that none of these configs has, or has of another kind."""
    key = override.key_or_group
    parent, _, leaf = key.rpartition(".")
    if not leaf:
        return [f"{override.input_line} names no setting: write key=value or group=option"]
    keys = {name for config in composed for name in _keys(config, parent)}
    if leaf in keys:
        return _unmergeable(key, override, composed)
    if parent == "trainer" and leaf in OWN_TRAINER_ARGUMENTS:
        return [f"{key} is synaug's own: {OWN_TRAINER_ARGUMENTS[leaf]}"]
    near = did_you_mean(leaf, keys, f"{parent}." if parent else "")
    if not parent and (of_group := did_you_mean(leaf, (*OPTION_GROUPS, *CHANGING_GROUPS), "")):
        near = of_group.replace("?", "=?")
    if key == "dataset.path":
        near = " of this data set: give dataset=files, too"
    other = "--cfg job lists them all"
    if parent.partition(".")[0] in OPTION_GROUPS:
        other = f"write +{key}=... if the class or function it is for takes it"
    elif parent == "trainer":
        other = f"write +{key}=... if Lightning's Trainer takes it"
    return [f"{key} is no setting{near or f': {other}'}"]


def _unmergeable(key: str, override: Override, composed: Sequence[DictConfig]) -> list[str]:
    """A list where there are settings, or settings where there is a list: Hydra cannot put one into the other."""
    if override.is_sweep_override():
        return []
    value = override.value()
    here = [expected for config in composed if OmegaConf.is_config(expected := OmegaConf.select(config, key))]
    if not here or not isinstance(value, list | dict) or isinstance(value, list) == OmegaConf.is_list(here[0]):
        return []
    return [f"{key}={written(value)} must be {type_said(here[0])}, as in {example(key, here[0])}"]


def _options(group: str, config_dir: str | None) -> list[str]:
    names = set(GlobalHydra.instance().config_loader().get_group_options(group))
    if config_dir:
        names |= {path.stem for path in Path(config_dir, group).glob("*.yaml")}
    return sorted(names)


def _keys(config: DictConfig, parent: str) -> list[str]:
    node = OmegaConf.select(config, parent) if parent else config
    return [str(name) for name in node] if isinstance(node, DictConfig) else []
