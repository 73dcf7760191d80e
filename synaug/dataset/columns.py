"""The column of a file or a table that a setting names."""

from collections.abc import Sequence

from synaug.errors import UserError
from synaug.settings import names


def find_column(
    column: object, columns: Sequence[str], where: str, setting: str, note: str = "", otherwise: str = ""
) -> str:
    """The one column that a setting means.

    Parameters
    ----------
    column
        The setting's value, as of `synaug.settings.names.called`.
    setting
        Its name, for the remedy.
    note
        Where the columns' names were found.
    otherwise
        What else can be done where none is called so, e.g. ``, or …``.

    Raises
    ------
    UserError
        If no column is called so (with near misses), or several.
    """
    called = names.called(column, columns)
    if len(called) == 1:
        return called[0]
    if len(set(called)) > 1:
        raise UserError(
            f"{setting}={names.as_yaml(column)} stands for several columns of {where} ({names.listed(called)}): quote "
            f"the one you mean, '{setting}=\"{called[0]}\"'"
        )
    if called:
        raise UserError(f"{where} has {len(called)} columns called {called[0]!r}: rename all but one")
    word = names.as_yaml(column)
    both = ("dataset.text", "dataset.label")
    remedy = f"set {' and '.join(both) if setting in both else setting}"
    hint = names.nearest(word, columns) or f"; it has {names.listed(columns) or 'none'}{note}: {remedy}"
    raise UserError(f"{where} has no column {word!r}{hint}{otherwise}")
