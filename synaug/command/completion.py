"""What a shell's tab completes: commands, their options, files, and a run's settings. ``synaug completion bash`` sets
it up.

argcomplete asks the program itself at each tab, so what it tells is always what this version takes. Nothing of Hydra's
is imported for it: options are files of a folder, and their settings stand in these files.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from synaug.command import arguments
from synaug.command.subcommands import HELP, SUBCOMMANDS
from synaug.scores.names import CLASS_METRICS, METRICS
from synaug.settings import OPTION_GROUPS, conf_dir

PROGRAM = "synaug"
SHELLS = ("bash", "zsh", "fish")
# Set by the shell where it asks: which word of the line the program's name is, from 1.
ASKED = "_ARGCOMPLETE"
# Options whose values are words, by their destination.
WORDS = {"metric": (*METRICS, *(f"{name}[" for name in CLASS_METRICS)), "kind": ("umap", "pca", "tsne")}
OWN_OF_CHECK = ("task=", "k=", "published=")


def parser() -> argparse.ArgumentParser:
    """Describe the command line of ``synaug completion``."""
    command_line = argparse.ArgumentParser(
        prog="synaug completion",
        description="Print what sets up tab completion of synaug in a shell. "
        'bash: eval "$(synaug completion bash)", in ~/.bashrc for every new shell; '
        'zsh: eval "$(synaug completion zsh)", in ~/.zshrc after compinit; '
        "fish: synaug completion fish | source.",
    )
    command_line.add_argument("shell", choices=SHELLS, help="the shell to set up")
    return command_line


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line, and return its exit code."""
    asked = parser().parse_args(words)
    from argcomplete.shell_integration import shellcode

    sys.stdout.write(f"{shellcode([PROGRAM], shell=asked.shell)}\n")
    return 0


def answer() -> None:
    """Tell the shell that asks what stands in its place on the line, and end the process."""
    import argcomplete

    line = os.environ["COMP_LINE"].encode()[: int(os.environ["COMP_POINT"])].decode(errors="ignore")
    before = line.split()[int(os.environ[ASKED]) :]
    if before and not line.endswith(tuple(" \t")):
        before.pop()  # the word that is being written
    command = before[0] if before else None
    if command in SUBCOMMANDS:
        os.environ[ASKED] = str(int(os.environ[ASKED]) + 1)  # its own words alone
    argcomplete.autocomplete(_described(command, before), always_complete_options=False)


def _described(command: str | None, before: Sequence[str]) -> argparse.ArgumentParser:
    """The command line of a command, with what completes its words."""
    if command == HELP:
        described = argparse.ArgumentParser()
        described.add_argument("words", nargs="*", choices=[HELP, *SUBCOMMANDS])
        return described
    module = import_module(SUBCOMMANDS[command].entrance.partition(":")[0]) if command in SUBCOMMANDS else None
    described = getattr(module, "parser", arguments.parser)()
    for action in described._actions:
        if action.dest in WORDS:
            _complete_by(action, WORDS[action.dest])
        elif action.dest in ("overrides", "settings"):
            first: tuple[str, ...] = (*SUBCOMMANDS, HELP) if not before else ()
            own = OWN_OF_CHECK if command == "check" else ()
            _complete_by(action, Settings(before, (*first, *own)))
    return described


def _complete_by(action: argparse.Action, words: "Sequence[str] | Settings") -> None:
    def completer(prefix: str, **_: Any) -> list[str]:
        if isinstance(words, Settings):
            return list(words.matching(prefix))
        done, comma, last = prefix.rpartition(",")
        return [f"{done}{comma}{word}" for word in words if word.startswith(last)]

    action.completer = completer  # type: ignore[attr-defined]  # where argcomplete looks


