"""The figures of a report: every module here is one kind of figure, its ``FIGURE``, and is found by being here."""

import pkgutil
from importlib import import_module

from synaug.report.drawing.contract import FigureKind


def names() -> list[str]:
    """Names of the kinds of figures: of the modules in this package."""
    return [module.name for module in pkgutil.iter_modules(__path__)]


def kind(name: str) -> FigureKind:
    """What a module says of its figures.

    Raises
    ------
    TypeError
        If it has no ``FIGURE`` with a place.
    """
    figure = getattr(import_module(f"{__name__}.{name}"), "FIGURE", None)
    if not isinstance(figure, FigureKind) or not isinstance(figure.place, int):
        raise TypeError(f"{__name__}.{name} has no FIGURE = FigureKind(...) with a whole number for its place")
    return figure
