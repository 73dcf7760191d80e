"""What is wrong in a command line or a composed config: every problem at once, before anything is loaded.

What is cheap comes first and is said at once: names, types, ranges, places, files. Only a config that is sound so far
is worth the seconds that it takes to import what augments, trains and logs, and to make those parts.
"""

import inspect
import logging
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override, Quote, QuotedString, RangeSweep
from hydra.errors import HydraException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from synaug import settings
from synaug.command import config as configuration
from synaug.command import own_files
from synaug.command.config import GROUPS
from synaug.errors import UserError
from synaug.files import places
from synaug.settings import did_you_mean, is_number, written

ONE_A_SWEEP = ("experiment", "name", "output_dir")
# Names of what a comparison makes.
COMPARISON_NAMES = ("picked", "free")
# How Hydra says which part of a config it could not make.
FULL_KEY = re.compile(r"full_key: ([\w.]+)\s*$")
# What each part is asked for in a run. Those of the first three import nothing heavy.
LIGHT = {
    "dataset": ("source", "load"),
    "encoder": ("source", "identity", "encode"),
    "imbalance_ratio": ("minority_classes", "rows_to_keep"),
}
HEAVY = ("augmenter", "classifier")
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
    "model_registry": "no checkpoints are written that could go there",
    "val_check_interval": "set steps_per_epoch",
    "check_val_every_n_epoch": "set steps_per_epoch",
    "limit_train_batches": "set max_steps",
    "limit_val_batches": "every validation row counts",
    "limit_test_batches": "every test row counts",
    "limit_predict_batches": "every test row counts",
    "fast_dev_run": "set max_steps=50",
    "strategy": "a run is one program on one device",
    "num_nodes": "a run is one program on one device",
    "plugins": "a run is one program on one device",
    "sync_batchnorm": "a run is one program on one device",
    "accumulate_grad_batches": "set batch_size",
    "num_sanity_val_steps": "the first epoch tells as much",
    "inference_mode": "it changes nothing here",
    "use_distributed_sampler": "a run is one program on one device",
    "reload_dataloaders_every_n_epochs": "members cycle their own rows",
    "overfit_batches": "set max_steps",
    "barebones": "it would leave out the looks at the validation loss",
}


def check(config: DictConfig) -> None:
    """Find every problem of a composed config before anything is loaded.

    Raises
    ------
    UserError
        With one line a problem: first all of `check_settings`, then all of `check_parts`.
    """
    check_parts(config, check_settings(config))


def check_settings(config: DictConfig) -> DictConfig:
    """Find all that can be seen without importing what augments, trains or logs.

    Returns
    -------
    DictConfig
        The same options as they are before anything in them is set.

    Raises
    ------
    UserError
        With one line a problem.
    """
    choices = HydraConfig.get().runtime.choices
    groups = (*GROUPS, "logger")
    raise_problems([_several(group, choices[group]) for group in groups if OmegaConf.is_list(choices.get(group))])
    reference = compose("config", [_choice(group, choices[group]) for group in groups if choices.get(group)])
    raise_problems(list(_removed_or_broken(config, reference)))
    raise_problems(_light_problems(config, reference))
    return reference


def check_parts(config: DictConfig, reference: DictConfig) -> None:
    """Find what only the heavy libraries can say, by making the parts; to be called after `check_settings`.

    Raises
    ------
    UserError
        With one line a problem.
    """
    raise_problems(_heavy_problems(config, reference))


def _choice(group: str, option: str) -> str:
    """An override that chooses an option, whatever its file is called."""
    return f"{group}={QuotedString(option, Quote.single).with_quotes()}"


