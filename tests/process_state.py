"""What a process has one of, and a command must leave as it was; as plain data, to be compared."""

import gc
import hashlib
import locale
import logging
import os
import random
import signal
import socket
import sys
import threading
import warnings
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig


def snapshot() -> dict[str, Any]:
    """Of this process, with what libraries keep; those that are not imported yet are imported for it."""
    import datasets
    import huggingface_hub.constants
    import numpy as np
    import torch

    return {
        "environment": dict(os.environ),
        "arguments": list(sys.argv),
        "path": list(sys.path),
        "folder": os.getcwd(),
        "composing": GlobalHydra.instance().is_initialized(),
        "composed": HydraConfig.initialized(),
        "logging": {logger.name: _logger(logger) for logger in _loggers()},
        "logging disabled": logging.root.manager.disable,
        "warnings": list(map(repr, warnings.filters)),
        "frozen": gc.get_freeze_count(),
        "collecting": gc.isenabled(),
        "signals": {str(number): repr(signal.getsignal(number)) for number in signal.valid_signals()},
        "hooks": [repr(sys.excepthook), repr(threading.excepthook), repr(sys.unraisablehook), repr(sys.displayhook)],
        "timeout": socket.getdefaulttimeout(),
        "locale": locale.setlocale(locale.LC_ALL),
        "umask": _umask(),
        "python draws": _digest(repr(random.getstate()).encode()),
        "numpy draws": _digest(repr(np.random.get_state()).encode()),
        "numpy errors": np.geterr(),
        "torch draws": _digest(torch.random.get_rng_state().numpy().tobytes()),
        "torch": [
            torch.get_num_threads(),
            str(torch.get_default_dtype()),
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.backends.cudnn.benchmark,
            torch.backends.cudnn.deterministic,
            torch.is_grad_enabled(),
            torch.is_anomaly_enabled(),
            torch.get_float32_matmul_precision(),
        ],
        "offline": [datasets.config.HF_HUB_OFFLINE, huggingface_hub.constants.HF_HUB_OFFLINE],
    }


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What differs; of mappings, by their keys. Loggers that are new are a library's own."""
    found: dict[str, tuple[Any, Any]] = {}
    for key, value in before.items():
        if not isinstance(value, dict):
            if value != after[key]:
                found[key] = (value, after[key])
            continue
        keys = value if key == "logging" else value.keys() | after[key].keys()
        for each in keys:
            if value.get(each) != after[key].get(each):
                found[f"{key}: {each}"] = (value.get(each), after[key].get(each))
    return found


def _loggers() -> list[logging.Logger]:
    known = logging.Logger.manager.loggerDict.values()
    return [logging.getLogger(), *(logger for logger in known if isinstance(logger, logging.Logger))]


def _logger(logger: logging.Logger) -> list[Any]:
    handlers = [f"{type(handler).__name__} {handler.level}" for handler in logger.handlers]
    return [logger.level, logger.propagate, logger.disabled, handlers, len(logger.filters)]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
