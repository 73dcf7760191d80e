"""What is wrong in a composed config, as far as it can be seen without what augments, trains or logs."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from synaug.command.check.instantiation import HEAVY, LIGHT, parameters, part_problems, refusal, said_by_us
from synaug.command.check.sentences import as_given, example, plain, raise_problems, several, type_said
from synaug.command.overrides import choice
from synaug.command.written import written_texts
from synaug.dataset import TextSource
from synaug.encoder.contract import BringsVectors, for_dataset
from synaug.files import places
from synaug.settings import (
    CHANGING_GROUPS,
    GROUPS,
    LARGEST,
    OF_A_RUN,
    OPTION_GROUPS,
    OWN_TRAINER_ARGUMENTS,
    did_you_mean,
    is_number,
    kind_of,
    written,
)


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
    groups = OPTION_GROUPS
    raise_problems([several(group, choices[group]) for group in groups if OmegaConf.is_list(choices.get(group))])
    reference = compose("config", [choice(group, choices[group]) for group in groups if choices.get(group)])
    with said_by_us():
        raise_problems(list(_removed_or_broken(config, reference)))
        raise_problems(_light_problems(config, reference))
    return reference


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
                f"{key}={written(plain(value))} must be a group of settings: set one of them, as in "
                f"{example(key, reference[key])}"
            )


def _removed(config: Mapping[str, Any], reference: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Settings of the run or of what is made that the option has and the config lacks; both as they are given."""
    for key, value in reference.items():
        name = f"{prefix}{key}"
        if key not in config:
            if name in OF_A_RUN or value == MISSING:
                yield name
        elif isinstance(config[key], dict) and isinstance(value, dict):
            yield from _removed(config[key], value, f"{name}.")
    if prefix.rstrip(".") in GROUPS and "_target_" not in config:
        yield f"{prefix}_target_"


def _light_problems(config: DictConfig, reference: DictConfig) -> list[str]:
    """All that can be said without importing what augments, trains or logs."""
    by_setting = {key: f"{key} is required: give {key}=..." for key in sorted(OmegaConf.missing_keys(config))}
    for key in _removed(as_given(config), as_given(reference)):
        group, _, leaf = key.rpartition(".")
        by_setting[key] = (
            f"{group} has no _target_, which names what is made: write one into its file, or choose another option"
            if leaf == "_target_"
            else f"{key} is missing, but every run needs it: give it, or leave it as it is in --cfg job"
        )
    for key, sentence in (*_values(config), *_unlike(config, reference, ""), *_of_places(config)):
        by_setting.setdefault(key, sentence)
    sentences = [*by_setting.values(), *_at_odds(config, reference, by_setting)]
    for key in map(str, config.trainer):
        if key in OWN_TRAINER_ARGUMENTS:
            sentences.append(f"trainer.{key} is synaug's own: {OWN_TRAINER_ARGUMENTS[key]}")
        elif kind_of(f"trainer.{key}", None) is None:
            known = {name.partition(".")[2] for name in OF_A_RUN if name.startswith("trainer.")}
            sentences.append(
                f"trainer.{key} is no argument of Lightning's Trainer{did_you_mean(key, known, 'trainer.')}"
            )
    for group, needed in LIGHT.items():
        if not _touches(by_setting, group):
            sentences += part_problems(group, config[group], needed)
    if not _touches(by_setting, "augmenter"):
        sentences += _problems_of_written_texts(config)
    return sentences or list(_problems_of_rows(config))


def _problems_of_rows(config: DictConfig) -> Iterator[str]:
    """What is wrong between a data set and an encoder that are sound by themselves: rows without texts or vectors."""
    dataset, encoder = (instantiate(config[group], _convert_="all") for group in ("dataset", "encoder"))
    brings = isinstance(encoder, BringsVectors)
    try:
        if isinstance(dataset, TextSource):
            dataset.refuse_rows_without_content(has_vectors=brings)
    except ValueError as error:
        yield refusal("dataset", error)
        return
    try:
        if isinstance(encoder, BringsVectors):
            for_dataset(encoder, dataset).look()
            if written_texts(config) is not None:
                yield (
                    f"augmenter={config.augmenter.path} brings texts, but encoder=precomputed has vectors of the data "
                    "set's rows alone: choose an encoder that reads texts, or another augmenter"
                )
    except (ValueError, OSError) as error:
        yield refusal("encoder", error)