def check_sweep(overrides: Sequence[str], config_dir: str | None = None) -> None:
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
    found = [said for path in own_files.chosen(overrides, config_dir) if (said := own_files.problem_of(path))]
    for each in OverridesParser.create().parse_overrides(list(overrides)):
        key = each.key_or_group
        if each.is_delete():
            continue
        if (problem := _axis_problem(each, config_dir)) is not None:
            found.append(problem)
            continue
        if key not in _KEYS_OF_A_COMMAND:
            continue
        if each.is_sweep_override():
            if key in ONE_A_SWEEP:
                found.append(f"{each.input_line} names several, but a sweep has one folder: give one command for each")
            continue
        value = each.value()
        if key in (*GROUPS, "logger") and isinstance(value, list):
            problem = _several(key, value)
        elif key == "name" and not _is_interpolation(value):
            problem = places.name_problem(value)
        elif key in ("output_dir", "cache_dir") and not _is_interpolation(value):
            problem = places.place_problem(key, value)
        found += [problem] if problem else []
    raise_problems(found)


def _axis_problem(override: Override, config_dir: str | None) -> str | None:
    """What is wrong with the values of a sweep, whatever setting they are of."""
    key = override.key_or_group
    if key in ("hydra.launcher", "hydra.sweeper"):
        return f"{override.input_line} is no setting: an option of Hydra's is chosen by {key.replace('.', '/')}=..."
    if override.is_interval_sweep():
        return f"{override.input_line} is an interval, which no sweep here can try: list the values, {key}=1,2,3"
    value: Any = override.value()
    if isinstance(value, Glob) and key not in (*GROUPS, "logger", "experiment") and not key.startswith("hydra/"):
        return f"{override.input_line} looks for options, but {key} is no group: list the values, {key}=1,2,3"
    if isinstance(value, Glob) and key in GROUPS:
        roots = [configuration.conf_dir(), *([Path(config_dir)] if config_dir else [])]
        known = sorted({path.stem for root in roots for path in root.glob(f"{key}/*.yaml")})
        if not value.filter(known):
            return f"{override.input_line} finds no option: choose among {', '.join(known)}"
    if isinstance(value, RangeSweep) and (not value.step or next(iter(value.range()), None) is None):
        return f"{override.input_line} is an empty range, so no job: give the first value and one above the last"
    return None


_KEYS_OF_A_COMMAND = (*GROUPS, "logger", *ONE_A_SWEEP, "cache_dir")


def _is_interpolation(value: Any) -> bool:
    return isinstance(value, str) and "${" in value


def _several(group: str, options: Iterable[Any]) -> str:
    names = ",".join(map(str, options))
    return (
        f"{group}=[{names}] is a list, but a run has one {group}: give one, or all of them in a sweep, "
        f"--multirun {group}={names}"
    )


def raise_problems(found: Sequence[str]) -> None:
    """Raise a UserError where there are any."""
    if len(found) == 1:
        raise UserError(found[0])
    if found:
        raise UserError(f"{len(found)} problems in the configuration:\n" + "\n".join(f"  - {each}" for each in found))


def _removed_or_broken(config: DictConfig, reference: DictConfig) -> Iterator[str]:
    for key in map(str, reference):
        try:
            value = None if OmegaConf.is_missing(config, key) else config.get(key)
            if OmegaConf.is_config(value):
                OmegaConf.to_container(value, resolve=True)
        except OmegaConfBaseException as error:
            yield f"{key} cannot be resolved ({str(error).splitlines()[0]}): correct the ${{...}} in it"
            continue
        if key not in config or (OmegaConf.is_dict(reference[key]) and value is None):
            yield f"{key} is removed or null, but every run needs it: do not remove it"
        elif OmegaConf.is_dict(reference[key]) and not OmegaConf.is_dict(value):
            yield (
                f"{key}={written(_plain(value))} must be a group of settings: set one of them, as in "
                f"{_example(key, reference[key])}"
            )


def _removed(config: DictConfig, reference: DictConfig, prefix: str = "") -> Iterator[str]:
    """Settings of the run or of what is made that the option has and the config lacks."""
    present = set(map(str, config))  # those without a value, too
    for key in map(str, reference):
        name = f"{prefix}{key}"
        if key not in present:
            if name in settings.OF_A_RUN or OmegaConf.is_missing(reference, key):
                yield name
        elif isinstance(here := config._get_node(key), DictConfig) and isinstance(
            there := reference._get_node(key), DictConfig
        ):
            yield from _removed(here, there, f"{name}.")
    if prefix.rstrip(".") in GROUPS and "_target_" not in present:
        yield f"{prefix}_target_"


