"""What a folder must hold to be a model: whoever wrote it, it is used as it was meant, or refused in a sentence."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synaug.model.head import CARRIED, KINDS, LAYER, MEAN, MEANS, NEIGHBOURS, SCALE, SPACE, STACKED, TARGET, Head

SIZES = ("n_features", "n_classes", "n_members")
Shape = tuple[int | None, ...]  # None: any size


def fault_of_config(config: Mapping[str, Any]) -> str | None:
    """What is wrong with a folder's config, in words; None where nothing is."""
    head, files = config.get("head"), config.get("sha256_of_files")
    if not isinstance(files, dict):
        return "it names no files"
    if not isinstance(head, dict) or head.get("kind") not in KINDS:
        return "it names no kind of head"
    for name in SIZES:
        size = head.get(name)
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            return f"its {name} is no size"
    if head["kind"] == NEIGHBOURS and not (_is_whole(head.get("k")) and isinstance(head.get("metric"), str)):
        return "its neighbours have no k or no metric"
    return _fault_of_use(config, head["n_classes"])


def fault_of_head(head: Head) -> str | None:
    """What is wrong with a head's tensors, in words; None where nothing is."""
    if (fault := _fault_of_spaces(head)) is not None:
        return fault
    wanted = dict(_wanted(head))
    if others := sorted({*wanted} ^ {*head.tensors}):
        return f"it lacks {others[0]}" if others[0] in wanted else f"{others[0]} is of no use"
    for name, (dtype, shape) in wanted.items():
        found = head.tensors[name]
        if found.dtype != dtype or len(found.shape) != len(shape):
            return f"{name} is {found.dtype} {list(found.shape)}"
        if any(size not in (None, there) for size, there in zip(shape, found.shape, strict=True)):
            return f"{name} is of shape {list(found.shape)}"
        if not np.isfinite(found).all():
            return f"{name} holds NaN or infinity"
        if name in (TARGET, CARRIED, SCALE) and not (found > 0).all():
            return f"{name} holds what is not above 0"
        if name.startswith("labels.") and not (len(found) and found.min() >= 0 and found.max() == head.n_classes - 1):
            return f"{name} holds other labels than those of the classes"
    return None


def _fault_of_spaces(head: Head) -> str | None:
    """What is wrong with which encoder each member reads."""
    space = head.tensors.get(SPACE)
    if space is None:
        return None
    if space.dtype != np.int64 or space.shape != (head.n_members,):
        return f"{SPACE} is {space.dtype} {list(space.shape)}"
    if {*space.tolist()} != {*range(len({*space.tolist()}))} or head.n_features % head.n_spaces:
        return f"{SPACE} names other encoders than there are"
    return None


def _wanted(head: Head) -> Iterator[tuple[str, tuple[type, Shape]]]:
    """Each tensor's type and shape."""
    d, c, m = head.n_features // head.n_spaces, head.n_classes, head.n_members
    yield TARGET, (np.float64, (c,))
    if SPACE in head.tensors:
        yield SPACE, (np.int64, (m,))
    if CARRIED in head.tensors:
        yield CARRIED, (np.float64, (m, c))
    if MEAN in head.tensors or SCALE in head.tensors:
        yield MEAN, (np.float32, (m, d))
        yield SCALE, (np.float32, (m, d))
    if head.kind == STACKED:
        layers = max(1, sum(name.startswith(f"{LAYER}.") and name.endswith(".weight") for name in head.tensors))
        width: int | None = d
        for layer in range(layers):
            after = c if layer == layers - 1 else _last(head.tensors.get(f"{LAYER}.{layer}.weight"))
            yield f"{LAYER}.{layer}.weight", (np.float32, (m, width, after))
            yield f"{LAYER}.{layer}.bias", (np.float32, (m, 1, after))
            width = after
    elif head.kind == MEANS:
        yield "means", (np.float64, (m, c, d))
        yield "sharpness", (np.float64, (m,))
    elif head.kind == NEIGHBOURS:
        for member in range(min(m, len(head.tensors))):  # a number of members may be any; more tensors lack then
            rows = head.tensors.get(f"rows.{member}")
            yield f"rows.{member}", (np.float32, (None, d))
            yield f"labels.{member}", (np.int64, (len(rows) if rows is not None and rows.ndim else None,))


def _fault_of_use(config: Mapping[str, Any], n_classes: int) -> str | None:
    """What is wrong with what says how a head is used."""
    classes, decision, encoder, record = (config.get(name) for name in ("classes", "decision", "encoder", "record"))
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        return "its classes are no names"
    if len(set(classes)) != n_classes or len(classes) != n_classes:
        return f"it names {len(set(classes))} classes where its head tells {n_classes} apart"
    if not isinstance(decision, dict) or not isinstance(decision.get("name"), str):
        return "it has no rule"
    for name, shape in (("offset", (n_classes,)), ("costs", (n_classes, n_classes))):
        if decision.get(name, 0) is not None and not _are_numbers(decision.get(name), shape):
            return f"its rule's {name} are not {' x '.join(map(str, shape))} numbers"
    below = decision.get("abstain_below", np.nan)
    if below is not None and not _are_numbers([below], (1,)):
        return "its rule abstains below what is no number"
    if not isinstance(encoder, dict) or not all(
        isinstance(encoder.get(name), dict) for name in ("settings", "identity")
    ):
        return "it names no encoder"
    if not isinstance(encoder["settings"].get("_target_"), str) or not isinstance(encoder.get("reads_texts"), bool):
        return "its encoder has no name, or it is not said whether it reads texts"
    return None if isinstance(record, dict) and "method" in record else "it names no run"


def _are_numbers(given: Any, shape: tuple[int, ...]) -> bool:
    try:
        numbers = np.asarray(given, np.float64)
    except (TypeError, ValueError, OverflowError):
        return False
    return numbers.shape == shape and bool(np.isfinite(numbers).all())


def _is_whole(given: Any) -> bool:
    return isinstance(given, int) and not isinstance(given, bool) and given > 0


def _last(tensor: NDArray[Any] | None) -> int | None:
    return tensor.shape[-1] if tensor is not None and tensor.ndim else None
