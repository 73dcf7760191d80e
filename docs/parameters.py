"""What the docstring of a config's target says of its parameters, read from the source without importing anything."""

import ast
import re
from functools import cache
from pathlib import Path

import griffe

ROOT = Path(__file__).resolve().parents[1]


@cache
def of_target(target: str) -> dict[str, str]:
    """The first sentence on each parameter of a class or function of ours; nothing for those of other packages."""
    module, _, name = target.rpartition(".")
    if not module.startswith("synaug"):
        return {}
    found = _definition(module, name)
    if found is None:
        return {}
    text = ast.get_docstring(found) or ""
    inherited = [base.id for base in getattr(found, "bases", []) if isinstance(base, ast.Name)]
    described = {}
    for section in griffe.Docstring(text).parse("numpy", warnings=False):
        if isinstance(section, griffe.DocstringSectionParameters):
            for parameter in section.value:
                described.update(
                    dict.fromkeys(re.split(r",\s*", parameter.name), _first_sentence(parameter.description))
                )
    for base in inherited:
        described = {**of_target(f"{module}.{base}"), **described}
    return described


def _definition(module: str, name: str) -> ast.ClassDef | ast.FunctionDef | None:
    """Where a name of a module is defined, there or in the module that it is imported from."""
    path = ROOT / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not path.is_file():
        return None
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return node
        if isinstance(node, ast.ImportFrom) and node.module and any(each.name == name for each in node.names):
            return _definition(node.module, name)
    return None


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[a-z\d)`\]])\.\s|\.$", " ".join(text.split()))[0].replace("``", "`")
