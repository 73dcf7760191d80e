"""What README and the pages of the documentation tell a reader to type, and how to do it here.

A fenced block of `console` holds commands, one a line; of `python` a program; one with a title is a file of that name.
All blocks of a page happen in one folder, in their order. An HTML comment above a block says what the test changes:

- ``<!-- test: tiny -->``: few rows, folds and steps are added to each run or sweep (`TINY`);
- ``<!-- test: add a=1 b=2 -->``: these settings are added instead;
- ``<!-- test: not run: REASON -->``: the commands are only looked at: that they exist, and that their settings do.
"""

import ast
import contextlib
import glob
import io
import os
import re
import runpy
import shlex
import sys
import tomllib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

from synaug.command.subcommands import SUBCOMMANDS
from tests.program import Outcome

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "pages"
EXAMPLE = ROOT / "examples" / "own_augmenter"
TINY = ("dataset.max_per_class=60", "n_folds=2", "max_steps=16", "seeds=[0]", "trainer.enable_progress_bar=false")
# The modules that ``python -m`` takes for the words after ``synaug``.
MODULES = {name: f"synaug.{name}" for name in SUBCOMMANDS}
MODULES |= {"run": "synaug", "completion": "synaug", "dashboard": "synaug.tracking.dashboard"}
OURS = {"synaug", "benchmarks", "docs", "tests"}
# What these do to the machine is not done here: their words are looked at.
ONLY_LOOKED_AT = {"make", "pip", "python", ".", "wandb", "eval"}
# What bash, zsh and fish do not all hand on as it stands: patterns of files, `!` of the history, braces, redirections,
# `&` and `;`. Each is as safe between quotes, but `!`, `$` and backquotes only between single ones.
QUOTED = re.compile(r"""'[^']*'|"[^"!$`\\]*"|\\.""")
READ_BY_A_SHELL = re.compile(r"[\[\]?!{}()<>&;^`$\"']|(?:^|\s)[~=#]|=~|\S*=\S*\*")
COMMENT = re.compile(r"<!--\s*test:\s*(.*?)\s*-->")
FENCE = re.compile(r"^(`{3,})\s*(\w*)\s*(?:title=\"([^\"]+)\")?\s*$")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, what it is, and what the comment above it says."""

    page: Path
    line: int
    language: str
    title: str | None
    text: str
    said: str | None = None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def not_run(self) -> bool:
        """Whether the block is only looked at."""
        return self.said is not None and self.said.startswith("not run")

    @property
    def added(self) -> tuple[str, ...]:
        """Settings that the test adds."""
        if self.said is None or self.not_run:
            return ()
        if self.said == "tiny":
            return TINY
        word, _, rest = self.said.partition(" ")
        assert word == "add", f"{self}: what does test: {self.said} mean?"
        return tuple(TINY if rest == "tiny" else shlex.split(rest))

    def commands(self) -> list[str]:
        """Lines of a console, those that go on joined, without comments and without what is printed."""
        joined = self.text.replace("\\\n", " ")
        return [line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def documents() -> list[Path]:
    """README, the example's, and every page, as they are written."""
    return [ROOT / "README.md", EXAMPLE / "README.md", *sorted(PAGES.rglob("*.md"))]


def exists(module: str) -> bool:
    """Whether there is a module of this name."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page."""
    lines = page.read_text(encoding="utf-8").splitlines()
    number = 0
    while number < len(lines):
        opened = FENCE.match(lines[number].strip())
        if not opened:
            number += 1
            continue
        end = next(at for at in range(number + 1, len(lines)) if lines[at].strip() == opened[1])
        indent = len(lines[number]) - len(lines[number].lstrip())
        text = "\n".join(line[indent:] for line in lines[number + 1 : end]) + "\n"
        before = (COMMENT.fullmatch(line.strip()) for line in reversed(lines[:number]) if line.strip())
        above = next((comment[1] for comment in takewhile(bool, before) if comment), None)
        yield Block(page, number + 1, opened[2], opened[3], text, above)
        number = end + 1


