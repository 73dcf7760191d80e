"""The commands of ``synaug``: what each is for, and where it starts. Nothing heavy is imported to list them."""

import difflib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from synaug.errors import UserError
from synaug.files.escaping import make_console_safe, wrapped

RUN, COMPLETION, HELP = "run", "completion", "help"


@dataclass(frozen=True)
class Subcommand:
    """A command of ``synaug``.

    Attributes
    ----------
    entrance
        ``module:function``: it takes the words of the command line and returns the exit code, and imports what is
        heavy only when it has read them.
    line
        What the command does, in a line.
    """

    entrance: str
    line: str


SUBCOMMANDS = {
    RUN: Subcommand("synaug.command.run:main", "make a run, or with --multirun a sweep and its report"),
    "report": Subcommand("synaug.report.__main__:main", "compare the runs in a folder: verdict, page, figures, tables"),
    "fit": Subcommand("synaug.command.fit_model:main", "fit the method that the verdict favours, and save it"),
    "predict": Subcommand("synaug.command.predict_texts:main", "classify new texts with a saved model"),
    "explain": Subcommand("synaug.command.explain_rows:main", "say what the synthetic rows of a run were made of"),
    "maps": Subcommand("synaug.command.draw_maps:main", "draw real and synthetic rows for the next report"),
    "embed": Subcommand("synaug.command.embed:main", "fill the cache of embeddings and stop"),
    "check": Subcommand("synaug.command.external_checks:main", "compare synaug with what others have published"),
    "dashboard": Subcommand("synaug.tracking.dashboard_command:main", "build a W&B workspace and a W&B report"),
    COMPLETION: Subcommand("synaug.command.completion:main", "print what sets up tab completion in bash, zsh or fish"),
}

OVERVIEW = """\
synaug: do synthetic minority embeddings help, and do they beat the best without synthesis?

  synaug augmenter=adasyn dataset=ag_news                             one run
  synaug --multirun augmenter=none,smote dataset=trec name=mine       a sweep, and its verdict
  synaug report multirun/mine                                         the verdict again

Commands:
{commands}

  synaug COMMAND --help    what a command takes
  synaug run --help        groups (dataset=, augmenter=, ...), their options, and all settings
  synaug --cfg job         the settings that a run would have
  synaug --version"""


def perform(words: Sequence[str]) -> int:
    """Do what a command line asks for, without the program's name, and return the exit code.

    Where its first word is neither a command, nor a setting, nor a flag, a sentence says so.
    """
    make_console_safe()
    if list(words) in ([HELP], ["--help"], ["-h"]):
        sys.stdout.write(f"{overview()}\n")
        return 0
    if list(words) == ["--version"]:
        from synaug import __version__

        sys.stdout.write(f"synaug {__version__}\n")
        return 0
    try:
        name, rest = parted([*words[1:], "--help"] if words[:1] == [HELP] else words)
    except UserError as error:
        sys.stderr.write(wrapped(f"{error}\n"))
        return 1
    module, _, function = SUBCOMMANDS[name].entrance.partition(":")
    code: int = getattr(import_module(module), function)(rest)
    return code


def parted(words: Sequence[str]) -> tuple[str, list[str]]:
    """The command that a command line asks for, `RUN` where it names none, and the other words.

    Raises
    ------
    UserError
        If its first word is neither a command, nor a setting, nor a flag.
    """
    first = words[0] if words else ""
    if first in SUBCOMMANDS:
        return first, list(words[1:])
    if first and "=" not in first and first[0] not in "-+~":
        near = difflib.get_close_matches(first, SUBCOMMANDS, 1)
        meant = f"did you mean {near[0]}?" if near else "a setting is key=value or group=option"
        raise UserError(f"{first} is neither a command nor a setting: {meant} (see synaug --help)")
    return RUN, list(words)


def overview() -> str:
    """What ``synaug --help`` prints: the commands, on one screen."""
    width = max(map(len, SUBCOMMANDS))
    lines = [f"  {name:<{width}}  {each.line}" for name, each in SUBCOMMANDS.items()]
    return OVERVIEW.format(commands="\n".join(lines))
