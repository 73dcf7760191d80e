"""The digest of the code that decides numbers: of what runs, whatever is said beside it."""

import ast
import inspect
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from synaug.files import garbage_collection
from synaug.files.digest import json_sha256

# What stands directly below synaug/: rooms and modules. Those that decide a run's numbers (of `settings`, one module) …
DECIDES_NUMBERS = (
    "accelerator",
    "augmenter",
    "classifier",
    "dataset",
    "embeddings",
    "encoder",
    "imbalance_ratio",
    "loss",
    "parts",
    "pipeline",
    "scores",
    "seeding",
    "settings/names",
    "splits",
    "training",
    "tuning",
    "validation",
)
# … of which these modules, which read what a run has kept, decide none …
READ_RECORDS = ("scores/abstaining", "scores/cost_matrix", "scores/needs", "scores/thresholds")
# … and those that read records, check, draw, talk, or keep files.
DECIDES_NONE = (
    "__init__",
    "__main__",
    "check",
    "command",
    "comparison",
    "embed",
    "errors",
    "explain",
    "files",
    "fit",
    "quality",
    "maps",
    "model",
    "predict",
    "record",
    "report",
    "settings",
    "sweep",
    "tracking",
)
# What talks to a reader: functions, and methods of a log. What is given to them does not count.
TELLING_FUNCTIONS = ("print", "say", "warn")
LOGS = ("log", "logger", "logging", "getLogger")
LOG_METHODS = ("debug", "info", "warning", "error", "exception", "critical")


@cache  # the code that is running was also read only once
def code_sha256() -> str:
    """Digest of the source that decides numbers: runs of one digest (and of one `versions`) may be compared."""
    package = Path(__file__).parents[1]
    left_out = set(modules(package, READ_RECORDS))
    return sources_sha256((path for path in modules(package, DECIDES_NUMBERS) if path not in left_out), package)


def own_sha256(part: object) -> str | None:
    """Digest of the file that defines a part's class; None of synaug's own (`code_sha256`), and where there is no file.

    What that file imports in turn does not count.
    """
    kind = type(part)
    if kind.__module__.partition(".")[0] == __name__.partition(".")[0]:
        return None
    try:
        path = Path(inspect.getfile(kind))
        return sources_sha256([path], path.parent)
    except (TypeError, OSError, SyntaxError, ValueError):  # built in, typed at a prompt, or compiled
        return None


def modules(package: Path, names: Iterable[str]) -> Iterator[Path]:
    """The Python files of some rooms and modules of a package."""
    for name in names:
        if (package / name).is_dir():
            yield from (package / name).rglob("*.py")
        else:
            yield package / f"{name}.py"


def sources_sha256(paths: Iterable[Path], root: Path) -> str:
    """Digest of what runs in some files, and of their names below `root`.

    Comments, layout, docstrings and what is only told (the arguments of exceptions, warnings, log and console lines)
    do not count, nor does the version of Python: what is hashed is `form` of the syntax tree.
    """
    with garbage_collection.paused():  # three fifths of the time
        forms = [(path.relative_to(root).as_posix(), form(ast.parse(path.read_bytes()))) for path in sorted(paths)]
    return json_sha256(forms)


def form(node: Any) -> Any:
    """A syntax tree as lists and texts: each node's type, then the fields that are set, by name.

    Fields without a value are left out, so that one which a later Python adds changes nothing.
    """
    if isinstance(node, list):
        return [form(each) for each in node if not _is_remark(each)]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, value) for name, value in _running(node) if value is not None and value != []]
    return [type(node).__name__, *([name, form(value)] for name, value in fields)]


def _running(node: ast.AST) -> Iterator[tuple[str, Any]]:
    """The fields of a node that have a part in what runs."""
    for name, value in ast.iter_fields(node):
        if name in ("ctx", "kind", "type_comment", "type_ignores") or (isinstance(node, ast.Assert) and name == "msg"):
            continue
        if isinstance(node, ast.Call) and name in ("args", "keywords"):
            if _tells(node.func):
                continue
            if _last_name(node.func).endswith(("Error", "Warning")):
                value = _without_texts(value)
        if isinstance(node, ast.Raise) and isinstance(value, ast.Call):
            value = ast.Call(value.func, _without_texts(value.args), _without_texts(value.keywords))
        yield name, value


def _without_texts(arguments: list[Any]) -> list[Any]:
    """The arguments of an exception without its message: code that catches it may read them."""
    return [each for each in arguments if not _is_text(each.value if isinstance(each, ast.keyword) else each)]


def _is_remark(node: Any) -> bool:
    """Whether a statement is a text alone, as a docstring is."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_text(node: ast.expr) -> bool:
    """Whether an expression is a text, as far as can be seen: written so, put together, or chosen among such."""
    if isinstance(node, ast.BinOp):
        return _is_text(node.left) or _is_text(node.right)
    if isinstance(node, ast.IfExp):
        return _is_text(node.body) or _is_text(node.orelse)
    if isinstance(node, ast.Call):  # "...".join(...)
        return isinstance(node.func, ast.Attribute) and _is_text(node.func.value)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _tells(function: ast.expr) -> bool:
    """Whether a function is called to talk to a reader."""
    if isinstance(function, ast.Attribute) and function.attr in LOG_METHODS:
        return _last_name(function.value).strip("_") in LOGS
    return _last_name(function) in TELLING_FUNCTIONS


def _last_name(node: ast.expr) -> str:
    """`c` of `a.b.c`, and of `a.b.c(...)`; empty of anything else."""
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
