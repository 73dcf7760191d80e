"""The machine: what it is, and what its float32 matrix products reach."""

import argparse
import os
import platform
import time
from collections.abc import Callable
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PACKAGES = (
    "synaug",
    "torch",
    "pytorch-lightning",
    "transformers",
    "sentence-transformers",
    "imbalanced-learn",
    "scikit-learn",
    "faiss-cpu",
    "numpy",
    "hydra-core",
)
GEMM_SIZES = (1024, 1536, 2048)
GEMM_TRIES = 4


def describe() -> dict[str, Any]:
    """CPU, the kernels that scikit-learn's BLAS chose for it, usable cores, memory, system and a limit on threads."""
    return {
        "cpu": _cpu(),
        "blas": _blas(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.machine()}",
        "omp_num_threads": os.environ.get("OMP_NUM_THREADS"),
    }


def versions() -> dict[str, str]:
    """Of Python and of the packages that are compared."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def load() -> float:
    """Processes that ran or waited to, mean of the last minute: near 0 on a quiet machine."""
    return os.getloadavg()[0]


def gemm(args: argparse.Namespace) -> Callable[[], dict[str, NDArray[Any]]]:
    """A side for any stage: the best GFLOP/s of float32 products on all of torch's threads.

    Both of ``torch.mm`` (MKL's) and of oneDNN's, which is the faster on some processors; the peak is the larger.
    """
    import torch

    from synaug.encoder.onednn import linear

    factors = [torch.rand(size, size) for size in GEMM_SIZES]
    outs = [torch.empty_like(factor) for factor in factors]
    by_onednn = [linear(factor, None, len(factor)) for factor in factors]

    def rate(multiply: Callable[[], object], size: int) -> float:
        multiply()
        seconds = []
        for _ in range(GEMM_TRIES):
            started = time.perf_counter()
            multiply()
            seconds.append(time.perf_counter() - started)
        return 2 * size**3 / min(seconds) / 1e9

    def best() -> dict[str, NDArray[Any]]:
        with torch.inference_mode():
            mm = max(
                rate(partial(torch.mm, factor, factor, out=out), len(factor))
                for factor, out in zip(factors, outs, strict=True)
            )
            onednn = max(
                rate(partial(multiply, factor), len(factor))
                for factor, multiply in zip(factors, by_onednn, strict=True)
            )
        return {
            "gflops": np.array(max(mm, onednn)),
            "mm_gflops": np.array(mm),
            "threads": np.array(torch.get_num_threads()),
        }

    return best


def _blas() -> str:
    import sklearn.metrics  # noqa: F401 (brings scipy's BLAS)
    from threadpoolctl import threadpool_info

    libraries = {
        f"{library['internal_api']} {library.get('architecture', '')}".strip() for library in threadpool_info()
    }
    return ", ".join(sorted(library for library in libraries if not library.startswith("openmp")))


def _cpu() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
