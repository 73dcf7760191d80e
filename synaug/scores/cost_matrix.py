"""What each kind of mistake costs: a matrix, read from a csv."""

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synaug.errors import UserError

Array = NDArray[np.float64]

FORM = (
    "a header of class names, then a row for each class, in the same order: what it costs to call a row of that class "
    "by each of these names"
)


@dataclass(frozen=True)
class CostMatrix:
    """Costs of decisions.

    Attributes
    ----------
    classes
        The order of rows and columns.
    costs
        `[c, c]`: rows the true class, columns the class decided for; 0 or more, the diagonal the least of its row.
    """

    classes: tuple[str, ...]
    costs: Array

    def of(self, class_names: Sequence[str]) -> Array:
        """The costs in the order of some class names, which must be those of the matrix."""
        order = [self.classes.index(name) for name in class_names]
        ordered: Array = self.costs[np.ix_(order, order)]
        return ordered


def read_csv(path: Path, said: str) -> CostMatrix:
    """Read a cost matrix: a header of class names, then one row of costs for each true class.

    Rows may begin with the name of their class; without names they are in the header's order. Cells are separated by
    commas, semicolons (decimal commas are then read, too) or tabs.

    Parameters
    ----------
    said
        How the user gave the path, for messages.

    Raises
    ------
    UserError
        If there is no such file, or it is not UTF-8, not a square matrix with a header, or holds what is no cost.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{said}: there is no file {path}: give a csv with {FORM}") from None
    except IsADirectoryError:
        raise UserError(f"{said}: {path} is a folder: give a csv with {FORM}") from None
    except UnicodeDecodeError as error:
        raise UserError(
            f"{said}: {path} is not UTF-8 (byte {error.start}): save it as UTF-8, in a spreadsheet as “CSV UTF-8”"
        ) from None
    first = re.sub('"[^"]*"', "", text.split("\n", 1)[0])
    delimiter = next((each for each in ("\t", ";") if each in first and "," not in first), ",")
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=delimiter)]
    except csv.Error as error:
        raise UserError(f"{said}: {path} cannot be read as a csv ({error}): write {FORM}") from error
    rows = [row for row in rows if any(row)]
    if not rows:
        raise UserError(f"{said}: {path} is empty: it must have {FORM}")
    header, body = rows[0], rows[1:]
    named = bool(body) and all(len(row) == len(body) + 1 for row in body)
    names = header[1:] if named and len(header) == len(body) + 1 else header
    if len(body) == len(header) - 1 and all(_number(cell, delimiter) is not None for cell in header):
        raise UserError(f"{said}: {path} has no header of class names ({header[0]} stands first): write {FORM}")
    widths = [len(row) - named for row in body]
    if len(body) < 2 or any(width != len(names) for width in widths) or len(body) != len(names):
        seen = " and ".join(map(str, sorted(set(widths)))) or "no"
        raise UserError(
            f"{said}: {path} has {len(names)} class names and {len(body)} rows of {seen} costs, and must be square: "
            f"write {FORM}"
        )
    if len(set(names)) < len(names) or not all(names):
        raise UserError(f"{said}: the header of {path} must name each class once ({', '.join(names)}): write {FORM}")
    if named:
        lines = [row[0] for row in body]
        if sorted(lines) != sorted(names):
            raise UserError(
                f"{said}: rows of {path} are called {', '.join(lines)} and columns {', '.join(names)}: "
                "give both the same class names"
            )
        body = [body[lines.index(name)][1:] for name in names]
    return CostMatrix(tuple(names), _costs(body, names, path, said, delimiter))


def _costs(body: Sequence[Sequence[str]], names: Sequence[str], path: Path, said: str, delimiter: str) -> Array:
    costs = np.zeros((len(names), len(names)))
    for true, row in enumerate(body):
        for called, cell in enumerate(row):
            number = _number(cell, delimiter)
            if number is None or not 0 <= number < math.inf:
                raise UserError(
                    f"{said}: what {path} has for a row of {names[true]} that is called {names[called]} is {cell!r}, "
                    "and must be a number of 0 or more: subtract the least cost of all from every cell if some are "
                    "gains"
                )
            costs[true, called] = number
        if costs[true].min() < costs[true, true]:
            cheapest = names[int(costs[true].argmin())]
            raise UserError(
                f"{said}: in {path} a row of {names[true]} costs {costs[true, true]:g} if it is called so and "
                f"{costs[true].min():g} if it is called {cheapest}: being right must cost the least; rows are the true "
                "class, columns the predicted one"
            )
    if not (costs > np.diag(costs)[:, None]).any():
        raise UserError(f"{said}: no mistake costs more than being right in {path}: give one that does a higher cost")
    return costs


def _number(cell: str, delimiter: str) -> float | None:
    try:
        return float(cell.replace(",", ".") if delimiter == ";" else cell)
    except ValueError:
        return None
