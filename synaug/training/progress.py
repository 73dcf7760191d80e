"""One bar for the whole training; Lightning's own starts anew each epoch."""

from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar
from tqdm.auto import tqdm


class TrainingBar(ProgressBar):
    """Steps done, and the mean validation loss over members. Shown on a terminal only."""

    def __init__(self) -> None:
        super().__init__()
        self._disable: bool | None = None
        self._bar: Any = None

    def disable(self) -> None:
        """Lightning's hook for ranks that keep quiet."""
        self._disable = True

    def enable(self) -> None:
        """Lightning's hook."""
        self._disable = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the bar."""
        datamodule: Any = trainer.datamodule  # type: ignore[attr-defined]
        total = datamodule.steps_per_epoch * (trainer.max_epochs or 1)
        self._bar = tqdm(total=total, desc="training", unit="step", disable=self._disable)

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Some more steps."""
        self._bar.update(trainer.global_step - self._bar.n)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the loss."""
        if "validation/loss" in trainer.callback_metrics:
            self._bar.set_postfix(validation_loss=f"{trainer.callback_metrics['validation/loss']:.3f}", refresh=False)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the bar."""
        self._bar.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Close the bar of a training that failed or was interrupted, or what is said next would stand in its line."""
        if self._bar is not None:
            self._bar.close()
