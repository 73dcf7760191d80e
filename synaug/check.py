"""What is wrong in a command line or a composed config: every problem at once, before anything is loaded."""

import difflib
import inspect
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from synaug import config as configuration
from synaug.config import GROUPS, is_number
from synaug.errors import UserError

ONE_A_SWEEP = ("experiment", "name", "output_dir")
# Names of what a comparison makes.
COMPARISON_NAMES = ("picked", "free")
# Set by synaug itself, because the protocol depends on them.
OWN_TRAINER_ARGUMENTS = {
    "max_steps": "set max_steps",
    "max_epochs": "set max_steps",
    "min_steps": "set max_steps",
    "min_epochs": "set max_steps",
    "max_time": "every method gets the same number of steps",
    "logger": "choose logger=csv or logger=wandb",
    "callbacks": "they could couple the members of a stack",
    "gradient_clip_val": "clipping by the norm of all weights couples the members of a stack",
    "gradient_clip_algorithm": "clipping couples the members of a stack",
    "enable_checkpointing": "best weights are kept by member",
    "val_check_interval": "set steps_per_epoch",
    "check_val_every_n_epoch": "set steps_per_epoch",
    "limit_train_batches": "set max_steps",
    "limit_val_batches": "every validation row counts",
    "limit_predict_batches": "every test row counts",
    "fast_dev_run": "set max_steps=50",
    "strategy": "a run is one program on one device",
    "num_nodes": "a run is one program on one device",
    "accumulate_grad_batches": "set batch_size",
    "num_sanity_val_steps": "the first epoch tells as much",
    "inference_mode": "it changes nothing here",
    "use_distributed_sampler": "a run is one program on one device",
    "reload_dataloaders_every_n_epochs": "members cycle their own rows",
    "overfit_batches": "set max_steps",
}


def check(config: DictConfig) -> None:
    """Find every problem of a composed config before anything is loaded.

    Raises
    ------
    UserError
        With one line a problem.
    """
    choices = HydraConfig.get().runtime.choices
    groups = [f"{group}={choices[group]}" for group in (*GROUPS, "logger") if choices.get(group)]
    reference = compose(config_name="config", overrides=groups)
    raise_problems(list(_removed_or_broken(config, reference)))
    found = dict(_missing(config))
    for key, sentence in _unlike(config, reference, ""):
        found.setdefault(key, sentence)
    # What has the wrong name or type is not looked at again.
    sound = [str(key) for key in config if not any(each.split(".")[0] == key for each in found)]
    sentences = [*found.values(), *_out_of_range(config, sound)]
    if "trainer" in sound:
        sentences += _trainer_problems(config)
    for group in GROUPS:
        if group in sound:
            sentences += _part_problems(group, config[group])
    raise_problems(sentences)


def check_sweep(overrides: Sequence[str]) -> None:
    """Find what a sweep cannot run over, before it starts: it has one folder, and its grid is one experiment.

    Raises
    ------
    UserError
        If several experiments, names or output folders are given.
    """
    single = [each for each in overrides if each.partition("=")[0].lstrip("+") in ONE_A_SWEEP]
    for each in OverridesParser.create().parse_overrides(single):
        if each.is_sweep_override():
            raise UserError(f"{each.input_line} names several, but a sweep has one folder: give one command for each")


def raise_problems(found: Sequence[str]) -> None:
    """Raise ValueError where there are any."""
    if len(found) == 1:
        raise UserError(found[0])
    if found:
        raise UserError(f"{len(found)} problems in the configuration:\n" + "\n".join(f"  - {each}" for each in found))


def _removed_or_broken(config: DictConfig, reference: DictConfig) -> Iterator[str]:
    for key in map(str, reference):
        if key not in config or (OmegaConf.is_dict(reference[key]) and not OmegaConf.is_dict(config[key])):
            yield f"{key} is removed or null, but every run needs it: leave it as it is in --cfg job"
            continue
        try:
            if OmegaConf.is_config(config[key]):
                OmegaConf.to_container(config[key], resolve=True)
        except OmegaConfBaseException as error:
            yield f"{key} cannot be resolved ({str(error).splitlines()[0]}): mend the interpolation"


def _missing(config: DictConfig) -> Iterator[tuple[str, str]]:
    for key in sorted(OmegaConf.missing_keys(config)):
        yield key, f"{key} is required: give {key}=..."