@dataclass
class Command:
    """A line as a shell reads it."""

    words: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    given: str | None = None  # on standard input

    @classmethod
    def of(cls, line: str) -> "Command":
        """Read a line: settings of the environment, a command, and before a bar what is printed for it to read."""
        given = None
        before, bar, after = line.partition(" | ")
        if bar:
            printed = shlex.split(before)
            assert printed[0] in ("echo", "printf"), f"{line}: only echo and printf may stand before a bar"
            given = printed[1].replace("\\n", "\n") + ("\n" if printed[0] == "echo" else "")
            line = after
        words = shlex.split(line, comments=True)
        environment = {}
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            name, _, environment_value = words.pop(0).partition("=")
            environment[name] = environment_value
        return cls(words, environment, given)

    @property
    def module(self) -> str | None:
        """What ``python -m`` is given, or what a command of ours is as such; None for other programs."""
        words = self.words
        if words[:2] == ["python", "-m"]:
            return words[2] if words[2].partition(".")[0] in OURS else None
        if words[0] != "synaug":
            return None
        return MODULES.get(words[1], "synaug") if len(words) > 1 else "synaug"

    @property
    def arguments(self) -> list[str]:
        """Words after the command."""
        if self.words[0] == "python":
            return self.words[3:]
        return self.words[2:] if len(self.words) > 1 and self.words[1] in MODULES else self.words[1:]

    def problem(self) -> str | None:
        """Why nobody knows this command; None for one that is known."""
        program = self.words[0]
        if self.module is not None:
            return None if exists(self.module) else f"there is no {self.module}"
        if program not in ONLY_LOOKED_AT:
            return f"nobody knows {program}"
        if program == "make":
            targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
            return None if set(self.words[1:]) <= set(targets) else "make has no such target"
        if program == "pip":
            return unknown_extra(" ".join(self.words))
        return None


def unknown_extra(text: str) -> str | None:
    """Say which extra in ``pip install '.[a,b]'`` pyproject.toml does not have."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {name for found in re.findall(r"\.\[([\w,-]+)\]", text) for name in found.split(",")}
    return f"there is no extra {', '.join(sorted(named - set(extras)))}" if named - set(extras) else None


def read_by_a_shell(line: str) -> str | None:
    """Say what in a line bash, zsh and fish do not all take as it is written; None where there is nothing.

    ``*`` in a word alone is a pattern in all three. zsh refuses one that fits no file, such as one in a setting, and
    takes ``#`` for no comment when it is typed.
    """
    program = shlex.split(line)[0]
    found = READ_BY_A_SHELL.search(QUOTED.sub("", line))
    return None if found is None or program == "eval" else f"{found[0].strip()} is not between quotes"


def expanded(words: Sequence[str]) -> list[str]:
    """Words as a shell hands them on: a pattern becomes the paths that it fits, if there are any."""
    found = ((word, sorted(glob.glob(word)) if "*" in word else []) for word in words)
    return [each for word, paths in found for each in (paths or [word])]


def perform(line: str, added: Sequence[str] = ()) -> Outcome:
    """Do what a line says, in this process and in the current folder."""
    command = Command.of(line)
    assert command.module is not None, line
    arguments = expanded(command.arguments)
    module, words = command.module, arguments
    if command.words[0] == "synaug":
        module, words = "synaug", expanded(command.words[1:])
    runs = command.module in ("synaug", "synaug.embed") and not {"--help", "--cfg"} & set(arguments)
    argv = ["synaug", *words, *(added if runs else ())]
    out, err = io.StringIO(), io.StringIO()
    given = io.StringIO(command.given or "")
    code: Any = 0
    with (
        mock.patch.object(sys, "argv", argv),
        mock.patch.object(sys, "stdin", given),
        mock.patch.dict(os.environ, command.environment),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        # In a process that has imported the entrance before: a shell's would not.
        warnings.filterwarnings("ignore", ".* found in sys.modules", RuntimeWarning)
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=False)
        except SystemExit as stop:
            code = stop.code
    if isinstance(code, str):
        return Outcome(1, out.getvalue(), err.getvalue() + code)
    return Outcome(code or 0, out.getvalue(), err.getvalue())


def happen(page: Path) -> None:
    """Do everything that a page says, in the current folder."""
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page):
        if block.title is not None:
            Path(block.title).parent.mkdir(parents=True, exist_ok=True)
            Path(block.title).write_text(block.text, encoding="utf-8")
        if block.language == "yaml":
            assert isinstance(yaml.safe_load(block.text), Mapping), block
        elif block.language == "python" and block.title is None and not block.not_run:
            exec(compile(block.text, str(block), "exec"), names)
        elif block.language == "python":
            ast.parse(block.text)
        elif block.language == "console" and not block.not_run:
            for line in block.commands():
                if Command.of(line).module is not None:
                    outcome = perform(line, block.added)
                    assert outcome.code == 0, f"{block}: {line}\n{outcome.out}\n{outcome.err}"
