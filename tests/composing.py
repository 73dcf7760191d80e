"""Configs that Hydra composes once.

It takes a tenth of a second to compose a config, and the tests ask for thousands: a run composes three, each job of a
sweep four. What a file says, which files a config is made of, what they say together and what a command line makes of
that is kept here, as long as no file changes. Each config is a copy, made through a pickle: `copy.deepcopy` of an
OmegaConf takes ten times as long.
"""

import copy
import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from hydra import version
from hydra._internal import config_loader_impl, defaults_list
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, IConfigRepository
from hydra._internal.defaults_list import DefaultsList
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.core.utils import JobRuntime
from hydra.plugins.config_source import ConfigResult, ConfigSource
from hydra.types import RunMode
from omegaconf import DictConfig

MOST_KEPT = 500


@contextmanager
def each_choice_once() -> Iterator[None]:
    """Have Hydra work out once what a choice of options is made of, as long as no file changes that it may find."""
    Plugins.instance()  # which registers what reads files
    folder = SourcesRegistry.instance().resolve("file")
    read_file, list_files = folder.load_config, defaults_list.create_defaults_list
    merge_files = ConfigLoaderImpl._compose_config_from_defaults_list
    compose = ConfigLoaderImpl._load_configuration_impl
    texts: dict[object, bytes] = {}
    lists: dict[object, DefaultsList] = {}
    merged: dict[object, bytes] = {}
    whole: dict[object, bytes] = {}

    def read(self: ConfigSource, config_path: str) -> ConfigResult:
        name = self._normalize_file_name(config_path)
        key = self.provider, self.path, name, _state(os.path.join(self.path, name))
        if key not in texts:
            _keep(texts, key, pickle.dumps(read_file(self, config_path)))
        found: ConfigResult = pickle.loads(texts[key])
        return found

    def listed(repo: IConfigRepository, overrides_list: list[Override], **how: Any) -> DefaultsList:
        chooses = [_chooses(override, repo) for override in overrides_list]
        choices = [override.input_line for override, does in zip(overrides_list, chooses, strict=True) if does]
        key = (*choices, *sorted(how.items()), *_files(repo))
        if key not in lists:
            _keep(lists, key, list_files(repo=repo, overrides_list=overrides_list, **how))
        settings = [override for override, does in zip(overrides_list, chooses, strict=True) if not does]
        return replace(lists[key], config_overrides=settings)

    def merge(self: ConfigLoaderImpl, defaults: list[ResultDefault], repo: IConfigRepository) -> DictConfig:
        key = (*map(repr, defaults), *_files(repo))
        if key not in merged:
            _keep(merged, key, pickle.dumps(merge_files(self, defaults, repo)))
        found: DictConfig = pickle.loads(merged[key])
        return found

    def remember(self: CachingConfigRepository, delegate: IConfigRepository) -> None:
        self.delegate, self.cache = copy.copy(delegate), {}  # Hydra copies all that its stores hold, too

    def composed(
        self: ConfigLoaderImpl,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        about = (validate_sweep_overrides, os.getcwd(), version.getbase(), JobRuntime.instance().get("name"))
        key = (config_name, *overrides, run_mode, from_shell, *about, *_files(self.repository))
        if key in whole:
            found: DictConfig = pickle.loads(whole[key])
            return found
        made = compose(self, config_name, overrides, run_mode, from_shell, validate_sweep_overrides)
        if not made.hydra.searchpath:  # else files elsewhere say something, too
            _keep(whole, key, pickle.dumps(made))
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder, "load_config", read)
        patch.setattr(config_loader_impl, "create_defaults_list", listed)
        patch.setattr(ConfigLoaderImpl, "_compose_config_from_defaults_list", merge)
        patch.setattr(CachingConfigRepository, "__init__", remember)
        patch.setattr(ConfigLoaderImpl, "_load_configuration_impl", composed)
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
