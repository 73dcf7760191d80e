"""A training that was broken off, on disk: tensors and JSON in one file of safetensors, whole or absent."""

import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from synaug.files.atomic import replacing

log = logging.getLogger(__name__)

STATE = "state"  # where the JSON stands among the file's metadata


def write(path: Path, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> None:
    """Write tensors and what JSON can hold.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    content = save(
        {name: each.detach().cpu().contiguous() for name, each in tensors.items()}, {STATE: json.dumps(state)}
    )
    with replacing(path) as file:
        file.write(content)


def read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """What `write` wrote; None where nothing is, or where it was damaged: then the training begins anew."""
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
            return tensors, json.loads(file.metadata()[STATE])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        log.warning("the interrupted training cannot be read from %s, so it starts again (%s)", path, error)
        return None


def remove(path: Path) -> None:
    """Remove what `write` wrote, if it can be removed."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


def of_draw(draw: np.random.RandomState) -> tuple[torch.Tensor, list[Any]]:
    """A generator of numpy's as a tensor, and what JSON holds of it."""
    _, keys, *rest = draw.get_state(legacy=True)
    return torch.from_numpy(np.asarray(keys).astype(np.int64)), list(rest)


def to_draw(keys: torch.Tensor, rest: list[Any]) -> np.random.RandomState:
    """The generator that `of_draw` was given."""
    draw = np.random.RandomState(0)
    draw.set_state(("MT19937", keys.numpy().astype(np.uint32), *rest))
    return draw
