"""Does making synthetic minority embeddings help, which method, how much, and more than the best without synthesis?

From Python: `run`, `load` and `compare`, each of them imported when it is first asked for: ``import synaug`` is quick.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synaug.command.from_python import run as run
    from synaug.comparison.compare import compare_folders as compare
    from synaug.comparison.load import load as load

__version__ = "0.1.0"
__all__ = ["__version__", "compare", "load", "run"]


def __getattr__(name: str) -> Any:
    """What is not imported yet (PEP 562)."""
    if name == "run":
        from synaug.command.from_python import run

        return run
    if name == "load":
        from synaug.comparison.load import load

        return load
    if name == "compare":
        from synaug.comparison.compare import compare_folders

        return compare_folders
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
