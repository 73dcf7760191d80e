"""Digests of what figures are drawn from: frames, records, names, and what is made of these."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import PurePath

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype


def value_sha256(value: object) -> str:
    """Digest of a value, by what it holds.

    Raises
    ------
    TypeError
        If it is, or holds, what we do not know to take apart.
    """
    known = getattr(value, "sha256", None)  # large ones work theirs out once
    if isinstance(known, str):
        return known
    digest = hashlib.sha256()
    for part in _parts(value):
        digest.update(part)
        digest.update(b"\0")
    return digest.hexdigest()


def _parts(value: object) -> Iterable[bytes]:
    yield type(value).__qualname__.encode()
    if isinstance(value, Enum | bool | int | float | str | bytes | PurePath | None):
        yield repr(value).encode("utf-8", "surrogatepass")
    elif isinstance(value, pd.DataFrame):
        yield from _all([value.index, *(part for name in value for part in (name, pd.Index(value[name])))])
    elif isinstance(value, pd.Series):
        yield from _all([value.index, pd.Index(value)])
    elif isinstance(value, pd.Index):
        if is_numeric_dtype(value.dtype):
            yield from _parts(value.to_numpy())
        else:  # names and scenarios, of which there are few
            codes, different = pd.factorize(value)
            # Groups come in the order of the categories; those that are not here play no part.
            categories = value.dtype.categories if isinstance(value.dtype, pd.CategoricalDtype) else ()
            ordered = [category for category in categories if category in set(different)]
            yield from _all([codes, *different, ordered])
    elif isinstance(value, np.ndarray) and value.dtype != object:
        yield repr((value.dtype.str, value.shape)).encode()
        yield np.ascontiguousarray(value).tobytes()
    elif isinstance(value, np.generic):
        yield repr(value.item()).encode()
    elif is_dataclass(value):
        yield from _all([getattr(value, field.name) for field in fields(value)])
    elif (text := _as_json(value)) is not None:
        yield text
    elif isinstance(value, Mapping):
        yield from _all([part for item in value.items() for part in item])
    elif isinstance(value, Sequence | np.ndarray):
        yield from _all(list(value))
    elif isinstance(value, frozenset | set):
        yield from sorted(_all(list(value)))
    else:
        raise TypeError(f"nothing says what a {type(value).__qualname__} holds")


def _as_json(value: object) -> bytes | None:
    """Records and the like, thousands of numbers each, as text; None of what JSON cannot hold."""
    try:
        return json.dumps(value).encode() if isinstance(value, dict | list | tuple) else None
    except TypeError:
        return None


def _all(values: Sequence[object]) -> Iterable[bytes]:
    return (value_sha256(each).encode() for each in values)