def _unlike(config: DictConfig, reference: DictConfig, prefix: str) -> Iterator[tuple[str, str]]:
    """Keys that nothing knows, and values of another type than the option's own."""
    parameters = _parameters(config)
    known = set(map(str, reference)) | (parameters or set())
    for key in map(str, config):
        name = f"{prefix}{key}"
        value = None if OmegaConf.is_missing(config, key) else config[key]
        if name == "trainer":
            continue  # Lightning's own arguments
        if key not in known and parameters is not None:
            yield name, f"{name} is no setting{did_you_mean(key, known, prefix)}"
        elif key in reference and not OmegaConf.is_missing(reference, key):
            expected = reference[key]
            if isinstance(expected, DictConfig) and isinstance(value, DictConfig):
                if value.get("_target_") == expected.get("_target_"):
                    yield from _unlike(value, expected, f"{name}.")
            elif not _same_kind(value, expected):
                yield name, f"{name}={value} must be {_kind(expected)}, as in {name}={expected}"


def _same_kind(value: Any, expected: Any) -> bool:
    if expected is None or (isinstance(value, DictConfig) and "_target_" in value):
        return True
    return _kind(value) == _kind(expected) or (_kind(expected) == "a number" and is_number(value))


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int):
        return "a whole number"
    if isinstance(value, float):
        return "a number"
    if value is None:
        return "null"
    if OmegaConf.is_list(value):
        return "a list"
    return "a group of settings" if OmegaConf.is_dict(value) else "text"


def _parameters(config: DictConfig) -> set[str] | None:
    """Names that a config's target takes, through the base classes that its **keywords go to; None for any name."""
    target = config.get("_target_")
    if target is None:
        return set()
    try:
        found = get_object(target)
    except (ImportError, ValueError, AttributeError, HydraException):
        return set()  # instantiating it says what is wrong
    names: set[str] = {"_partial_", "_target_", "_convert_", "_recursive_"}
    for owner in found.__mro__ if inspect.isclass(found) else (found,):
        parameters = inspect.signature(owner).parameters.values()
        names |= {each.name for each in parameters}
        if not any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters):
            return names
    return None


def _out_of_range(config: DictConfig, sound: Container[str]) -> Iterator[str]:
    for key, least in (("n_folds", 2), ("max_steps", 1), ("steps_per_epoch", 1), ("batch_size", 1)):
        if key in sound and config[key] < least:
            yield f"{key}={config[key]} must be at least {least}"
    if "max_steps" in sound and "steps_per_epoch" in sound and config.max_steps % max(config.steps_per_epoch, 1):
        yield (
            f"max_steps={config.max_steps} must be a multiple of steps_per_epoch={config.steps_per_epoch}, "
            "which is how often the validation loss is looked at: set both"
        )
    if "seeds" in sound:
        seeds = list(config.seeds)
        if not seeds or len(set(seeds)) != len(seeds) or not all(isinstance(seed, int) for seed in seeds):
            yield f"seeds={seeds} must be a list of distinct whole numbers, e.g. seeds=[0,1,2]"
    if "validation" in sound and not 0 < config.validation.share < 1:
        yield f"validation.share={config.validation.share} must lie between 0 and 1, e.g. 0.1"
    if "target_prior" in sound and config.target_prior not in ("uniform", "natural"):
        yield f"target_prior={config.target_prior} must be uniform or natural"
    elif "imbalance_ratio" in sound and config.target_prior == "natural" and config.imbalance_ratio.get("ratio"):
        yield "target_prior=natural needs imbalance_ratio=natural: where classes are thinned, test folds are balanced"
    if config.threads is not None and not (isinstance(config.threads, int) and config.threads >= 1):
        yield f"threads={config.threads} must be a positive whole number, or null"
    if HydraConfig.get().runtime.choices.get("augmenter") in COMPARISON_NAMES:
        yield f"no augmenter may be called {' or '.join(COMPARISON_NAMES)}, which the comparison makes: rename its file"
    if not re.fullmatch(r"\w[\w.-]*", str(config.name)):
        yield f"name={config.name!r} becomes a folder: use letters, digits, '.', '-' and '_'"


