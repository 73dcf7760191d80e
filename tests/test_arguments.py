"""The command line, parted into settings and Hydra's flags."""

import argparse

import pytest
from hydra._internal.utils import get_args_parser

from synaug.command import arguments


def actions(parser: argparse.ArgumentParser) -> dict[tuple[str, ...], tuple[type, object]]:
    """How many words each flag takes, by its names."""
    counted: dict[str, type] = {"version": argparse._StoreTrueAction}
    return {
        tuple(action.option_strings): (counted.get(action.dest, type(action)), action.nargs)
        for action in parser._actions
    }


def test_the_flags_are_hydra_s() -> None:
    assert actions(arguments.parser()) == actions(get_args_parser())


@pytest.mark.parametrize(
    ("words", "overrides", "flags"),
    [
        (["a=1", "b=2"], ["a=1", "b=2"], []),
        (["a=1", "--multirun", "b=2"], ["a=1", "b=2"], ["--multirun"]),
        (["-cd", "mine", "a=1", "-m", "b=1,2"], ["a=1", "b=1,2"], ["-cd", "mine", "-m"]),
        (["--config-dir=mine", "a=1", "--cfg", "job"], ["a=1"], ["--config-dir=mine", "--cfg", "job"]),
        (["~a", "--info", "searchpath", "+b=1"], ["~a", "+b=1"], ["--info", "searchpath"]),
        (["a=1", "--nonsense"], ["a=1"], ["--nonsense"]),
    ],
)
def test_settings_may_stand_anywhere(words: list[str], overrides: list[str], flags: list[str]) -> None:
    found = arguments.parsed(words)
    assert list(found.overrides) == overrides
    assert list(found.flags) == flags


def test_what_the_program_looks_at_itself_is_told() -> None:
    found = arguments.parsed(["--multirun", "--config-dir", "mine", "a=1"])
    assert (found.config_dir, found.multirun, found.help) == ("mine", True, False)
    assert arguments.parsed(["-h"]).help
