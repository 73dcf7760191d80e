"""Runs and reports on W&B."""

from synaug.tracking.wandb_run import wandb_logger

__all__ = ["wandb_logger"]
