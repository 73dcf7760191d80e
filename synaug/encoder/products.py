"""Which library multiplies matrices fastest on this processor: measured once, for a model's own shapes, and kept.

torch's float32 products are MKL's; oneDNN, which comes with torch, is more than twice as fast on some processors, and
as fast or a little slower on others. The maker does not tell. Both round differently: vectors agree to about 1e-6, far
within what counts as the same vector, so the choice is no part of any identity.
"""

import logging
import platform
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import platformdirs
import torch
from torch.nn.functional import linear as by_torch

from synaug.encoder.onednn import OneDNNLinear, has_onednn, linear_layers, says_the_same
from synaug.encoder.workers import torch_threads
from synaug.files import checked_json
from synaug.files.digest import json_sha256

log = logging.getLogger(__name__)

TORCH, ONEDNN = "torch", "onednn"
DEFAULT = ONEDNN
LEAST_GAIN = 1.1  # by which another than the default must be faster, so that noise decides nothing
ROUNDS = 3  # at least
SECONDS = 0.2  # for all together, beyond those rounds
# What reading a file that somebody altered may raise.
DAMAGE = (OSError, ValueError, KeyError, TypeError)
Shapes = Mapping[tuple[int, int], int]


def prepare(model: torch.nn.Module, rows: int, probe: dict[str, Any]) -> bool:
    """Give a model `OneDNNLinear` layers in place of its own, if they are faster here and it then says the same.

    Parameters
    ----------
    model
        On a CPU, for inference only; of its layers only the linear ones in float32 are replaced.
    rows
        As in `OneDNNLinear`.
    probe
        Arguments of the model, whose outcome, its `last_hidden_state`, must not change.

    Returns
    -------
    bool
        Whether it did; otherwise the model is as it was.
    """
    layers = list(linear_layers(model))
    if not layers or not has_onednn() or fastest(shapes(model), rows) != ONEDNN:
        return False
    with torch.inference_mode():
        before = model(**probe).last_hidden_state
        try:
            for parent, name, layer in layers:
                setattr(parent, name, OneDNNLinear(layer.weight, layer.bias, rows))
            after = model(**probe).last_hidden_state
        except (AttributeError, RuntimeError, TypeError):  # of a model that reads its layers' weights
            after = None
    if after is not None and says_the_same(after, before):
        return True
    for parent, name, layer in layers:
        setattr(parent, name, layer)
    return False


def shapes(model: torch.nn.Module) -> Shapes:
    """Of a model's linear layers in float32: how many there are of each ``(in, out)``."""
    return Counter((layer.in_features, layer.out_features) for _, _, layer in linear_layers(model))


def fastest(shapes: Shapes, rows: int) -> str:
    """Name the library for products of `rows` rows by such weights: the one that was chosen before, or is faster now.

    Measured a fraction of a second on one thread, by turns, in seconds of the thread's own (others that use the
    machine at the same time do not count), the best of each. What was chosen is kept in the user's cache folder, and
    stays: chosen anew only for another processor, torch or shapes, or where the file is damaged.

    Returns
    -------
    str
        `TORCH` or `ONEDNN`.
    """
    return _fastest(tuple(sorted((*shape, count) for shape, count in shapes.items())), rows)


@cache
def _fastest(layers: tuple[tuple[int, int, int], ...], rows: int) -> str:
    asked = {**processor(), "torch": torch.__version__, "layers": [list(layer) for layer in layers], "rows": rows}
    path = platformdirs.user_cache_path("synaug") / "products" / f"{json_sha256(asked)[:16]}.json"
    library = _kept(path, asked)
    if library is not None:
        log.debug("products by %s, as %s says", library, path)
        return library
    seconds = measure({(n_in, n_out): count for n_in, n_out, count in layers}, rows)
    best = min(seconds, key=seconds.__getitem__)
    library = best if seconds[best] * LEAST_GAIN <= seconds[DEFAULT] else DEFAULT
    said = ", ".join(f"{name} {1e3 * taken:.3g} ms" for name, taken in seconds.items())
    log.debug("products by %s, for %d rows through all layers take: %s", library, rows, said)
    chosen = {"asked": asked, "library": library, "seconds": seconds}
    try:
        checked_json.write(path, chosen)
    except OSError as error:  # a folder that nobody can write in costs a measurement in each process
        log.debug("the choice is not kept: %s", error)
    return library


def _kept(path: Path, asked: Mapping[str, Any]) -> str | None:
    """What was chosen before; None where nothing was, or the file is not what was written."""
    if not path.exists():
        return None
    try:
        kept = checked_json.read(path)
        if kept["asked"] != asked:
            raise ValueError("it was measured for something else")
        if kept["library"] not in (TORCH, ONEDNN):
            raise ValueError(f"it names no library that there is: {kept['library']}")
        return str(kept["library"])
    except DAMAGE as error:
        log.debug("%s is measured anew: %s", path, error)
        return None


def processor() -> dict[str, str]:
    """What tells processors apart, as far as their products' speed goes; virtual ones may hide what they are."""
    told = {"capability": torch.backends.cpu.get_cpu_capability(), "processor": platform.processor()}
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        first = cpuinfo.read_text(errors="replace").partition("\n\n")[0]
        lines = dict(line.split(":", 1) for line in first.splitlines() if ":" in line)
        told |= {
            name: value.strip()
            for key, value in lines.items()
            if (name := key.strip()) in ("vendor_id", "cpu family", "model", "model name")
        }
    return told


def measure(shapes: Shapes, rows: int) -> dict[str, float]:
    """Seconds that one thread takes for each library's products of all layers."""
    with torch_threads(1), torch.inference_mode():
        calls = {shape: _calls(*shape, rows) for shape in shapes}
        best = {(shape, name): float("inf") for shape in shapes for name in calls[shape]}
        for each in best:  # the first call of each makes what later ones find
            calls[each[0]][each[1]]()
        started, done = time.thread_time(), 0
        while done < ROUNDS or time.thread_time() - started < SECONDS:
            for shape, name in best:
                before = time.thread_time()
                calls[shape][name]()
                best[shape, name] = min(best[shape, name], time.thread_time() - before)
            done += 1
    return {name: sum(count * best[shape, name] for shape, count in shapes.items()) for name in (TORCH, ONEDNN)}


def _calls(n_in: int, n_out: int, rows: int) -> dict[str, Callable[[], torch.Tensor]]:
    draw = torch.Generator().manual_seed(0)
    states, weight = torch.rand(rows, n_in, generator=draw), torch.rand(n_out, n_in, generator=draw)
    bias = torch.zeros(n_out)
    prepared = OneDNNLinear(weight, bias, rows)
    return {TORCH: lambda: by_torch(states, weight, bias), ONEDNN: lambda: prepared(states)}
