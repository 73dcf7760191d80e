"""A training that was broken off, on disk: tensors and JSON in one file of safetensors, whole or absent."""

import json
import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from synaug.files.atomic import replacing
from synaug.files.digest import array_sha256, json_sha256

log = logging.getLogger(__name__)

# Where the JSON stands among the file's metadata, and the digest of it and of the tensors.
STATE, SHA256 = "state", "sha256"


def write(path: Path, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Any]) -> None:
    """Write tensors and what JSON can hold.

    Raises
    ------
    OSError
        If the folder cannot be written.
    """
    on_cpu = {name: each.detach().cpu().contiguous() for name, each in tensors.items()}
    told = json.dumps(state)
    content = save(on_cpu, {STATE: told, SHA256: _sha256(on_cpu, told)})
    with replacing(path) as file:
        file.write(content)


def read(
    path: Path, tensors_needed: Iterable[str] = (), state_needed: Iterable[str] = ()
) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """What `write` wrote; None where nothing is, or where it was damaged: then the training begins anew.

    Parameters
    ----------
    tensors_needed, state_needed
        Names without which it is damaged.
    """
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
            told, digest = file.metadata()[STATE], file.metadata()[SHA256]
        if digest != _sha256(tensors, told):
            raise ValueError("it was altered")
        state = json.loads(told)
        missing = [*(set(tensors_needed) - tensors.keys()), *(set(state_needed) - state.keys())]
        if missing:
            raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        return tensors, state
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        log.warning("the interrupted training cannot be read from %s, so it starts again (%s)", path, error)
        return None


def _sha256(tensors: Mapping[str, torch.Tensor], told: str) -> str:
    """Digest of tensors, by name, and of JSON."""
    of_tensors = {}
    for name, each in tensors.items():
        # Tensors of one element or none may have other strides, though they are contiguous.
        values = each.as_strided((each.numel(),), (1,)).view(torch.uint8).numpy()
        of_tensors[name] = [str(each.dtype), list(each.shape), array_sha256(values)]
    return json_sha256([of_tensors, told])


def below(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors whose names begin so, by the rest of their names."""
    return {name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)}


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
