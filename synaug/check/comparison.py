"""A value of ours beside the one that it should be, and the table of them."""

from collections.abc import Sequence
from dataclasses import dataclass

HEADER = ("check", "value", "expected", "difference", "allowed", "")


@dataclass(frozen=True)
class Comparison:
    """A value of ours and the outside value that it should be.

    Attributes
    ----------
    what
        Names the value.
    value, expected
        Ours, and the other.
    tolerance
        How far apart the two may lie and still agree.
    """

    what: str
    value: float
    expected: float
    tolerance: float

    @property
    def difference(self) -> float:
        """By how much the value lies above what was expected."""
        return self.value - self.expected

    @property
    def agrees(self) -> bool:
        """Whether the difference is one that is allowed; NaN never is."""
        return abs(self.difference) <= self.tolerance


def table(title: str, comparisons: Sequence[Comparison]) -> str:
    """Comparisons below a title, one a line."""
    rows = [
        (
            each.what,
            _number(each.value),
            _number(each.expected),
            f"{each.difference:+.1e}",
            f"{each.tolerance:.1e}",
            "agrees" if each.agrees else "DOES NOT AGREE",
        )
        for each in comparisons
    ]
    widths = [max(map(len, column)) for column in zip(HEADER, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) if place in (0, 5) else cell.rjust(width) for place, (cell, width) in each).rstrip()
        for each in (list(enumerate(zip(row, widths, strict=True))) for row in (HEADER, *rows))
    ]
    return "\n".join([title, *(f"  {line}" for line in lines)])


def _number(value: float) -> str:
    """Four decimals; of what is too small for them, two digits."""
    return f"{value:.1e}" if 0 < abs(value) < 5e-4 else f"{value:.4f}"