def _trainer_problems(config: DictConfig) -> Iterator[str]:
    from pytorch_lightning import Trainer

    known = set(inspect.signature(Trainer.__init__).parameters) - {"self"}
    devices = config.trainer.get("devices", 1)
    if (len(devices) if OmegaConf.is_list(devices) else devices) not in (1, "auto"):
        yield f"trainer.devices={devices} must be one: a run is one program; spread a sweep's jobs over devices instead"
    for key in map(str, config.trainer):
        if key in OWN_TRAINER_ARGUMENTS:
            yield f"trainer.{key} is synaug's own: {OWN_TRAINER_ARGUMENTS[key]}"
        elif key not in known:
            yield f"trainer.{key} is no argument of Lightning's Trainer{did_you_mean(key, known, 'trainer.')}"


def _part_problems(group: str, config: DictConfig) -> Iterator[str]:
    """Make the part (that loads nothing) and let it say what it cannot accept."""
    try:
        if group == "classifier":
            instantiate(config, _convert_="all")(
                n_features=2, n_classes=2, minority=[1], seeds=[0]
            ).configure_optimizers()
        elif group == "augmenter":
            configuration.augmenter(config)
        else:
            instantiate(config, _convert_="all")
    except (HydraException, OmegaConfBaseException, ValueError, TypeError, AttributeError) as error:
        cause = error.__cause__ if isinstance(error, HydraException) and error.__cause__ else error
        sentence = " ".join(str(cause).split())
        yield sentence if sentence.startswith(group) else f"{group}: {sentence}"


def override_problems(overrides: Sequence[str], config_dir: str | None) -> list[str]:
    """Say what Hydra could not place, with near misses.

    Parameters
    ----------
    overrides
        The command line's ``key=value`` parts.
    config_dir
        The user's ``--config-dir``.
    """
    parsed = OverridesParser.create().parse_overrides(list(overrides))
    with initialize_config_dir(str(configuration.conf_dir()), version_base="1.3"):
        search = [f"hydra.searchpath=[file://{Path(config_dir).resolve()}]"] if config_dir else []
        options = {group: _options(group, config_dir) for group in (*GROUPS, "logger", "experiment")}
        problems: list[str] = []
        chosen: dict[str, list[str]] = {}
        for each in parsed:
            known = options.get(each.key_or_group)
            if known is None:
                continue
            values = list(each.sweep_string_iterator()) if each.is_sweep_override() else [str(each.value())]
            for value in values:
                if value in known:
                    chosen.setdefault(each.key_or_group, []).append(f"{each.key_or_group}={value}")
                else:
                    near = did_you_mean(value, known, "") or f": choose among {', '.join(known)}"
                    problems.append(f"{each.key_or_group}={value} is no option{near}")
        first = [values[0] for values in chosen.values()]
        others = [value for values in chosen.values() for value in values[1:]]
        composed = [compose(config_name="config", overrides=[*search, *first, *other]) for other in ([], *zip(others))]
        for each in parsed:
            key = each.key_or_group
            if key in options or key.startswith("hydra") or each.is_delete() or each.is_add() or each.is_force_add():
                continue
            parent, _, leaf = key.rpartition(".")
            keys = {name for config in composed for name in _keys(config, parent)}
            if leaf in keys:
                continue
            if parent == "trainer" and leaf in OWN_TRAINER_ARGUMENTS:
                problems.append(f"{key} is synaug's own: {OWN_TRAINER_ARGUMENTS[leaf]}")
            else:
                near = did_you_mean(leaf, keys, f"{parent}." if parent else "")
                if key == "dataset.path":
                    near = " of this data set: give dataset=files, too"
                problems.append(f"{key} is no setting{near or f': +{key}=... gives one that only its target knows'}")
    return problems


def _options(group: str, config_dir: str | None) -> list[str]:
    names = set(GlobalHydra.instance().config_loader().get_group_options(group))
    if config_dir:
        names |= {path.stem for path in Path(config_dir, group).glob("*.yaml")}
    return sorted(names)


def _keys(config: DictConfig, parent: str) -> list[str]:
    node = OmegaConf.select(config, parent) if parent else config
    return [str(name) for name in node] if isinstance(node, DictConfig) else []


def did_you_mean(word: str, known: Iterable[str], prefix: str) -> str:
    """`: did you mean …?` with the nearest of the known words, or nothing."""
    near = difflib.get_close_matches(word, sorted(known), n=1)
    return f": did you mean {prefix}{near[0]}?" if near else ""