def _plain(value: Any) -> Any:
    """A value as plain Python."""
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def _example(name: str, value: Any) -> str:
    """A setting as it might be written; of a group, its first one."""
    if isinstance(value, DictConfig):
        first = next((str(key) for key in value if not str(key).startswith("_")), None)
        return f"{name}={{}}" if first is None else _example(f"{name}.{first}", value._get_node(first))
    return f"{name}={written(_plain(value) if not hasattr(value, '_value') else value._value())}"


def _light_problems(config: DictConfig, reference: DictConfig) -> list[str]:
    """All that can be said without importing what augments, trains or logs."""
    found = {key: f"{key} is required: give {key}=..." for key in sorted(OmegaConf.missing_keys(config))}
    for key in _removed(config, reference):
        group, _, leaf = key.rpartition(".")
        found[key] = (
            f"{group} has no _target_, which names what is made: write one into its file, or choose another option"
            if leaf == "_target_"
            else f"{key} is missing, but every run needs it: give it, or leave it as it is in --cfg job"
        )
    for key, sentence in (*settings.problems(config), *_unlike(config, reference, ""), *_of_places(config)):
        found.setdefault(key, sentence)
    sentences = [*found.values(), *_at_odds(config, found)]
    for key in map(str, config.trainer):
        if key in OWN_TRAINER_ARGUMENTS:
            sentences.append(f"trainer.{key} is synaug's own: {OWN_TRAINER_ARGUMENTS[key]}")
        elif settings.kind_of(f"trainer.{key}", None) is None:
            known = {name.partition(".")[2] for name in settings.OF_A_RUN if name.startswith("trainer.")}
            sentences.append(
                f"trainer.{key} is no argument of Lightning's Trainer{did_you_mean(key, known, 'trainer.')}"
            )
    for group, needed in LIGHT.items():
        if not _touches(found, group):
            sentences += _part_problems(group, config[group], needed)
    return sentences


def _touches(found: Iterable[str], group: str) -> bool:
    """Whether a problem is of a group: a part of it is not made, as it would say the same again."""
    return any(key.split(".")[0] == group for key in found)


def _of_places(config: DictConfig) -> Iterator[tuple[str, str]]:
    if (problem := places.name_problem(config.name)) is not None:
        yield "name", problem
    for key in ("output_dir", "cache_dir"):
        if (problem := places.place_problem(key, _plain(config[key]))) is not None:
            yield key, problem


def _unlike(config: DictConfig, reference: DictConfig, prefix: str) -> Iterator[tuple[str, str]]:
    """Keys that nothing knows, and values of another type than the option's own.

    What a heavy target takes is asked later, by `_unknown`.
    """
    is_heavy = prefix.split(".")[0] in (*HEAVY, "logger")
    known = set(map(str, reference)) | (set() if is_heavy else _parameters(config) or set())
    takes_any = is_heavy or _parameters(config) is None
    for key in map(str, config):
        name = f"{prefix}{key}"
        value = None if OmegaConf.is_missing(config, key) else config[key]
        if name == "trainer":
            continue  # Lightning's own arguments
        if key not in known:
            if not takes_any:
                near = did_you_mean(key, known, prefix)
                if key == "experiment":  # the settings of an experiment's file are those of the run
                    near = ", but the name of a group: begin its file with the line '# @package _global_'"
                yield name, f"{name} is no setting{near or ': leave it out (--cfg job lists them)'}"
        elif key in reference and not OmegaConf.is_missing(reference, key):
            expected = reference[key]
            if isinstance(expected, DictConfig) and isinstance(value, DictConfig):
                if value.get("_target_") == expected.get("_target_"):
                    yield from _unlike(value, expected, f"{name}.")
            elif settings.kind_of(name, config.get("_target_")) is None and not _same_kind(value, expected):
                yield (
                    name,
                    f"{name}={written(_plain(value))} must be {_kind(expected)}, as in {_example(name, expected)}",
                )


