"""The process around a command: what Hydra and the libraries set for the whole of it is put back afterwards."""

import gc
import logging
import os
import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig

_frozen = False  # by `freeze`


@contextmanager
def as_before() -> Iterator[None]:
    """Leave environment, folder, arguments, logging, filters of warnings, random states and Hydra as they are.

    A notebook runs several commands, and code of its own between them. Signals are `synaug.sweep.interrupts`'s,
    torch's threads `synaug.encoder.workers`'s.
    """
    with _environment(), _logging(), _hydra(), _torch(), _random_states(), _collected(), warnings.catch_warnings():
        yield


@contextmanager
def _environment() -> Iterator[None]:
    environment, folder, arguments = dict(os.environ), os.getcwd(), sys.argv
    try:
        yield
    finally:
        sys.argv = arguments
        if os.getcwd() != folder:
            os.chdir(folder)
        for key in os.environ.keys() - environment.keys():
            del os.environ[key]
        os.environ.update(environment)


@contextmanager
def _logging() -> Iterator[None]:
    """Hydra replaces the handlers of the root logger, and a run opens a log: close what was opened."""
    known = {
        logger: (logger.handlers[:], logger.filters[:], logger.level, logger.propagate, logger.disabled)
        for logger in (logging.getLogger(), *logging.Logger.manager.loggerDict.values())
        if isinstance(logger, logging.Logger)
    }
    try:
        yield
    finally:
        for logger, (handlers, filters, level, propagate, disabled) in known.items():
            for handler in logger.handlers:
                if handler not in handlers:
                    handler.close()
            logger.handlers[:], logger.filters[:] = handlers, filters
            if logger.level != level:  # setting it empties a cache in every logger there is
                logger.setLevel(level)
            logger.propagate, logger.disabled = propagate, disabled


@contextmanager
def _hydra() -> Iterator[None]:
    """Whoever has initialized Hydra for themselves finds it again; within, it is as in a fresh process."""
    composer, config = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra, HydraConfig.instance().cfg = composer, config


@contextmanager
def _torch() -> Iterator[None]:
    """Torch's modes as in a fresh process within, and as they were after.

    A notebook may have turned gradients off, or automatic mixed precision on: a record must not depend on it. What
    Lightning's Trainer sets by its arguments `deterministic` and `benchmark` is put back.
    """
    deterministic = warn_only = benchmark = False  # torch's defaults, where it is not imported yet
    try:
        with ExitStack() as modes:
            if (torch := _imported("torch")) is not None:
                deterministic = torch.are_deterministic_algorithms_enabled()
                warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
                benchmark = torch.backends.cudnn.benchmark
                modes.callback(torch.set_default_dtype, torch.get_default_dtype())
                modes.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
                torch.set_default_dtype(torch.float32)
                torch.set_float32_matmul_precision("highest")
                modes.enter_context(torch.inference_mode(False))
                modes.enter_context(torch.enable_grad())
                for kind in ("cpu", "cuda"):
                    if torch.is_autocast_enabled(kind):
                        modes.enter_context(torch.autocast(kind, enabled=False))
                if torch.get_default_device().type != "cpu":
                    modes.enter_context(torch.device("cpu"))
            yield
    finally:
        if (torch := _imported("torch")) is not None:
            now = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
            # Setting imports torch's compiler, which an interruption may have left half imported: only if need be.
            if now != (deterministic, warn_only):
                torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
            torch.backends.cudnn.benchmark = benchmark


@contextmanager
def _collected() -> Iterator[None]:
    """What a job has frozen (`freeze`) becomes garbage again when it is."""
    global _frozen
    before = _frozen
    try:
        yield
    finally:
        if _frozen and not before:
            gc.unfreeze()
            _frozen = False


@contextmanager
def _random_states() -> Iterator[None]:
    """A run draws from generators of its own; what libraries draw from the shared ones is not the user's."""
    python, numpy, torch = random.getstate(), _imported("numpy"), _imported("torch")
    of_numpy = None if numpy is None else numpy.random.get_state()
    of_torch = None if torch is None else torch.random.get_rng_state()
    try:
        yield
    finally:
        random.setstate(python)
        if numpy is not None:
            numpy.random.set_state(of_numpy)
        if torch is not None:
            torch.random.set_rng_state(of_torch)


def _imported(name: str) -> Any:
    """A module that is there and complete, or None: what an interruption left half imported has no states yet."""
    module = sys.modules.get(name)
    return None if module is None or getattr(module.__spec__, "_initializing", False) else module


def freeze() -> None:
    """Never look for garbage among what is imported by now, until the command has ended (`as_before`).

    A collection that looks at all of it is long, and a signal that comes meanwhile is heard in a destructor, where
    Python ignores what is raised. Once, or the garbage of the first job of a sweep would stay, too.
    """
    global _frozen
    if not (_frozen or gc.get_freeze_count()):  # Python counts them one by one
        gc.freeze()
        _frozen = True