class Settings:
    """A run's settings, as far as files tell them.

    Parameters
    ----------
    before
        The words of the command line that stand before; they choose options.
    others
        What may stand in the place of a setting.
    """

    def __init__(self, before: Sequence[str], others: Sequence[str] = ()) -> None:
        self.before = before
        self.others = others
        config_dir = _config_dir(before)
        self.roots = [conf_dir(), *([Path(config_dir)] if config_dir else [])]

    def matching(self, prefix: str) -> Iterator[str]:
        """Words that a beginning may become: options, keys up to their ``=``, and files as values."""
        key, equals, value = prefix.partition("=")
        sign = key[: len(key) - len(key.lstrip("+~"))]
        key = key.removeprefix(sign)
        if not equals:
            yield from (word for word in self.others if word.startswith(prefix))
            if prefix or not self.others:
                keys = self.keys() if "." in key else {name for each in self.keys() for name in [self._short(each)]}
                yield from (f"{sign}{name}" for name in sorted(keys) if name.startswith(key))
        elif options := self.options(key):
            done, comma, last = value.rpartition(",")
            yield from (f"{sign}{key}={done}{comma}{option}" for option in options if option.startswith(last))
        else:
            yield from (f"{sign}{key}={path}" for path in paths(value))

    def _short(self, key: str) -> str:
        """A key as it is offered before its dot is written: an option's settings only behind the option's group."""
        group = key.partition(".")[0]
        return f"{group}=" if group in OPTION_GROUPS else key

    def options(self, group: str) -> list[str]:
        """The options of a group, in order; none of what is no group."""
        return sorted({path.stem for root in self.roots for path in root.glob(f"{group}/*.yaml")}) if group else []

    def keys(self) -> set[str]:
        """``group=`` of all groups, and ``a.b=`` of all settings that a run of the options chosen so far has."""
        config = _read(conf_dir() / "config.yaml")
        found = {f"{path.parent.relative_to(root).as_posix()}=" for root in self.roots for path in root.rglob("*.yaml")}
        found |= {f"{key}=" for key in _leaves(config) if not key.startswith(("defaults", "hydra."))}
        for group, option in self.chosen(config).items():
            for root in self.roots:
                found |= {f"{group}.{key}=" for key in _leaves(_read(root / group / f"{option}.yaml"))}
        return found - {".="}

    def chosen(self, config: Mapping[str, Any]) -> dict[str, str]:
        """The option of each group: by default, by a method on the line, or by itself on the line."""
        lines = [word.partition("=") for word in self.before]
        given = {key: value.rpartition(",")[2] for key, _, value in lines}
        method = _read(conf_dir() / "method" / f"{given.get('method')}.yaml").get("defaults") or []
        named: dict[str, Any] = {}
        for each in (*config.get("defaults", ()), *method):
            if isinstance(each, dict):
                named |= {key.removeprefix("override ").strip("/"): option for key, option in each.items()}
        return {group: given.get(group, str(named.get(group))) for group in OPTION_GROUPS}


def _config_dir(before: Sequence[str]) -> str | None:
    """The user's ``--config-dir``, on a line that is not whole yet."""
    for place, word in enumerate(before):
        flag, equals, value = word.partition("=")
        if flag in ("--config-dir", "-cd"):
            return value if equals else next(iter(before[place + 1 :]), None)
    return None


def _read(path: Path) -> dict[str, Any]:
    """What a YAML file holds; nothing where it cannot be read, as a tab is no time to say so."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def _leaves(settings: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for key, value in settings.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}"


def paths(beginning: str) -> Iterable[str]:
    """Files and folders whose path begins so, hidden ones only where that is asked for; a folder ends in ``/``."""
    at, slash, name = beginning.rpartition("/")
    folder = Path(f"{at}{slash}").expanduser() if slash else Path()
    try:
        there = sorted(folder.iterdir())
    except OSError:
        return []
    return [
        f"{at}{slash}{each.name}{'/' if each.is_dir() else ''}"
        for each in there
        if each.name.startswith(name) and (name.startswith(".") or not each.name.startswith("."))
    ]