def _unknown(config: DictConfig, reference: DictConfig, prefix: str) -> Iterator[str]:
    """Keys of a heavy part that neither its option nor its target knows."""
    takes = _parameters(config)
    for key in map(str, config):
        value = config[key]
        if key in reference:
            if isinstance(value, DictConfig) and isinstance(reference[key], DictConfig):
                yield from _unknown(value, reference[key], f"{prefix}{key}.")
        elif takes is not None and key not in takes:
            yield f"{prefix}{key} is no setting{did_you_mean(key, takes | set(map(str, reference)), prefix)}"


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
    except (ImportError, ValueError, AttributeError, TypeError, HydraException):
        return None  # instantiating it says what is wrong
    names: set[str] = {"_partial_", "_target_", "_convert_", "_recursive_"}
    for owner in found.__mro__ if inspect.isclass(found) else (found,):
        try:
            parameters = inspect.signature(owner).parameters.values()
        except (TypeError, ValueError):  # no function, or one of C without a signature
            return None
        names |= {each.name for each in parameters}
        if not any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters):
            return names
    return None


def _at_odds(config: DictConfig, found: Iterable[str]) -> Iterator[str]:
    """Settings that are sound by themselves but not together."""
    wrong = set(found)
    if not wrong & {"max_steps", "steps_per_epoch"} and config.max_steps % config.steps_per_epoch:
        yield (
            f"max_steps={config.max_steps} must be a multiple of steps_per_epoch={config.steps_per_epoch}, "
            "which is how often the validation loss is looked at: set both"
        )
    if (
        "target_prior" not in wrong
        and config.target_prior == "natural"
        and not _touches(wrong, "imbalance_ratio")
        and config.imbalance_ratio.get("ratio")
    ):
        yield "target_prior=natural needs imbalance_ratio=natural: where classes are thinned, test folds are balanced"
    if HydraConfig.get().runtime.choices.get("augmenter") in COMPARISON_NAMES:
        yield f"no augmenter may be called {' or '.join(COMPARISON_NAMES)}, the comparison's names: rename its file"


# What a part's constructor raises for values that it cannot take. Hydra hands it on inside of an error of its own.
logging.getLogger("hydra.utils").addFilter(lambda record: "Error getting object" not in record.msg)  # said by us
REFUSALS = (HydraException, OmegaConfBaseException, ValueError, TypeError, AttributeError, OverflowError)


def _part_problems(group: str, config: DictConfig, needed: Sequence[str]) -> Iterator[str]:
    """Make the part (that loads nothing), let it say what it cannot accept, and look whether its files are there."""
    try:
        part = instantiate(config, _convert_="all")
    except REFUSALS as error:
        yield _sentence(group, error)
        return
    lacking = [name for name in needed if not callable(getattr(part, name, None))]
    if lacking:
        yield (
            f"{group}._target_={config.get('_target_')} makes no {group}: it lacks {', '.join(lacking)}; "
            f"choose one with {group}=..."
        )
        return
    try:
        look = getattr(part, "look", None)
        if look is not None:
            look()
        elif group == "dataset":
            part.source()
    except (ValueError, OSError) as error:
        yield _sentence(group, error)


def _sentence(group: str, error: Exception) -> str:
    """What making a part says, behind the name of the setting that it says it of."""
    named = FULL_KEY.search(str(error)) if isinstance(error, HydraException) else None
    place = group if named is None or named[1] == group else f"{group}.{named[1].removeprefix(f'{group}.')}"
    cause = error.__cause__ if isinstance(error, HydraException) and error.__cause__ else error
    if isinstance(cause, OSError) and cause.filename is not None:
        return f"{cause.filename}: {cause.strerror}: correct the settings of {group}"
    sentence = " ".join(str(cause).split()) or type(cause).__name__
    if sentence.startswith(f"{group}."):  # as the class says it, wherever in the group it is used
        return f"{place}.{sentence.removeprefix(f'{group}.')}"
    return sentence if sentence.startswith(group) else f"{place}: {sentence}"


