"""Does making synthetic minority embeddings help, which method, how much, and against what is best without synthesis?

From Python: `run`, `load`, `compare`, `fit`, `load_model` and `Classifier`, each of them imported when it is first
asked for: ``import synaug`` is quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synaug.command.estimator import Classifier as Classifier
    from synaug.command.fit_model import fit as fit
    from synaug.command.from_python import run as run
    from synaug.comparison.compare import compare_folders as compare
    from synaug.comparison.load import load as load
    from synaug.model.model import load_model as load_model

__version__ = "0.1.0"
__all__ = ["Classifier", "__version__", "compare", "fit", "load", "load_model", "run"]

_HOMES = {
    "Classifier": ("synaug.command.estimator", "Classifier"),
    "compare": ("synaug.comparison.compare", "compare_folders"),
    "fit": ("synaug.command.fit_model", "fit"),
    "load": ("synaug.comparison.load", "load"),
    "load_model": ("synaug.model.model", "load_model"),
    "run": ("synaug.command.from_python", "run"),
}


def __getattr__(name: str) -> Any:
    """What is not imported yet (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
