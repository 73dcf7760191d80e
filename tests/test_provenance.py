"""Which code made a run's numbers."""

import ast
import subprocess
from pathlib import Path

import pytest

import synaug
from synaug import record
from synaug.record import code, provenance

MODULE = '''"""What it is for."""

import warnings
from logging import getLogger

log = getLogger(__name__)
STEP = 0.5


def half(rows, times=1):
    """Halve rows."""
    # Not in place.
    if not rows:
        raise ValueError(f"{rows} are no rows")
    if times > 9:
        log.info("%d times", times)
        warnings.warn("that is much", stacklevel=2)
        print("much")
    assert times, "none"
    error = KeyError("no such row")
    getLogger("other").debug("done with %d", times)
    return [row * STEP ** times for row in rows]
'''


def digest(folder: Path, text: str) -> str:
    path = folder / "module.py"
    path.write_text(text, encoding="utf-8")
    return code.sources_sha256([path], folder)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("What it is for.", "Another word."),
        ('"""What it is for."""\n', ""),
        ("Halve rows.", "Halve\n\n    rows."),
        ("# Not in place.", "# In another list, ¿no?"),
        ("    # Not in place.\n", "\n\n"),
        ("{rows} are no rows", "{len(rows)} rows"),
        ('f"{rows} are no rows"', '"no rows" if rows is None else "empty" + str(rows)'),
        ('"%d times", times', '"%d", times + 1'),
        ('"that is much", stacklevel=2', '"much"'),
        ('print("much")', 'print("very", "much")'),
        ('assert times, "none"', "assert times"),
        ("no such row", "there is none"),
        ("done with %d", "%d done"),
        ("row * STEP ** times", "(row * (STEP ** times))"),
        ("[row * STEP ** times for row in rows]", "[\n        row * STEP**times\n        for row in rows\n    ]"),
    ],
)
def test_what_is_said_beside_the_code_changes_no_digest(tmp_path: Path, old: str, new: str) -> None:
    assert old in MODULE
    assert digest(tmp_path, MODULE.replace(old, new)) == digest(tmp_path, MODULE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("STEP = 0.5", "STEP = 0.25"),
        ("STEP = 0.5", "STEP = '0.5'"),
        ("times=1", "times=2"),
        ("STEP ** times", "STEP * times"),
        ("row * STEP", "row + STEP"),
        ("if not rows", "if rows"),
        ("times > 9", "times >= 9"),
        ("ValueError", "TypeError"),
        ("ValueError(f", "ValueError(rows, f"),
        ("assert times", "assert rows"),
        ("for row in rows", "for row in rows[1:]"),
        ('KeyError("no such row")', 'KeyError("no such row", rows)'),
        ('.debug("done with %d", times)', '.handle("done with %d", times)'),
        ("    if times > 9:", "    log = half\n    if times > 9:"),
        ("def half", "def third"),
        ("STEP = 0.5", "STEP = 0.5\nNAME = 'a text that is used'"),
    ],
)
def test_what_runs_changes_the_digest(tmp_path: Path, old: str, new: str) -> None:
    assert old in MODULE
    assert digest(tmp_path, MODULE.replace(old, new)) != digest(tmp_path, MODULE)


def test_names_of_files_count_and_their_order_does_not(tmp_path: Path) -> None:
    for name in ("a.py", "b.py", "c.py"):
        (tmp_path / name).write_text("x = 1" if name == "a.py" else "x = 2")
    a, b, c = (tmp_path / name for name in ("a.py", "b.py", "c.py"))
    assert code.sources_sha256([a, b], tmp_path) == code.sources_sha256([b, a], tmp_path)
    assert code.sources_sha256([a, b], tmp_path) != code.sources_sha256([a, c], tmp_path)


def test_the_form_that_is_hashed_is_of_no_version_of_python() -> None:
    # Written out, so that another Python would have to give the same; fields without a value are left out.
    tree = ast.parse("def f(x: int = 1, **more):\n    'Text.'\n    return -x if more else x ** 2\n")
    name = ["Name", ["id", "'x'"]]
    assert code.form(tree) == [
        "Module",
        [
            "body",
            [
                [
                    "FunctionDef",
                    ["name", "'f'"],
                    [
                        "args",
                        [
                            "arguments",
                            ["args", [["arg", ["arg", "'x'"], ["annotation", ["Name", ["id", "'int'"]]]]]],
                            ["kwarg", ["arg", ["arg", "'more'"]]],
                            ["defaults", [["Constant", ["value", "1"]]]],
                        ],
                    ],
                    [
                        "body",
                        [
                            [
                                "Return",
                                [
                                    "value",
                                    [
                                        "IfExp",
                                        ["test", ["Name", ["id", "'more'"]]],
                                        ["body", ["UnaryOp", ["op", ["USub"]], ["operand", name]]],
                                        [
                                            "orelse",
                                            [
                                                "BinOp",
                                                ["left", name],
                                                ["op", ["Pow"]],
                                                ["right", ["Constant", ["value", "2"]]],
                                            ],
                                        ],
                                    ],
                                ],
                            ]
                        ],
                    ],
                ]
            ],
        ],
    ]


def test_every_room_is_said_to_decide_numbers_or_none() -> None:
    package = Path(synaug.__file__).parent
    rooms = {path.parent.name for path in package.glob("*/*.py")}
    modules = {path.stem for path in package.glob("*.py")}
    whole = [name for name in code.DECIDES_NUMBERS if "/" not in name]
    assert sorted([*whole, *code.DECIDES_NONE]) == sorted(rooms | modules)
    for path in code.modules(package, code.DECIDES_NUMBERS):
        assert path.is_file()


def test_the_digest_is_of_the_rooms_that_decide_numbers() -> None:
    package = Path(synaug.__file__).parent
    paths = {path.relative_to(package).as_posix() for path in code.modules(package, code.DECIDES_NUMBERS)}
    assert {
        "splits/make.py",
        "settings/names.py",
        "training/fit.py",
        "augmenter/vae/network.py",
        "scores/prior_correction.py",
    } <= paths
    assert not any(path.split("/")[0] in ("report", "comparison", "command") for path in paths)
    assert len(record.code_sha256()) == 64


def test_what_reads_kept_log_probabilities_is_used_by_no_code_that_decides_numbers() -> None:
    package = Path(synaug.__file__).parent
    readers = [*code.modules(package, code.READ_RECORDS)]
    names = {f"synaug.{name.replace('/', '.')}" for name in code.READ_RECORDS}
    assert all(path.is_file() for path in readers)
    for path in set(code.modules(package, code.DECIDES_NUMBERS)) - set(readers):
        tree = ast.parse(path.read_bytes())
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        imported |= {each.name for node in ast.walk(tree) if isinstance(node, ast.Import) for each in node.names}
        assert not imported & names, path


def test_the_commit_is_that_of_this_checkout_and_of_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit() -> str | None:
        record.git_commit.cache_clear()
        return record.git_commit()

    module = tmp_path / "synaug" / "provenance.py"
    module.parent.mkdir()
    module.write_text("")
    git("init", "-q")
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    git(*identity, "commit", "-q", "--allow-empty", "-m", "first")
    monkeypatch.setattr(provenance, "__file__", str(module))
    assert commit() is None  # somebody's repository around an installed package
    git("add", "-A")
    git(*identity, "commit", "-q", "-m", "second")
    assert commit() == git("rev-parse", "HEAD")
    module.write_text("changed = True")
    assert commit() == git("rev-parse", "HEAD") + "-dirty"
    record.git_commit.cache_clear()