def _heavy_problems(config: DictConfig, reference: DictConfig) -> list[str]:
    """What only the libraries can say: their parts are made and tried on a few numbers."""
    sentences: list[str] = []
    for group in (*HEAVY, "logger"):
        sentences += _unknown(config[group], reference[group], f"{group}.")
    if sentences:
        return sentences
    return [
        *_augmenter_problems(config.augmenter),
        *_classifier_problems(config.classifier),
        *_device_problems(config.encoder),
        *_trainer_problems(config.trainer),
        *_logger_problems(config.logger),
    ]


def _augmenter_problems(config: DictConfig) -> Iterator[str]:
    try:
        configuration.augmenter(config)
    except REFUSALS as error:
        yield _sentence("augmenter", error)


def _classifier_problems(config: DictConfig) -> Iterator[str]:
    """Take one step with a tiny classifier: an optimiser's and a loss's own checks come as late as that."""
    import torch
    from pytorch_lightning import LightningModule

    part, target = "classifier", f"classifier._target_={config.get('_target_')}"
    try:
        with torch.random.fork_rng(devices=[]):
            made = instantiate(config, _convert_="all")
            if not callable(made):
                yield f"{target} makes no classifier: set classifier._partial_=true"
                return
            tiny: Any = made(n_features=2, n_classes=2, minority=[1], seeds=[0])
            if not isinstance(tiny, LightningModule):
                yield f"{target} makes no LightningModule: choose classifier=mlp"
                return
            part = "classifier.optimizer"
            optimizer = tiny.configure_optimizers()
            part = "classifier.loss"
            losses = _tiny_losses(tiny)
            if losses is None:  # one of the user's own, which may keep its loss elsewhere
                return
            if losses.shape != (2,) or not torch.isfinite(losses).all():
                yield f"classifier.loss gives {losses.tolist()} for two rows: choose one that gives each row a number"
                return
            losses.sum().backward()
            part = "classifier.optimizer"
            if isinstance(optimizer, torch.optim.Optimizer):
                optimizer.step()
    except (*REFUSALS, RuntimeError, AssertionError) as error:
        yield _sentence(part, error)


def _tiny_losses(classifier: Any) -> Any:
    """A classifier's losses of two rows, one of each class; None if it has no attribute `loss`."""
    import torch

    loss = getattr(classifier, "loss", None)
    if loss is None:
        return None
    logits = classifier(torch.tensor([[[0.0, 1.0], [1.0, 0.0]]]))[0]
    return loss(logits, torch.tensor([0, 1]), reduction="none")


def _device_problems(config: DictConfig) -> Iterator[str]:
    """Try the devices that an encoder names, which it would use only for texts that are not cached."""
    import torch

    given = config.get("device")
    if config.get("_target_") != "synaug.encoder.TransformerEncoder" or given is None:
        return
    for name in [given] if isinstance(given, str) else given:
        try:
            torch.empty(1, device=name)
        except (
            RuntimeError,
            AssertionError,
            NotImplementedError,
        ) as error:  # AssertionError: torch was built without it
            reason = str(error).strip().splitlines()[0]
            yield f"encoder.device={name} cannot be used ({reason}): choose another, or null"


