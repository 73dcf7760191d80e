"""Configs for which Hydra reads and merges the same files once.

It takes a tenth of a second to compose a config, and the tests ask for thousands: a run composes three, each job of a
sweep four. Which files one is made of, and what they say together, is kept here, and each config gets a copy; what a
command line sets is applied to it by Hydra as ever.
"""

import copy
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hydra._internal import config_loader_impl, defaults_list
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import IConfigRepository
from hydra._internal.defaults_list import DefaultsList
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import DictConfig

MOST_KEPT = 500


@contextmanager
def each_choice_once() -> Iterator[None]:
    """Have Hydra work out once what a choice of options is made of, as long as no file changes that it may find."""
    Plugins.instance()  # which registers what reads files
    folder = SourcesRegistry.instance().resolve("file")
    read_file, list_files = folder.load_config, defaults_list.create_defaults_list
    merge_files = ConfigLoaderImpl._compose_config_from_defaults_list
    texts: dict[object, ConfigResult] = {}
    lists: dict[object, DefaultsList] = {}
    merged: dict[object, DictConfig] = {}

    def read(self: ConfigSource, config_path: str) -> ConfigResult:
        name = self._normalize_file_name(config_path)
        key = self.provider, self.path, name, _state(os.path.join(self.path, name))
        found = texts.get(key) or read_file(self, config_path)
        _keep(texts, key, found)
        return copy.deepcopy(found)

    def listed(repo: IConfigRepository, overrides_list: list[Override], **how: Any) -> DefaultsList:
        chooses = [_chooses(override, repo) for override in overrides_list]
        choices = [override.input_line for override, does in zip(overrides_list, chooses, strict=True) if does]
        key = (*choices, *sorted(how.items()), *_files(repo))
        found = lists.get(key) or list_files(repo=repo, overrides_list=overrides_list, **how)
        _keep(lists, key, found)
        settings = [override for override, does in zip(overrides_list, chooses, strict=True) if not does]
        return replace(found, config_overrides=settings)

    def merge(self: ConfigLoaderImpl, defaults: list[ResultDefault], repo: IConfigRepository) -> DictConfig:
        key = (*map(repr, defaults), *_files(repo))
        found = merged.get(key) or merge_files(self, defaults, repo)
        _keep(merged, key, found)
        return copy.deepcopy(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder, "load_config", read)
        patch.setattr(config_loader_impl, "create_defaults_list", listed)
        patch.setattr(ConfigLoaderImpl, "_compose_config_from_defaults_list", merge)
        yield


def _chooses(override: Override, repo: IConfigRepository) -> bool:
    """Whether an override chooses an option of a group, as Hydra tells it (`defaults_list.Overrides`)."""
    if override.is_sweep_override():
        return True
    return repo.group_exists(override.key_or_group) and not isinstance(override.value(), dict)


def _keep(known: dict[object, Any], key: object, value: Any) -> None:
    if key not in known and len(known) == MOST_KEPT:
        known.pop(next(iter(known)))
    known[key] = value


def _files(repo: IConfigRepository) -> Iterator[tuple[object, ...]]:
    """Where configs may come from, and of each file there what changes when it is written."""
    for source in repo.get_sources():
        yield source.scheme(), source.provider, source.path
        if source.scheme() != "file":
            continue
        for folder, _, names in os.walk(source.path, followlinks=True):
            for name in sorted(names):
                path = os.path.join(folder, name)
                yield path, *_state(path)


def _state(path: str) -> tuple[int, ...]:
    try:
        at = os.stat(path)
    except OSError:  # a link to nothing; nothing at all
        return ()
    return at.st_mtime_ns, at.st_size, at.st_ino
