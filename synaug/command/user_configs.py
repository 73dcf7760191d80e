"""Configs of the user's own: what is wrong in a file, by its name and line, before Hydra reads it."""

import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf._utils import get_yaml_loader
from omegaconf.errors import OmegaConfBaseException

from synaug.errors import UserError
from synaug.settings import names

# Aliases of aliases grow exponentially; no option has so many values.
MOST_VALUES = 10_000


def problem_of(path: Path) -> str | None:
    """One sentence for a file that Hydra cannot read as an option; None for one that it can."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return f"{path} is a folder, but an option is a file: rename it, or put the option into a file of this name"
        if not stat.S_ISREG(mode):
            return f"{path} is no regular file: put the option into a file of this name"
        content = path.read_bytes()
    except FileNotFoundError:
        return f"{path} is a link to a file that is not there: mend or remove the link"
    except OSError as error:
        return f"{path} cannot be read ({error.strerror}): change its permissions"
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            return f"{path} is UTF-16, not UTF-8: save it as UTF-8 (e.g. iconv -f utf-16 -t utf-8)"
        line = content.count(b"\n", 0, error.start) + 1
        return f"{path}, line {line}: not UTF-8: save the file as UTF-8 (e.g. iconv -f latin1 -t utf-8)"
    return _problem_in(path, text)


def _problem_in(path: Path, text: str) -> str | None:
    try:
        value = yaml.load(text, Loader=get_yaml_loader())  # noqa: S506  # OmegaConf's own, a SafeLoader
        if _size(value, MOST_VALUES) > MOST_VALUES:
            return f"{path} has more than {MOST_VALUES:,} values, aliases counted: write it without aliases"
        if isinstance(value, dict):
            if (problem := _unusual(value)) is not None:
                return f"{path} {problem}"
            OmegaConf.create(value)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = text.count("\n") + 1 if mark is None else mark.line + 1
        return f"{path}, line {line}: {error.problem}: {_remedy(error.problem or '')}"
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return f"{path}, line {line}: the character {chr(error.character)!r} is not allowed in YAML: remove it"
    except (yaml.YAMLError, OmegaConfBaseException, ValueError, RecursionError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        return f"{path} cannot be read as YAML ({reason}): mend the file"
    if value is None:
        return f"{path} is empty: write the option's settings into it, one `key: value` a line"
    if (header := _wrong_header(text)) is not None:
        return f"{path} begins with {header!r}, which is no header: write '# @package _global_', or remove it"
    if not isinstance(value, dict):
        what = "a list" if isinstance(value, list) else f"only {str(value)[:40]!r}"
        return f"{path} holds {what}, but an option is made of settings: write one `key: value` a line"
    return None


def _wrong_header(text: str) -> str | None:
    """A line that begins as Hydra's headers do, ``# @key value``, and is none; they end at the first other line."""
    for line in filter(None, map(str.strip, text.splitlines())):
        if not re.match(r"#\s*@", line):
            return None
        if len(line.lstrip("#").split()) != 2:
            return line
    return None


def _unusual(value: dict[Any, Any]) -> str | None:
    """What YAML can say and no setting can be: keys that are no text, bytes, a list of defaults that is none."""
    left: list[Any] = [value]
    while left:
        each = left.pop()
        if isinstance(each, bytes):
            return f"holds bytes (!!binary), but a setting is text, a number or a list: write {str(each[:20])[1:]}"
        if isinstance(each, dict):
            values = [names.as_yaml(key) for key in each if not isinstance(key, str)]
            if values:
                return f"has a key that YAML takes for the value {values[0]}: write the key in quotes"
            left += each.values()
        elif isinstance(each, list):
            left += each
    defaults = value.get("defaults", [])
    if not isinstance(defaults, list):
        return f"has defaults that are no list ({defaults!r}): write one `- option` or `- group: option` a line"
    for each in defaults:
        options = list(each.values()) if isinstance(each, dict) else [each]
        if len(options) != 1 or not all(
            isinstance(word, str) or (word is None and isinstance(each, dict))
            for option in options
            for word in (option if isinstance(option, list) else [option])
        ):
            return f"has {each!r} in its defaults: write `- option` or `- group: option`, names of digits in quotes"
    return None


def _remedy(problem: str) -> str:
    if "'\\t'" in problem:
        return "indent with spaces, not with a tab"
    if "duplicate key" in problem:
        return "remove one of the two"
    return "mend the line"


def _size(value: Any, most: int) -> int:
    """Values in a tree, aliases counted at each place; counting ends soon after `most`."""
    left, count = [value], 0
    while left and count <= most:
        each = left.pop()
        count += 1
        if isinstance(each, dict | list):
            left += list(each.values() if isinstance(each, dict) else each)[: most + 1]
    return count


def chosen(overrides: Sequence[str], config_dir: str | None) -> list[Path]:
    """Files of the user's folder of configs that a command line chooses, and those that they build on.

    Parameters
    ----------
    overrides
        The command line; what Hydra cannot parse is left for it to say.
    config_dir
        The user's ``--config-dir``, if any.

    Raises
    ------
    UserError
        If a file builds on itself.
    """
    found: dict[Path, None] = {}
    if config_dir is not None:
        for override in overrides:
            for group, option in options(override):
                found.update(dict.fromkeys(_with_parents(Path(config_dir), group, option, ())))
    return list(found)


def options(argument: str) -> Iterator[tuple[str, str]]:
    """Group and option of each value of ``group=option,...``; nothing for what Hydra cannot parse."""
    try:
        override = OverridesParser.create().parse_override(argument)
    except HydraException:
        return
    value = override.value()
    for each in value.list if isinstance(value, ChoiceSweep) else value if isinstance(value, list) else [value]:
        yield override.key_or_group, str(each)


def _with_parents(folder: Path, group: str, option: str, below: tuple[Path, ...]) -> Iterator[Path]:
    """An option's file and those that its defaults name; `below` are the files whose defaults led to it."""
    path = folder / group / f"{option.removesuffix('.yaml')}.yaml"
    if not option.isprintable() or not os.path.lexists(path):
        return
    if path in below:
        raise UserError(f"{below[-1]} builds on {path}, which builds on it again: remove one of them from its defaults")
    yield path
    if problem_of(path) is not None:
        return
    defaults = yaml.load(path.read_text(encoding="utf-8"), Loader=get_yaml_loader()).get("defaults")  # noqa: S506
    for each in defaults if isinstance(defaults, list) else []:
        if isinstance(each, str):
            yield from _with_parents(folder, group, each, (*below, path))
        elif isinstance(each, dict):
            for key, value in each.items():
                named = str(key).partition("@")[0].split()[-1].removeprefix("/")  # "override /group@package"
                for its_group in (named, f"{group}/{named}"):
                    yield from _with_parents(folder, its_group, str(value), (*below, path))