def _trainer_problems(config: DictConfig) -> Iterator[str]:
    """Make Lightning's Trainer, as a run will: what a machine has, it alone knows."""
    from lightning_fabric.utilities.exceptions import MisconfigurationException
    from pytorch_lightning import Trainer

    from synaug.run import quieten_lightning

    quieten_lightning()
    arguments: dict[str, Any] = _plain(config)
    given = ", ".join(f"trainer.{key}={written(value)}" for key, value in arguments.items() if "enable" not in key)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trainer = Trainer(**{**arguments, **quiet, "enable_model_summary": False})
    except (MisconfigurationException, *REFUSALS, RuntimeError, ImportError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        yield f"{given} cannot be used here ({reason}): set trainer.accelerator=auto and trainer.devices=1"
        return
    if trainer.num_devices != 1:
        yield (
            f"trainer.devices={written(arguments.get('devices'))} must be one: a run is one program; "
            "spread a sweep's jobs over devices instead"
        )


def _logger_problems(config: DictConfig) -> Iterator[str]:
    """Find what a logger will not take, without starting what it logs to."""
    target = config.get("_target_")
    if target is None:
        return
    from pytorch_lightning.loggers import CSVLogger, Logger

    from synaug.tracking import run as tracking

    arguments: dict[str, Any] = _plain(config)
    del arguments["_target_"]
    try:
        found = get_object(target)
        if found is tracking.wandb_logger:
            tracking.run_settings(**arguments)
        elif found is CSVLogger:
            instantiate(config, _convert_="all")  # which writes nothing before the first number
        elif not callable(found) or (inspect.isclass(found) and not issubclass(found, Logger)):
            yield f"logger._target_={target} is no logger of Lightning's: choose one with logger=..."
        else:  # one of the user's own, which may start something when it is made
            inspect.signature(found).bind(**{key: value for key, value in arguments.items() if key[:1] != "_"})
    except (*REFUSALS, ImportError) as error:
        yield _sentence("logger", error)


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
            if each.is_delete():
                problems.append(f"{each.input_line} removes what every run needs: choose among {', '.join(known)}")
                continue
            values = list(each.sweep_string_iterator()) if each.is_sweep_override() else [each.value()]
            values = ["null" if value is None else str(value) for value in values]
            for value in values:
                if value in known:
                    chosen.setdefault(each.key_or_group, []).append(_choice(each.key_or_group, value))
                else:
                    near = (
                        did_you_mean("none" if value == "null" else value, known, "")
                        or f": choose among {', '.join(known)}"
                    )
                    problems.append(f"{each.key_or_group}={value} is no option{near}")
        first = [values[0] for values in chosen.values()]
        others = [value for values in chosen.values() for value in values[1:]]
        composed = [compose(config_name="config", overrides=[*search, *first, *other]) for other in ([], *zip(others))]
        for each in parsed:
            key = each.key_or_group
            if key in options or key.startswith("hydra") or each.is_delete() or each.is_add() or each.is_force_add():
                continue
            parent, _, leaf = key.rpartition(".")
            if not leaf:
                problems.append(f"{each.input_line} names no setting: write key=value or group=option")
                continue
            keys = {name for config in composed for name in _keys(config, parent)}
            if leaf in keys:
                problems += _unmergeable(key, each, composed)
                continue
            if parent == "trainer" and leaf in OWN_TRAINER_ARGUMENTS:
                problems.append(f"{key} is synaug's own: {OWN_TRAINER_ARGUMENTS[leaf]}")
            else:
                near = did_you_mean(leaf, keys, f"{parent}." if parent else "")
                if key == "dataset.path":
                    near = " of this data set: give dataset=files, too"
                other = "--cfg job lists them all"
                if parent.partition(".")[0] in (*GROUPS, "logger"):
                    other = f"write +{key}=... if the class or function it is for takes it"
                problems.append(f"{key} is no setting{near or f': {other}'}")
    return problems


def _unmergeable(key: str, override: Override, composed: Sequence[DictConfig]) -> list[str]:
    """A list where there are settings, or settings where there is a list: Hydra cannot put one into the other."""
    if override.is_sweep_override():
        return []
    value = override.value()
    here = [expected for config in composed if OmegaConf.is_config(expected := OmegaConf.select(config, key))]
    if not here or not isinstance(value, list | dict) or isinstance(value, list) == OmegaConf.is_list(here[0]):
        return []
    return [f"{key}={written(value)} must be {_kind(here[0])}, as in {_example(key, here[0])}"]


def _options(group: str, config_dir: str | None) -> list[str]:
    names = set(GlobalHydra.instance().config_loader().get_group_options(group))
    if config_dir:
        names |= {path.stem for path in Path(config_dir, group).glob("*.yaml")}
    return sorted(names)


def _keys(config: DictConfig, parent: str) -> list[str]:
    node = OmegaConf.select(config, parent) if parent else config
    return [str(name) for name in node] if isinstance(node, DictConfig) else []
