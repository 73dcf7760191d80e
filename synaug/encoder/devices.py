"""On which devices a model works: all GPUs, or the best there is, or those that the user names."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from synaug.accelerator import is_out_of_memory
from synaug.errors import UserError

if TYPE_CHECKING:
    import torch


def placed(model: Any, device: str | Sequence[str] | None) -> "list[torch.device]":
    """Move a model to the first of its devices, and find out whether it can be on each.

    Parameters
    ----------
    model
        A module of torch.
    device
        One, several, or None for `best_devices`.

    Returns
    -------
    list
        The devices; the model is on the first.

    Raises
    ------
    UserError
        If there is no such device, or torch was built without it.
    """
    import torch

    names = [device] if isinstance(device, str) else device or best_devices()
    try:
        devices = [torch.device(name) for name in names]
        for each in reversed(devices):  # to each, so that one which cannot be used is named; last to the first
            model.to(each)
    except (RuntimeError, AssertionError) as error:  # an AssertionError: torch was built without that device
        reason = " ".join(str(error).split())
        raise UserError(f"encoder.device={device} cannot be used ({reason}): choose another, or null") from error
    return devices


def best_devices() -> list[str]:
    """Every GPU, or else the best there is."""
    import torch

    n_gpus = torch.cuda.device_count()
    return [f"cuda:{number}" for number in range(n_gpus)] if n_gpus else [best_device()]


def best_device() -> str:
    """cuda, else mps, else cpu."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


@contextmanager
def memory_for_one_text(device: Any, setting: str) -> Iterator[None]:
    """Say what to do if a device has too little memory for a single text; `setting` makes texts shorter."""
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(
            f"{device} has too little free memory for a single text: lower {setting}, or set encoder.device=cpu"
        ) from error
