"""Runs and reports on W&B."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synaug.tracking.wandb_run import wandb_logger as wandb_logger

__all__ = ["wandb_logger"]


def __getattr__(name: str) -> Any:
    """What is not imported yet (PEP 562): pandas takes longer than to say what `synaug dashboard` takes."""
    if name != "wandb_logger":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from synaug.tracking.wandb_run import wandb_logger

    return wandb_logger
