"""The libraries of a run, imported without those parts of them that it never asks for.

torchmetrics, which Lightning imports, imports transformers and matplotlib, and imbalanced-learn imports
scikit-learn's checks of estimators, with all estimators and pytest: a fifth of the time that a run's imports take.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

NEVER_ASKED_FOR = (
    "transformers",
    "torchmetrics.utilities.plot",
    "sklearn.utils.estimator_checks",
    "sklearn.utils._test_common.instance_generator",
)


def import_libraries() -> None:
    """Import Lightning and imbalanced-learn; some names in them are looked up when they are used."""
    with put_off(*NEVER_ASKED_FOR):
        import imblearn  # noqa: F401
        import pytorch_lightning  # noqa: F401


@contextmanager
def put_off(*names: str) -> Iterator[None]:
    """Let ``from module import name`` import none of these modules in this block.

    Whoever says so has an object that imports the module when it is called, asked for an attribute or derived from.
    Afterwards all is as it was: whoever imports a module then has the module itself. One that is there already, or is
    not installed, stays as it is.
    """
    absent = [name for name in names if name not in sys.modules and ("." in name or find_spec(name) is not None)]
    for name in absent:
        sys.modules[name] = _StandIn(name)
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


class _StandIn(ModuleType):
    """A module whose names are looked up when they are used."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__spec__ = ModuleSpec(name, None) if "." in name else find_spec(name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Name(self.__name__, name)


class _Name:
    """What stands for a name of a module that is not imported yet."""

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name

    def _itself(self) -> Any:
        return getattr(import_module(self._module), self._name)

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return self._itself()(*args, **keywords)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._itself(), name)

    def __instancecheck__(self, value: object) -> bool:
        module = sys.modules.get(self._module)  # before it is imported, nothing can be of its classes
        return module is not None and isinstance(value, getattr(module, self._name))

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self._itself(),)
