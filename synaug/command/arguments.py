"""The command line, parted into settings and Hydra's flags; the flags are Hydra's to read."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Arguments:
    """A command line.

    Attributes
    ----------
    overrides
        Its settings, ``key=value``, wherever they stood.
    flags
        The rest, with its values.
    config_dir
        The user's ``--config-dir``.
    multirun
        Whether commas part the values of a sweep.
    help
        Whether only help is asked for.
    """

    overrides: tuple[str, ...]
    flags: tuple[str, ...] = ()
    config_dir: str | None = None
    multirun: bool = False
    help: bool = False


def parser() -> argparse.ArgumentParser:
    """Hydra's documented flags, as far as they tell a flag's value from a setting; its own parser is private."""
    flags = argparse.ArgumentParser(add_help=False, allow_abbrev=True)
    flags.add_argument("overrides", nargs="*")
    for words in (
        ("--help", "-h"),
        ("--hydra-help",),
        ("--version",),
        ("--resolve",),
        ("--run", "-r"),
        ("--multirun", "-m"),
        ("--shell-completion", "-sc"),
    ):
        flags.add_argument(*words, action="store_true")
    for words in (
        ("--cfg", "-c"),
        ("--package", "-p"),
        ("--config-path", "-cp"),
        ("--config-name", "-cn"),
        ("--config-dir", "-cd"),
        ("--experimental-rerun",),
    ):
        flags.add_argument(*words)
    flags.add_argument("--info", "-i", nargs="?", const="all")
    return flags


def parsed(words: Sequence[str]) -> Arguments:
    """Part a command line, without the program's name; settings may stand before, between and behind the flags."""
    options, _ = parser().parse_known_intermixed_args(list(words))  # unknown flags are for Hydra to refuse
    flags = list(words)
    for override in options.overrides:
        flags.remove(override)
    return Arguments(tuple(options.overrides), tuple(flags), options.config_dir, options.multirun, options.help)
