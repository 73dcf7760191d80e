"""One bar for the training of all members; Lightning's own starts anew with each stack and epoch."""

from types import TracebackType
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from tqdm.auto import tqdm


class StepsBar:
    """Steps of all members, of at most `total`. Shown on a terminal only, and only if `is_wanted`."""

    def __init__(self, total: int, is_wanted: bool = True) -> None:
        self._bar: Any = tqdm(total=total, desc="training", unit="step", disable=None if is_wanted else True)
        self._of_stacks = 0

    def __enter__(self) -> "StepsBar":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Also of a training that failed or was interrupted, or what is said next would stand in its line.
        self._bar.close()

    def callback(self, n_members: int) -> Callback:
        """What moves the bar while a stack of so many members trains."""
        return _Steps(self._bar, n_members)

    def end_of_stack(self, n_members: int, max_steps: int) -> None:
        """Count the steps that members did not need, as they stopped earlier."""
        self._of_stacks += n_members * max_steps
        self._bar.update(self._of_stacks - self._bar.n)


class _Steps(Callback):
    def __init__(self, bar: Any, n_members: int) -> None:
        self._bar = bar
        self._n_members = n_members
        self._done = 0

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        """Some more steps; a stack that replays its steps counts them itself, as Lightning then sees none."""
        done: int = getattr(pl_module, "steps_done", trainer.global_step)
        self._bar.update((done - self._done) * self._n_members)
        self._done = done
