"""What exists on one system only is used behind a guard, and a run needs none of it."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from synaug import record
from synaug.files import atomic
from synaug.sweep import sweep
from tests import toy
from tests.program import TOY

CHECKOUT = Path(__file__).parents[1]
SOURCES = sorted((CHECKOUT / "synaug").rglob("*.py"))
# Modules and attributes of Unix, or of Linux.
MODULES = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "crypt", "posix"}
ATTRIBUTES = {
    "os": {
        *("fork", "forkpty", "getuid", "geteuid", "getgid", "getegid", "getpgid", "setpgid", "setsid", "killpg"),
        *("sched_getaffinity", "sched_setaffinity", "statvfs", "fstatvfs", "nice", "mkfifo", "uname", "getloadavg"),
        *("chown", "fchmod", "wait", "waitpid", "posix_fadvise", "sendfile", "O_NONBLOCK", "O_DIRECTORY", "O_NOFOLLOW"),
    },
    "signal": {"SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGPIPE", "SIGCHLD", "alarm", "pthread_kill"},
}
# Known to Windows, too, but with another meaning there: os.kill ends a process, whatever the signal.
OTHERWISE = {"os": {"kill"}}


def uses(tree: ast.AST, guarded: bool = False) -> Iterator[tuple[ast.AST, bool]]:
    """Each node below another, and whether it is behind a guard.

    A guard is a `try` that is ready for what is missing, a condition on the system, or what comes after one that left.
    """
    for field in ast.iter_fields(tree):
        body = field[1] if isinstance(field[1], list) else [field[1]]
        here = guarded
        for node in body:
            if not isinstance(node, ast.AST):
                continue
            inside = here
            if isinstance(node, ast.Try) and any(_expects(handler) for handler in node.handlers):
                inside = True
            if isinstance(node, ast.If) and _asks_for_the_system(node.test):
                inside = True
                here = here or isinstance(node.body[-1], ast.Return | ast.Raise)  # what follows is the other system's
            yield node, inside
            yield from uses(node, inside)


def _expects(handler: ast.ExceptHandler) -> bool:
    names = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)} if handler.type else set()
    return bool(names & {"ImportError", "ModuleNotFoundError", "AttributeError"})


def _asks_for_the_system(test: ast.AST) -> bool:
    words = ast.unparse(test)
    return any(word in words for word in ("sys.platform", "os.name", "hasattr("))


def unguarded(source: str) -> list[str]:
    """What a module uses of one system without a guard."""
    found = []
    for node, guarded in uses(ast.parse(source)):
        if guarded:
            continue
        if isinstance(node, ast.Import):
            found += [each.name for each in node.names if each.name in MODULES]
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            found.append(str(node.module))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            known = ATTRIBUTES.get(node.value.id, set()) | OTHERWISE.get(node.value.id, set())
            found += [f"{node.value.id}.{node.attr}"] if node.attr in known else []
    return found


# Where `os.kill` is right everywhere: the process is to end.
ENDS_ITSELF = {"synaug/sweep/interrupts.py": ["os.kill"]}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(CHECKOUT).as_posix())
def test_what_one_system_lacks_is_used_behind_a_guard(path: Path) -> None:
    name = path.relative_to(CHECKOUT).as_posix()
    assert unguarded(path.read_text(encoding="utf-8")) == ENDS_ITSELF.get(name, [])


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import fcntl", ["fcntl"]),
        ("from resource import getrusage", ["resource"]),
        ("import os\nos.fork()", ["os.fork"]),
        ("import signal\ndef f():\n    signal.signal(signal.SIGHUP, g)", ["signal.SIGHUP"]),
        ("import os\nos.kill(pid, 0)", ["os.kill"]),
        ("try:\n    import fcntl\nexcept OSError:\n    pass", ["fcntl"]),
        ("try:\n    import fcntl\nexcept ImportError:\n    pass", []),
        ("if os.name == 'posix':\n    os.fork()", []),
        ("def f():\n    if os.name != 'posix':\n        return 1\n    return os.kill(1, 0)", []),
        ("def f():\n    if os.name != 'posix':\n        x = 1\n    return os.kill(1, 0)", ["os.kill"]),
        ("def f():\n    if os.name != 'posix':\n        return 1\ndef g():\n    return os.kill(1, 0)", ["os.kill"]),
    ],
)
def test_the_check_itself_tells_guarded_from_unguarded(source: str, found: list[str]) -> None:
    assert unguarded(source) == found


# Before anything of ours is imported, and after what the interpreter and its own library take for themselves.
ELSEWHERE = f"""
import importlib.abc, os, signal, subprocess, sys, tempfile, shutil, multiprocessing, asyncio, selectors, ctypes, uuid
import numpy, torch, pandas, sklearn, filelock, pytorch_lightning, transformers  # theirs is not ours to judge
import hydra, platformdirs.unix
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name in {sorted(MODULES - {"posix", "termios", "tty"})!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
for name in {sorted(MODULES - {"posix", "termios", "tty"})!r}:
    sys.modules.pop(name, None)
for name in ("fork", "getuid", "geteuid", "sched_getaffinity", "statvfs", "uname", "getloadavg", "nice", "setsid"):
    if hasattr(os, name):
        delattr(os, name)
if hasattr(signal, "SIGHUP"):
    del signal.SIGHUP  # Lightning needs SIGUSR1 unless the whole platform is another
sys.argv = ["synaug", *sys.argv[1:]]
from synaug.__main__ import main
code = main()
sys.exit(code)
"""


def test_a_run_a_sweep_and_a_report_need_nothing_of_one_system(tmp_path: Path) -> None:
    csv = toy.write_csv(tmp_path / "mine.csv", *toy.texts(40))
    settings = [*TOY, f"dataset.path={csv}", f"cache_dir={tmp_path / 'cache'}", f"output_dir={tmp_path / 'out'}"]
    short = ["n_folds=2", "max_steps=4", "name=s"]

    def elsewhere(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
        command = [sys.executable, "-c", ELSEWHERE, *words]
        return subprocess.run(command, capture_output=True, check=False, env=environment, encoding="cp1252")

    swept = elsewhere("--multirun", *settings, *short, "method=none,smote", "report=true")
    assert swept.returncode == 0, swept.stderr
    assert "report: " in swept.stdout
    assert "+/-" not in swept.stdout  # cp1252 has ±
    for folder in (tmp_path / "out" / "s").glob("files-*"):
        assert record.read(folder)["cost"]["peak_memory_bytes"] == 0
    reported = elsewhere("report", str(tmp_path / "out" / "s"))
    assert reported.returncode == 0, reported.stderr
    assert (tmp_path / "out" / "s" / "report" / "index.html").stat().st_size


def test_where_asking_would_end_a_process_it_is_taken_for_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr("os.kill", lambda pid, number: asked.append(pid))
    with monkeypatch.context() as patch:
        patch.setattr("synaug.sweep.sweep.os.name", "nt")
        assert sweep._is_alive(12345)
    assert asked == []
    assert sweep._is_alive(12345)
    assert asked == [12345]


def test_without_locks_of_files_what_is_written_is_whole_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(atomic, "HAS_LOCKS", False)
    with atomic.replacing(tmp_path / "file") as file:
        file.write(b"whole")
    assert (tmp_path / "file").read_bytes() == b"whole"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert atomic.is_abandoned(tmp_path / "file")
