"""What only the heavy libraries can say of a config: its parts are made, and tried on a few numbers."""

import inspect
import warnings
from collections.abc import Iterator
from typing import Any

from hydra.utils import get_object, instantiate
from omegaconf import DictConfig

from synaug.command.check.fine_tuning import fine_tuning_problems
from synaug.command.check.instantiation import HEAVY, REFUSALS, parameters, refusal, said_by_us
from synaug.command.check.sentences import plain, raise_problems
from synaug.command.check.trial_division import division_problems
from synaug.command.check.trial_step import classifier_problems
from synaug.errors import UserError
from synaug.settings import did_you_mean, written

# Encoders of ours that name devices.
WITH_DEVICES = ("synaug.encoder.TransformerEncoder", "synaug.encoder.SentenceTransformerEncoder")


def check_parts(config: DictConfig, reference: DictConfig) -> None:
    """Find what only the heavy libraries can say, by making the parts; to be called after `check_settings`.

    Raises
    ------
    UserError
        With one line a problem.
    """
    with said_by_us():
        problems = _heavy_problems(config, reference)
    raise_problems(problems)


def _heavy_problems(config: DictConfig, reference: DictConfig) -> list[str]:
    """What only the libraries can say: their parts are made and tried on a few numbers."""
    sentences: list[str] = []
    for group in (*HEAVY, "logger"):
        sentences += _unknown(config[group], reference[group], f"{group}.")
    if sentences:
        return sentences
    return [
        *_augmenter_problems(config.augmenter),
        *classifier_problems(config.classifier, config.loss),
        *fine_tuning_problems(config),
        *_validation_problems(config.validation),
        *_device_problems(config.encoder),
        *_trainer_problems(config.trainer),
        *_logger_problems(config.logger),
        *_metric_problems(config.metric),
    ]


def _unknown(config: DictConfig, reference: DictConfig, prefix: str) -> Iterator[str]:
    """Keys of a heavy part that neither its option nor its target knows."""
    takes = parameters(config)
    for key in map(str, config):
        value = config[key]
        if key in reference:
            if isinstance(value, DictConfig) and isinstance(reference[key], DictConfig):
                yield from _unknown(value, reference[key], f"{prefix}{key}.")
        elif takes is not None and key not in takes:
            yield f"{prefix}{key} is no setting{did_you_mean(key, takes | set(map(str, reference)), prefix)}"


def _augmenter_problems(config: DictConfig) -> Iterator[str]:
    try:
        from synaug.parts import make_augmenters

        make_augmenters(config)
    except REFUSALS as error:
        yield refusal("augmenter", error)


def _validation_problems(config: DictConfig) -> Iterator[str]:
    from synaug.splits import Validation

    target = str(config.get("_target_"))
    try:
        validation = instantiate(config, _convert_="all")
    except REFUSALS as error:
        yield refusal("validation", error)
        return
    if isinstance(validation, Validation):
        yield from division_problems(validation, target)
    else:
        yield f"validation._target_={target} is no synaug.splits.Validation: choose validation=nested"


def _device_problems(config: DictConfig) -> Iterator[str]:
    """Try the devices that an encoder names, which it would use only for texts that are not cached."""
    import torch

    given = config.get("device")
    if str(config.get("_target_")) not in WITH_DEVICES or given is None:
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

    from synaug.pipeline import quieten_lightning

    quieten_lightning()
    arguments: dict[str, Any] = plain(config)
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


def _metric_problems(metric: str | None) -> Iterator[str]:
    if metric is None:
        return
    from synaug.comparison.compare import check_metrics

    try:
        check_metrics([metric])
    except UserError as error:
        yield f"metric={error}"


def _logger_problems(config: DictConfig) -> Iterator[str]:
    """Find what a logger will not take, without starting what it logs to."""
    target = config.get("_target_")
    if target is None:
        return
    from pytorch_lightning.loggers import CSVLogger, Logger

    from synaug.tracking import wandb_run

    arguments: dict[str, Any] = plain(config)
    del arguments["_target_"]
    try:
        make = get_object(target)
        if make is wandb_run.wandb_logger:
            wandb_run.run_settings(**arguments)
        elif make is CSVLogger:
            instantiate(config, _convert_="all")  # which writes nothing before the first number
        elif not callable(make) or (inspect.isclass(make) and not issubclass(make, Logger)):
            yield f"logger._target_={target} is no logger of Lightning's: choose one with logger=..."
        else:  # one of the user's own, which may start something when it is made
            inspect.signature(make).bind(**{key: value for key, value in arguments.items() if key[:1] != "_"})
    except (*REFUSALS, ImportError) as error:
        yield refusal("logger", error)
