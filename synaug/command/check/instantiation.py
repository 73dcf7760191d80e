"""What a config's target takes, and what it says when it is made."""

import inspect
import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hydra.errors import HydraException
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

# How Hydra says which part of a config it could not make.
FULL_KEY = re.compile(r"full_key: ([\w.]+)\s*$")

# What each part is asked for in a run. Those of the first three import nothing heavy.
LIGHT = {
    "dataset": ("source", "load"),
    "encoder": ("source", "identity", "encode"),
    "imbalance_ratio": ("minority_classes", "rows_to_keep"),
}
HEAVY = ("augmenter", "loss", "classifier", "validation")
# What a part's constructor raises for values that it cannot take. Hydra hands it on inside of an error of its own.
REFUSALS = (HydraException, OmegaConfBaseException, ValueError, TypeError, AttributeError, OverflowError)
# Packages of extras that shipped options name as a target -> the extra.
EXTRAS = {"imblearn_extra": "geometric"}


@contextmanager
def said_by_us() -> Iterator[None]:
    """Keep Hydra from logging what a target refuses."""

    def is_news(record: logging.LogRecord) -> bool:
        return "Error getting object" not in record.msg

    logger = logging.getLogger("hydra.utils")
    logger.addFilter(is_news)
    try:
        yield
    finally:
        logger.removeFilter(is_news)


def parameters(config: DictConfig) -> set[str] | None:
    """Names that a config's target takes, through the base classes that its **keywords go to; None for any name."""
    target = config.get("_target_")
    if target is None:
        return set()
    try:
        target_class = get_object(target)
    except (ImportError, ValueError, AttributeError, TypeError, HydraException):
        return None  # instantiating it says what is wrong
    names: set[str] = {"_partial_", "_target_", "_convert_", "_recursive_"}
    for owner in target_class.__mro__ if inspect.isclass(target_class) else (target_class,):
        try:
            taken = inspect.signature(owner).parameters.values()
        except (TypeError, ValueError):  # no function, or one of C without a signature
            return None
        names |= {parameter.name for parameter in taken}
        if not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in taken):
            return names
    return None


def part_problems(group: str, config: DictConfig, needed: Sequence[str]) -> Iterator[str]:
    """Make the part (that loads nothing), let it say what it cannot accept, and look whether its files are there."""
    try:
        part = instantiate(config, _convert_="all")
    except REFUSALS as error:
        yield refusal(group, error)
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
        yield refusal(group, error)


def refusal(group: str, error: Exception) -> str:
    """What making a part says, behind the name of the setting that it says it of."""
    named = FULL_KEY.search(str(error)) if isinstance(error, HydraException) else None
    place = group if named is None or named[1] == group else f"{group}.{named[1].removeprefix(f'{group}.')}"
    cause = error.__cause__ if isinstance(error, HydraException) and error.__cause__ else error
    if isinstance(cause, OSError) and cause.filename is not None:
        return f"{cause.filename}: {cause.strerror}: correct the settings of {group}"
    sentence = " ".join(str(cause).split()) or type(cause).__name__
    missing = re.search(r"Are you sure that module '(\w+)' is installed", sentence)  # Hydra's words
    if missing is not None and missing[1] in EXTRAS:
        return f"{place} needs a package that is not installed: pip install 'synaug[{EXTRAS[missing[1]]}]'"
    if sentence.startswith(f"{group}."):  # as the class says it, wherever in the group it is used
        return f"{place}.{sentence.removeprefix(f'{group}.')}"
    return sentence if sentence.startswith(group) else f"{place}: {sentence}"
