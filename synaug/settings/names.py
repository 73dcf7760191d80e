"""Names in the data (classes, columns), as settings give them: YAML and the command line read some words as values."""

import difflib
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from synaug.errors import UserError

LONGEST_VALUE = 100  # characters; a longer word is text to everybody
# What Hydra's command line reads as values, in capitals or not; YAML reads some of them as text.
VALUES_OF_THE_COMMAND_LINE = {
    "true": True,
    "false": False,
    "null": None,
    **{f"{sign}{word}": float(f"{sign}{word}") for sign in ("", "+", "-") for word in ("nan", "inf")},
}
# Letters of other scripts that no font tells from Latin ones.
LATIN_LOOKS = str.maketrans(
    "АВЕЅІЈКМНОРСТУХаеѕіјорсухΑΒΕΖΗΙΚΜΝΟΡΤΥΧο",
    "ABESIJKMHOPCTYXaesijopcyxABEZHIKMNOPTYXo",
)


def is_written(value: object) -> bool:
    """Whether a setting's value can stand for a name: a word, or what YAML makes of one."""
    return value is None or isinstance(value, str | int | float)


def called(value: object, names: Iterable[str]) -> list[str]:
    """The names that a setting's value can stand for, as its user may have written it.

    Parameters
    ----------
    value
        Text stands for itself alone. Of a number, true, false or null only the value is left, which may have been
        written in several ways: 1000.0 stands for `1e3` and for `1000.0`. Where nothing is called just so, white
        space around names does not count: the command line loses it.
    names
        Those there are.
    """
    names = list(names)
    if isinstance(value, str):
        return [name for name in names if name == value] or [name for name in names if name.strip() == value.strip()]
    return [name for name in names if name == str(value) or any(_same(value, meant) for meant in _values_of(name))]


def class_meant(setting: str, value: object, class_names: Sequence[str], quoted: str) -> str:
    """The one class that a value given for a setting stands for.

    Parameters
    ----------
    setting, value
        As it was given.
    quoted
        How the setting is written with a name between quotes, for ``str.format``.

    Raises
    ------
    UserError
        If it stands for none, or for several.
    """
    found = called(value, class_names)
    word = cut(value) if isinstance(value, str) else as_yaml(value)
    if not found:
        raise UserError(
            f"{setting} names {word}, which is no class of the data set: choose among {listed(class_names)}"
        )
    if len(found) > 1:
        raise UserError(
            f"{setting} names {word}, which stands for several classes ({listed(found)}): quote the one you mean, "
            f"'{setting}={quoted.format(found[0])}'"
        )
    return found[0]


@lru_cache(maxsize=4096)
def of_class(name: str) -> str:
    """A class as a sentence or a column's head names it: ``class 2`` where the name alone reads as a value."""
    reads_as_a_value = any(not isinstance(value, str) for value in _values_of(name))
    return f"class {name}" if reads_as_a_value else name


def of_class_with(name: str, value: object) -> str:
    """A class and what is told of it: ``spam 130``, ``class 2: 130``."""
    called = of_class(name)
    return f"{called} {value}" if called == name else f"{called}: {value}"


def as_yaml(value: object) -> str:
    """A setting's value as YAML writes it: true, null."""
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else f"{value}"


def look_of(name: str) -> str:
    """What a reader sees of a name: names that look alike have one look, whatever characters they are made of."""
    composed = unicodedata.normalize("NFC", name).translate(LATIN_LOOKS)
    # Cf: no width, or which way to write; U+FE00 to U+FE0F and U+034F choose a variant of a sign, or none.
    visible = "".join(
        sign for sign in composed if unicodedata.category(sign) != "Cf" and not _chooses_a_variant(ord(sign))
    )
    return " ".join(visible.split())


def cut(value: object, length: int = 60) -> str:
    """A value as Python writes it, short enough for a sentence."""
    text = repr(value)
    return text if len(text) <= length else f"{text[: length - 1]}…"


def described(value: object) -> str:
    """What stands in the place of a text, in the words of a sentence; what may hold a user's texts, by its kind alone.

    Such sentences stand on a report's page if a run fails, and texts do not.
    """
    kinds: dict[type, str] = {list: "a list", tuple: "an object", dict: "an object", bytes: "bytes", str: "text"}
    return kinds.get(type(value)) or f"{cut(value)} ({type(value).__name__})"


def listed(names: Sequence[str], most: int = 12) -> str:
    """The names in quotes, so many at most: ``'a', 'b' and 149 more``."""
    first = ", ".join(cut(name) for name in names[:most])
    return f"{first} and {len(names) - most} more" if len(names) > most else first


def nearest(name: str, names: Iterable[str]) -> str:
    """``: did you mean 'label'?`` with the nearest of the names, or nothing."""
    known = sorted(set(names))
    look = look_of(name).casefold()
    near = [candidate for candidate in known if look_of(candidate).casefold() == look] or difflib.get_close_matches(
        name, known, n=1
    )
    return f": did you mean {near[0]!r}?" if near else ""


def _chooses_a_variant(code: int) -> bool:
    return 0xFE00 <= code <= 0xFE0F or code == 0x034F


def _values_of(name: str) -> list[Any]:
    """What YAML and what the command line make of a word; nothing where it stays text."""
    values: list[Any] = []
    if name.lower() in VALUES_OF_THE_COMMAND_LINE:
        values.append(VALUES_OF_THE_COMMAND_LINE[name.lower()])
    if len(name) <= LONGEST_VALUE and not set(name) & set("[]{},#&*!|>%@`\"'$\\\r\n"):
        with suppress(yaml.YAMLError, OmegaConfBaseException, ValueError):  # no value, so a word
            values += list(OmegaConf.create(f"[{name}]"))
    return values


def _same(value: object, other: object) -> bool:
    return type(value) is type(other) and (value == other or (value != value and other != other))
