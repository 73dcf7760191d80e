"""Runs and reports on W&B."""

from synaug.tracking.run import wandb_logger

__all__ = ["wandb_logger"]
