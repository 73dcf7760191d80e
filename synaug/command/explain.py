"""What an error means to whoever gave the command: one sentence, or None for a fault of the program."""

import re

from hydra.errors import (
    CompactHydraException,
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
    SearchPathException,
)
from omegaconf.errors import OmegaConfBaseException

from synaug.command.arguments import Arguments
from synaug.command.check.command_line import unplaced
from synaug.errors import OF_THE_DISK, user_sentence
from synaug.settings import GROUPS
from synaug.sweep import launchers, sweep

# How Hydra begins when only some of the swept options have a setting. The `+key=...` it advises does not help.
NOT_OF_ALL = re.compile(r"Could not override '(\w+\.[\w.]+)'")
GROUP = "hydra/launcher"
# Options of ours and of the plugins -> the extra that brings the plugin.
EXTRAS = {
    "joblib": "joblib",
    "cores": "joblib",
    "ray": "ray",
    "ray_cluster": "ray",
    "submitit_local": "slurm",
    "submitit_slurm": "slurm",
    "slurm": "slurm",
}


def explained(error: Exception, arguments: Arguments, of_a_job: bool = False) -> str | None:
    """The sentence for an error that a command ended by; None for a fault of the program.

    Parameters
    ----------
    of_a_job
        Whether a job failed by it: then what Hydra could not do with the command line is not the matter.
    """
    # What Hydra writes goes to the run's folder. Of other errors without a file nothing is known but their own words.
    if isinstance(error, OSError) and error.filename is None and error.errno in OF_THE_DISK:
        error.filename = _output_folder(arguments)
    said = launchers.sentence(error) if sweep.current() is not None else None
    return said or user_sentence(error) or _of_hydra(error, arguments, of_a_job)


def _output_folder(arguments: Arguments) -> str:
    if (running := sweep.current()) is not None:
        return str(running.folder)
    folders = [override for override in arguments.overrides if override.startswith("output_dir=")]
    return folders[-1].partition("=")[2] if folders else "multirun"


def _of_hydra(error: Exception, arguments: Arguments, of_a_job: bool) -> str | None:
    """What Hydra could not do with the command line; None for any other error."""
    if isinstance(error, OverrideParseException) and "=" not in error.override:
        return f"{error.override} is no setting: write key=value or group=option (--help lists them)"
    if isinstance(error, OverrideParseException):
        key, _, value = error.override.partition("=")
        if not re.fullmatch(r"[~+]*[\w./@-]+", key):
            return f"{error.override} cannot be read, for {key!r} is no name of a setting: write key=value"
        quoted = '["..."]' if value.startswith("[") else '"..."'
        return (
            f"{error.override} cannot be read: put what is text between two kinds of quotes, one for the shell and one "
            f"for Hydra, as in '{key}={quoted}'"
        )
    if (without := _missing_plugin(error)) is not None:
        return without
    if isinstance(error, SearchPathException):
        return f"{error}: give an existing folder"
    if isinstance(error, ConfigCompositionException) and "Ambiguous value" in str(error):
        several = next((override for override in arguments.overrides if f"'{override}'" in str(error)), "a setting")
        key, _, value = several.partition("=")
        return (
            f"{several} names several values, but this is one run: add --multirun for a run of each, or give one"
            f""" (a list is '{key}=[{value}]', a text with a comma '{key}="{value}"')"""
        )
    # Hydra raises a plain ValueError where an option is no text, as in imbalance_ratio=10.
    if not of_a_job and isinstance(error, HydraException | OmegaConfBaseException | ValueError):
        try:
            problems = unplaced(arguments.overrides, arguments.config_dir)
        except CompactHydraException:  # of a file that an option builds on: the same again
            problems = []
        if problems:
            return "\n".join(problems)
    named = NOT_OF_ALL.match(str(error)) if isinstance(error, CompactHydraException) else None
    if named is not None and (group := named[1].partition(".")[0]) in GROUPS:
        key = named[1]
        return (
            f"{key} is a setting of some options of {group} in this sweep, but not of all: leave it out here, and give "
            f"the option that has it a second command with the same name=... (--multirun {group}=... {key}=...); the "
            "report then compares both"
        )
    if isinstance(error, MissingConfigException):
        return f"{str(error).splitlines()[0].rstrip('.')}: choose one that there is (--help lists them)"
    if isinstance(error, CompactHydraException):
        said = [_first_sentence(cause) for cause in (error, error.__cause__) if cause is not None]
        return said[0] if len(said) == 1 else f"{said[0]} ({said[1]})"
    return None


def _first_sentence(error: BaseException) -> str:
    """What an error of Hydra's says, without the lines that tell where in its own objects that was."""
    lines = str(error).split("\n")
    return " ".join(line.strip() for line in lines if line.strip() and not line.startswith(("\t", "    ")))


def _missing_plugin(error: BaseException) -> str | None:
    """A sentence for an option whose plugin is not installed; None for any other error."""
    if not isinstance(error, MissingConfigException) or error.missing_cfg_file is None:
        return None
    group, _, option = error.missing_cfg_file.rpartition("/")
    if group != GROUP or option not in EXTRAS:
        return None
    return f"{GROUP}={option} needs a plugin that is not installed: pip install 'synaug[{EXTRAS[option]}]'"
