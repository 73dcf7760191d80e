"""What classes are called: as a setting lists them, and so that a reader can tell one from another."""

import logging
from collections import defaultdict
from collections.abc import Sequence

from synaug import settings
from synaug.dataset.complete import LONE_SURROGATE
from synaug.errors import UserError
from synaug.settings import names

log = logging.getLogger(__name__)


def names_of_classes(given: object) -> tuple[str, ...]:
    """Check the setting `class_names`.

    Raises
    ------
    UserError
        If it is no list of two different names or more, or YAML has made a value of one that cannot be told back.
    """
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise UserError(f"dataset.class_names={given} must be a list of class names, e.g. [no, yes]")
    for name in given:
        if not isinstance(name, str) and not settings.is_whole(name):
            value = names.as_yaml(name) if names.is_written(name) else name
            raise UserError(
                f"dataset.class_names holds {value}, which YAML takes for a value: write each name in quotes"
            )
    class_names = tuple(map(str, given))
    if len(class_names) < 2 or len(set(class_names)) < len(class_names):
        raise UserError(f"dataset.class_names={list(given)} must be two or more names that differ")
    return class_names


def refuse_look_alikes(class_names: Sequence[str], where: str) -> None:
    """Refuse two classes that a reader takes for one; warn of those that differ in capitals alone."""
    looks: dict[str, list[str]] = defaultdict(list)
    capitals: dict[str, list[str]] = defaultdict(list)
    for name in class_names:
        if LONE_SURROGATE.search(name):
            raise UserError(
                f"the class {name!a} of {where} holds half a surrogate pair, which is no Unicode text: rename it"
            )
        looks[names.look_of(name)].append(name)
        capitals[name.casefold()].append(name)
    alike = [" and ".join(map(ascii, spellings)) for spellings in looks.values() if len(spellings) > 1]
    if alike:
        n = len(alike) - 1
        more = f", and so {'does 1 more pair' if n == 1 else f'do {n} more pairs'}" if n else ""
        raise UserError(
            f"the classes {alike[0]} of {where} look alike but are made of different characters{more}: write them alike"
        )
    differing = [" and ".join(map(repr, spellings)) for spellings in capitals.values() if len(spellings) > 1]
    if differing:
        log.warning(
            "%s: classes that differ in capitals alone are classes of their own: %s", where, "; ".join(differing[:12])
        )