def _problems_of_written_texts(config: DictConfig) -> Iterator[str]:
    """What is wrong with the file of an augmenter that brings texts of its own, as far as a look can tell."""
    try:
        written = written_texts(config)
        if written is not None:
            written.look()
    except (ValueError, OSError) as error:
        yield refusal("augmenter", error)


def _values(config: DictConfig, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Settings whose value is not of their kind, with the sentence for each.

    Where the table has no kind, a number must still be finite and of a size that libraries can take.
    """
    target = config.get("_target_")
    for key in map(str, config):
        name = f"{prefix}{key}"
        if OmegaConf.is_missing(config, key):
            continue
        node = config[key]
        kind = kind_of(name, target)
        if isinstance(node, DictConfig) and (kind is None or "_target_" in node):
            yield from _values(node, f"{name}.")
            continue
        value = OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
        sentence = _unusable(name, value) if kind is None else kind.problem(name, value)
        if sentence is not None:
            yield name, sentence


def _unusable(name: str, value: Any) -> str | None:
    for element in value if isinstance(value, list) else [value]:
        if isinstance(element, int | float) and (not math.isfinite(element) or abs(element) > LARGEST):
            return f"{name}={written(value)} must be finite and at most {LARGEST:,}"
        if isinstance(element, str) and "\0" in element:
            return f"{name}={written(value)} must be text that can be printed"
    return None


def _touches(settings: Iterable[str], group: str) -> bool:
    """Whether a problem is of a group: a part of it is not made, as it would say the same again."""
    return any(key.split(".")[0] == group for key in settings)


def _of_places(config: DictConfig) -> Iterator[tuple[str, str]]:
    if (problem := places.name_problem(config.name)) is not None:
        yield "name", problem
    for key in ("output_dir", "cache_dir"):
        if (problem := places.place_problem(key, plain(config[key]))) is not None:
            yield key, problem


def _unlike(config: DictConfig, reference: DictConfig, prefix: str) -> Iterator[tuple[str, str]]:
    """Keys that nothing knows, and values of another type than the option's own.

    What a heavy target takes is asked later, by `_unknown`.
    """
    is_heavy = prefix.split(".")[0] in (*HEAVY, "logger")
    known = set(map(str, reference)) | (set() if is_heavy else parameters(config) or set())
    takes_any = is_heavy or parameters(config) is None
    for key in map(str, config):
        name = f"{prefix}{key}"
        value = None if OmegaConf.is_missing(config, key) else config[key]
        if name == "trainer":
            continue  # Lightning's own arguments
        if key not in known:
            if not takes_any:
                near = did_you_mean(key, known, prefix)
                if key in CHANGING_GROUPS:  # the settings of its file are those of the run
                    near = ", but the name of a group: begin its file with the line '# @package _global_'"
                yield name, f"{name} is no setting{near or ': leave it out (--cfg job lists them)'}"
        elif key in reference and not OmegaConf.is_missing(reference, key):
            expected = reference[key]
            if isinstance(expected, DictConfig) and isinstance(value, DictConfig):
                if value.get("_target_") == expected.get("_target_"):
                    yield from _unlike(value, expected, f"{name}.")
            elif kind_of(name, config.get("_target_")) is None and not _same_kind(value, expected):
                yield (
                    name,
                    f"{name}={written(plain(value))} must be {type_said(expected)}, as in {example(name, expected)}",
                )


def _same_kind(value: Any, expected: Any) -> bool:
    if expected is None or (isinstance(value, DictConfig) and "_target_" in value):
        return True
    return type_said(value) == type_said(expected) or (type_said(expected) == "a number" and is_number(value))


def _at_odds(config: DictConfig, reference: DictConfig, wrong_settings: Iterable[str]) -> Iterator[str]:
    """Settings that are sound by themselves but not together."""
    wrong = set(wrong_settings)
    if (
        "target_prior" not in wrong
        and config.target_prior == "natural"
        and not _touches(wrong, "imbalance_ratio")
        and config.imbalance_ratio.get("ratio")
    ):
        yield "target_prior=natural needs imbalance_ratio=natural: where classes are thinned, test folds are balanced"
    encoder, own = config.encoder, reference.encoder
    package = encoder.get("package")
    if not _touches(wrong, "encoder") and package and package == own.get("package"):
        for key in ("model", "revision"):
            if encoder.get(key) != own.get(key):
                yield (
                    f"encoder.{key}={written(encoder.get(key))} would be ignored, as this encoder is loaded from "
                    f"the package {package.partition('/')[0]}: choose encoder=huggingface encoder.model=... instead"
                )
