"""A device that stands in for a GPU: it computes on the CPU, and is as strict as a GPU, or stricter.

Its tensors say that they lie on ``standin:0``, and an operation that mixes them with tensors of the CPU raises. So what
runs on it has left nothing on the CPU by accident. Inside `without_waiting`, whatever would have the CPU wait for a GPU
raises, too: copies between the two, numbers read by Python, shapes that depend on numbers. `Recordings` plays CUDA's
graphs: work is recorded without being done, and done at each replay on the same memory.

To be imported in a process of its own: torch has room for one such device, and everybody sees it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
from pytorch_lightning.accelerators import Accelerator
from pytorch_lightning.strategies import SingleDeviceStrategy
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "standin"
aten = torch.ops.aten
COPIES = (aten._to_copy.default, aten.copy_.default)
WAITING = (aten._local_scalar_dense.default, aten.nonzero.default, aten.masked_select.default, aten.equal.default)


class OnDevice(torch.Tensor):
    """A tensor that says that it lies on the device; its numbers are in `held`."""

    held: torch.Tensor

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> "OnDevice":
        """Wrap a tensor of the CPU."""
        tensor: OnDevice = torch.Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(NAME, 0),
        )
        tensor.held = held
        return tensor

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Nothing of our own but that ``tensor.data = other`` takes the numbers along."""
        with torch._C.DisableTorchFunctionSubclass():
            result = function(*args, **(kwargs or {}))
        if function is torch.Tensor.data.__set__:  # type: ignore[attr-defined]
            args[0].held = args[1].held
        return result

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # torch's own stub is of a function that does nothing
        cls, operator: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Compute on the CPU, if a GPU would."""
        return computed(operator, args, kwargs or {})


class _State:
    waiting_is_allowed = True
    recording: "list[Recorded] | None" = None
    undo: list[tuple[torch.Tensor, torch.Tensor]]
    to_cpu = 0  # copies so far


Recorded = tuple[Any, Any, Any, Any]


def computed(operator: Any, args: Any, kwargs: Any) -> Any:
    """What an operator makes of tensors on the device."""
    given = [each for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor)]
    foreign = [each for each in given if not isinstance(each, OnDevice)]
    if operator not in COPIES and any(each.dim() for each in foreign):
        raise RuntimeError(f"{operator} mixes tensors of the device with {len(foreign)} of the CPU")
    goes_to = kwargs.get("device")
    leaves = goes_to is not None and torch.device(goes_to).type == "cpu"
    if operator in COPIES and operator is not aten._to_copy.default:
        leaves = not isinstance(args[0], OnDevice)
    # A number of the CPU is an argument of most kernels, but is copied for this one.
    crosses = (operator in COPIES and (leaves or bool(foreign))) or (operator is aten.where.self and bool(foreign))
    _State.to_cpu += leaves
    if (operator in WAITING or crosses) and not _State.waiting_is_allowed:
        raise RuntimeError(f"{operator} has the CPU wait for the device")
    if goes_to is not None:
        kwargs = {**kwargs, "device": "cpu"}
    if kwargs.get("pin_memory"):
        kwargs = {**kwargs, "pin_memory": False}
    args, kwargs = tree_map(_held, (args, kwargs))
    changes = operator._schema.is_mutable
    if _State.recording is not None and changes:
        _State.undo += [(each, each.clone()) for each in _written(operator, args, kwargs)]
    result = operator(*args, **kwargs)
    if _State.recording is not None:
        _State.recording.append((operator, args, kwargs, result))
    if leaves:
        return result
    if changes and result is not None:
        return _wrapped_again(result, given)
    return tree_map(_on_device, result)


def _held(each: Any) -> Any:
    return each.held if isinstance(each, OnDevice) else each


def _on_device(each: Any) -> Any:
    return OnDevice(each) if isinstance(each, torch.Tensor) else each


def _wrapped_again(result: Any, given: list[torch.Tensor]) -> Any:
    """What an operator changed in place, as it was given."""
    wrappers = {id(each.held): each for each in given if isinstance(each, OnDevice)}
    return tree_map(lambda each: wrappers.get(id(each), each), result)


def _written(operator: Any, args: Any, kwargs: Any) -> list[torch.Tensor]:
    """The tensors that an operator changes."""
    found: list[torch.Tensor] = []
    for place, argument in enumerate(operator._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[place] if place < len(args) else kwargs.get(argument.name)
            found += [each for each in tree_leaves(value) if isinstance(each, torch.Tensor)]
    return found


@contextmanager
def without_waiting() -> Iterator[None]:
    """Refuse for the block whatever would have the CPU wait for a GPU."""
    before, _State.waiting_is_allowed = _State.waiting_is_allowed, False
    try:
        yield
    finally:
        _State.waiting_is_allowed = before


class Recordings:
    """CUDA's graphs, played on the stand-in: a `synaug.classifier.replay.Recorder`.

    Attributes
    ----------
    recorded, replayed
        How many there were.
    """

    def __init__(self) -> None:
        self.recorded = self.replayed = 0

    def apart(self, work: Callable[[], torch.Tensor]) -> torch.Tensor:
        """Do it."""
        return work()

    def record(self, work: Callable[[], torch.Tensor]) -> tuple[Callable[[], None], torch.Tensor]:
        """Record work; what it changed while it was recorded is put back, as nothing is done meanwhile."""
        recording: list[Recorded] = []
        _State.recording, _State.undo = recording, []
        try:
            with without_waiting():
                result = work()
        finally:
            _State.recording = None
            for changed, before in reversed(_State.undo):
                changed.copy_(before)
        self.recorded += 1
        return lambda: self._replay(recording), result

    @torch.no_grad()
    def _replay(self, recording: list[Recorded]) -> None:
        self.replayed += 1
        for operator, args, kwargs, result in recording:
            again = operator(*args, **kwargs)
            for now, place in zip(tree_leaves(again), tree_leaves(result), strict=True):
                if isinstance(now, torch.Tensor) and now.data_ptr() != place.data_ptr():
                    place.copy_(now)


class StandIn(Accelerator):
    """What Lightning asks of a device."""

    def setup_device(self, device: torch.device) -> None:
        """Nothing is to be set up."""

    def teardown(self) -> None:
        """Nor torn down."""

    @staticmethod
    def parse_devices(devices: Any) -> Any:
        """One is all there is."""
        return devices

    @staticmethod
    def get_parallel_devices(devices: Any) -> list[torch.device]:
        """See `parse_devices`."""
        return [torch.device(NAME, 0)]

    @staticmethod
    def auto_device_count() -> int:
        """See `parse_devices`."""
        return 1

    @staticmethod
    def is_available() -> bool:
        """It always is."""
        return True

    @staticmethod
    def name() -> str:
        """See `NAME`."""
        return NAME


def trainer() -> dict[str, Any]:
    """Arguments of Lightning's Trainer to work on it; without torch's inference mode, which knows no such tensors."""
    strategy = SingleDeviceStrategy(device=torch.device(NAME, 0), accelerator=StandIn())
    return {"strategy": strategy, "inference_mode": False, "enable_progress_bar": False}


def never_waiting(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, within `without_waiting`."""

    @wraps(function)
    def strict(*args: Any, **kwargs: Any) -> Any:
        with without_waiting():
            return function(*args, **kwargs)

    return strict


def copies_to_the_cpu() -> int:
    """How many there were so far."""
    return _State.to_cpu


def _empty(size: Any, *, dtype: Any = None, **_: Any) -> torch.Tensor:
    return OnDevice(torch.empty(size, dtype=dtype))


def _empty_strided(size: Any, stride: Any, *, dtype: Any = None, **_: Any) -> torch.Tensor:
    return OnDevice(torch.empty_strided(size, stride, dtype=dtype))


def _copy_from(source: torch.Tensor, target: torch.Tensor, non_blocking: bool = False) -> Any:
    """What `torch.tensor` calls, beneath everything else."""
    return computed(aten.copy_.default, (target, source), {})


_setup_privateuseone_for_python_backend(NAME)
_library = torch.library.Library("aten", "IMPL")
_library.impl("empty.memory_format", _empty, "PrivateUse1")
_library.impl("empty_strided", _empty_strided, "PrivateUse1")
_library.impl("_copy_from", _copy_from, "PrivateUse1")
