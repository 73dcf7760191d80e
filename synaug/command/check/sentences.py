"""Problems as sentences: how settings and their values are written in them, and how several are raised at once."""

from collections.abc import Iterable, Sequence
from typing import Any

from omegaconf import OmegaConf

from synaug import errors
from synaug.settings import written


def raise_problems(problems: Sequence[str]) -> None:
    """Raise a UserError of the problems of a configuration, where there are any."""
    errors.raise_problems(problems, "the configuration")


def several(group: str, options: Iterable[Any]) -> str:
    """The sentence for a group that was given a list of options."""
    names = ",".join(map(str, options))
    return (
        f"{group}=[{names}] is a list, but a run has one {group}: give one, or all of them in a sweep, "
        f"--multirun {group}={names}"
    )


def plain(value: Any) -> Any:
    """A value as plain Python."""
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def as_given(value: Any) -> Any:
    """A value as plain Python, with its ``${...}`` as they stand and ``???`` for what is missing."""
    return OmegaConf.to_container(value, resolve=False) if OmegaConf.is_config(value) else value


def type_said(value: Any) -> str:
    """What a value is, in the words of a sentence."""
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


def example(name: str, value: Any) -> str:
    """A setting as it might be written; of a group, its first one."""
    value = as_given(value)
    if isinstance(value, dict):
        first = next((key for key in value if not key.startswith("_")), next(iter(value), None))
        return f"{name}={{}}" if first is None else example(f"{name}.{first}", value[first])
    return f"{name}={written(value)}"
