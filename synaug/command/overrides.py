"""Settings as a command line has them: what Hydra is to read as text, and what a job was given."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException
from omegaconf import OmegaConf

from synaug import settings
from synaug.command import user_configs
from synaug.settings import OPTION_GROUPS


def as_written(overrides: Sequence[str], config_dir: str | None = None, *, several: bool = False) -> list[str]:
    """Quote for Hydra what is text: numbers, true, false and null, and signs that Hydra's grammar does not know.

    Hydra would read ``name=2024`` as a number, ``minority=[1e3]`` as 1000.0, and ``dataset.path=données.csv`` not at
    all: quoted, they stay what the user wrote. Whole numbers in lists are the same either way, and a null of its own
    says that nothing is set: both stay.

    Parameters
    ----------
    overrides
        The command line's ``key=value`` parts.
    config_dir
        The user's ``--config-dir``. An option of theirs may have numbers under the same names as ours have text.
    several
        Whether commas part the values of a sweep.
    """
    keys = [each.partition("=")[0].lstrip("+") for each in overrides]
    written = [
        quoted(each, several=several, null=True) if key in OPTION_GROUPS else each
        for key, each in zip(keys, overrides, strict=True)
    ]
    of_theirs = {path.parent.name for path in user_configs.chosen(written, config_dir) if _is_theirs(path)}
    texts = {name for name in settings.text_settings() if name.partition(".")[0] not in of_theirs}
    return [quoted(each, several=several) if key in texts else each for key, each in zip(keys, written, strict=True)]


def _is_theirs(path: Path) -> bool:
    return user_configs.problem_of(path) is None and "_target_: synaug." not in path.read_text(encoding="utf-8")


def quoted(override: str, *, several: bool = False, null: bool = False) -> str:
    """An override of a text setting with quotes where Hydra would read something else, or nothing at all.

    Parameters
    ----------
    several
        Whether commas part the values of a sweep.
    null
        Whether null is a word, too, as where an option is chosen.
    """
    key, equals, value = override.partition("=")
    if not equals:
        return override
    pieces = re.split(r"""('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[\[\],])""", value)
    in_list = "[" in pieces
    typed = [quote(each) if _is_typed(each, in_list, null) else each for each in pieces]
    said = f"{key}={''.join(typed)}"
    if _is_read(said):
        return said
    if several or (value.startswith("[") and value.endswith("]")):
        words = [each if each in ("", *"[],") or _is_read(f"{key}={each}") else quote(each.strip()) for each in typed]
        if _is_read(f"{key}={''.join(words)}"):
            return f"{key}={''.join(words)}"
    return f"{key}={quote(value)}"


def quote(text: str) -> str:
    """Text between quotes, as Hydra's grammar has it."""
    return str(QuotedString(text, Quote.single).with_quotes())


def _is_read(override: str) -> bool:
    """Whether Hydra's grammar knows an override."""
    try:
        OverridesParser.create().parse_override(override)
    except HydraException:
        return False
    return True


def _is_typed(word: str, in_list: bool, null: bool) -> bool:
    """Whether Hydra reads a bare word as something else than text."""
    if in_list and re.fullmatch(r"0|-?[1-9]\d*", word):
        return False  # the same either way, and earlier records have it as a number
    if not in_list and not null and word.lower() == "null":
        return False  # a setting left to its default
    typed = r"null|true|false|nan|[+-]?(inf|(\d[\d_]*)?\.?(\d[\d_]*)?(e[+-]?\d[\d_]*)?)"
    return bool(word) and re.fullmatch(typed, word, re.IGNORECASE) is not None


def is_of_seeds(override: str) -> bool:
    """Whether an override sets the seeds of a run, which do not decide which run it is."""
    return override.lstrip("+").startswith("seeds=")


def choice(group: str, option: str) -> str:
    """An override that chooses an option, whatever its file is called."""
    return f"{group}={quote(option)}"


def given(hydra: Any) -> list[str]:
    """The overrides of a job or a sweep, given the part of the config that is Hydra's own.

    Taken one by one they would be resolved, at a place where what they refer to may have another value or none.
    """
    found = OmegaConf.to_container(hydra.overrides.task, resolve=False)
    assert isinstance(found, list)
    return [str(each) for each in found]
